"""Clusters of the rows of a table: understanding, reading, splitting, scores, candidates, and a whole run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent import InputError, Request, Settings, build_graph
from automl_agent.delivery.checks import predict_file
from automl_agent.records import DataProfile, TaskSpec
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.family import Reading
from automl_agent.tasks.registry import families, get_family
from automl_agent.tasks.tabular_clustering import indices, scores
from automl_agent.tasks.tabular_clustering.counting import count_clusters
from automl_agent.tasks.tabular_clustering.interpreting import how_many
from automl_agent.testing import InlineExecutor, StaticRetriever

NAME = "tabular_clustering"
FAMILY = get_family(NAME)


def customers(rows: int = 240, seed: int = 0) -> pd.DataFrame:
    """Three kinds of customers that differ in two numbers and a category; with a date, gaps and the truth."""
    random = np.random.default_rng(seed)
    kind = np.arange(rows) % 3
    spend = np.array([20.0, 200.0, 90.0])[kind] + random.normal(0, 8, rows)
    visits = np.array([2.0, 4.0, 12.0])[kind] + random.normal(0, 0.7, rows)
    region = np.where(random.random(rows) < 0.9, np.array(["north", "south", "west"])[kind], "east")
    frame = pd.DataFrame({
        "id": np.arange(rows) + 1000,
        "spend": spend.round(2),
        "visits": np.where(random.random(rows) < 0.05, np.nan, visits.round(1)),
        "region": region,
        "since": (pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), unit="D")).strftime(
            "%Y-%m-%d"),
        "kind": np.array(["saver", "spender", "regular"])[kind],
    })  # fmt: skip
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def read(words: str, tmp_path: Path, frame: pd.DataFrame | None = None, **given: Any) -> Reading:
    path = tmp_path / "customers.csv"
    (customers() if frame is None else frame).to_csv(path, index=False)
    request = Request(words=words, data=(str(path),), **given)
    return FAMILY.interpret(request, FAMILY.peek(request))


def acquired(tmp_path: Path, frame: pd.DataFrame, test: pd.DataFrame | None = None, metric: str = scores.QUALITY,
             **options: Any) -> tuple[DataProfile, Path, Path]:  # fmt: skip
    frame.to_csv(tmp_path / "table.csv", index=False)
    if test is not None:
        test.to_csv(tmp_path / "new.csv", index=False)
    request = Request(words="cluster", data=(str(tmp_path / "table.csv"),),
                      test_data=None if test is None else str(tmp_path / "new.csv"))  # fmt: skip
    ignore = options.pop("ignore", ())
    task = TaskSpec(words="cluster", family=NAME, metric=metric, options=options, ignore=ignore)
    folder, private = tmp_path / "data", tmp_path / "private"
    return FAMILY.acquire(task, request, folder, private, seed=0, test_share=0.2), folder, private


# ---------------------------------------------------------------- understanding


@pytest.mark.parametrize(
    ("words", "clusters"),
    [
        ("Cluster our customers into 4 segments.", 4),
        ("Divide the customers into five groups.", 5),
        ("Find groups of similar customers.", None),
        ("k-means clustering with k = 3", 3),
        ("Segment our 200 customers.", None),
        ("I need three customer segments; which customers are alike?", 3),
    ],
)
def test_words_that_ask_for_clusters(words: str, clusters: int | None, tmp_path: Path) -> None:
    reading = read(words, tmp_path)
    assert reading.confidence > 0.9
    assert reading.target is None
    assert reading.options.get("clusters") == clusters
    assert reading.metric == scores.QUALITY
    others = [family.interpret(*_asked(words, tmp_path)) for name, family in families().items() if name != NAME
              and family.peek(_asked(words, tmp_path)[0]) is not None]  # fmt: skip
    assert all(other.confidence < reading.confidence for other in others)


def _asked(words: str, tmp_path: Path) -> tuple[Request, Any]:
    request = Request(words=words, data=(str(tmp_path / "customers.csv"),))
    return request, FAMILY.peek(request)


@pytest.mark.parametrize(
    "words",
    [
        "Predict the region of each customer.",
        "Predict spend; rows of one cluster of shops are kept together.",
        "Which customers will spend more?",
        "Classify customers by kind.",
        "Estimate visits with a regression.",
    ],
)
def test_words_that_ask_for_something_else(words: str, tmp_path: Path) -> None:
    assert read(words, tmp_path).confidence <= 0.2


def test_a_target_of_the_caller_is_predicted(tmp_path: Path) -> None:
    assert read("Cluster the customers.", tmp_path, target="region").confidence == 0.0
    reading = read("Cluster the customers.", tmp_path, target="kind", family=NAME)
    assert reading.options["labels"] == "kind"


@pytest.mark.parametrize("words", [
    "Find segments of our customers; kind is only there to check the result.",
    "Cluster the customers. Compare the clusters with kind.",
    "Cluster the customers, the true groups are in column kind.",
])  # fmt: skip
def test_labels_that_are_named_for_checking(words: str, tmp_path: Path) -> None:
    reading = read(words, tmp_path)
    assert reading.options["labels"] == "kind"
    assert any(one.field == "labels" and "scoring only" in one.reason for one in reading.inferences)


def test_a_named_metric(tmp_path: Path) -> None:
    assert read("Cluster the customers, optimise the silhouette.", tmp_path).metric == "silhouette"
    assert read("Cluster the customers by adjusted Rand index.", tmp_path).metric == scores.QUALITY
    assert how_many("12 clusters")[0] == 12
    assert how_many("cut costs by 3 percent")[0] is None


# ---------------------------------------------------------------- reading and splitting


def test_what_lies_in_the_data_folder(tmp_path: Path) -> None:
    profile, folder, private = acquired(tmp_path, customers(), labels="kind")
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    names = [column["name"] for column in schema["columns"]]
    assert names == ["spend", "visits", "region", "since"]
    assert {"name": "id", "reason": "id"} in schema["dropped"]
    assert schema["clusters"] == 3 == profile.target["clusters"]
    assert FAMILY.describe(folder, scores.QUALITY)["clusters"] == 3
    truth, target = FAMILY.training_truth(folder), np.load(folder / "target.npy")
    assert truth.shape[0] == profile.rows_train == len(target)
    assert not target.any()
    assert set(np.unique(truth[:, 0])) == {0.0, 1.0, 2.0}
    test = FAMILY.test_truth(private)
    assert test.shape == (profile.rows_test, truth.shape[1])
    assert not (folder / "test_target.npy").exists()
    assert np.isfinite(test).all()
    fold = FAMILY.fold(folder, 0, rows=0, seed=0)
    assert list(fold.train.columns) == names
    assert len(fold.train) + len(fold.valid) == profile.rows_train
    assert len(FAMILY.fold(folder, profile.folds, rows=0, seed=0).train) == profile.rows_train


def test_the_split_follows_from_the_rows(tmp_path: Path) -> None:
    frame = customers().drop(columns="id")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = acquired(tmp_path / "one", frame, clusters=3)
    second = acquired(tmp_path / "two", frame.sample(frac=1, random_state=7), clusters=3)
    held = [sorted(pd.read_parquet(folder / "test.parquet")["spend"]) for _, folder, _ in (first, second)]
    assert held[0] == held[1]
    assert first[0].fingerprint != acquired(tmp_path, frame, clusters=4)[0].fingerprint  # other clusters, other trials


def test_an_own_test_file(tmp_path: Path) -> None:
    profile, folder, private = acquired(tmp_path, customers(), customers(40, seed=5), labels="kind", clusters=3)
    assert (profile.rows_train, profile.rows_test) == (240, 40)
    assert profile.split == "the user's own test"
    assert len(FAMILY.test_truth(private)) == 40 == len(FAMILY.test_inputs(folder))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"clusters": 1}, "clusters=1 cannot be"),
        ({"clusters": "many"}, "clusters=many is no whole number"),
        ({"horizon": 3}, "no option horizon"),
        ({"labels": "sort"}, "no column 'sort'"),
        ({"metric": "ari"}, "no column of labels is named"),
        ({"ignore": ("spend", "visits", "region", "since", "kind")}, "no column that rows could be compared by"),
    ],
)
def test_bad_options(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        acquired(tmp_path, customers(), **options)
    assert not (tmp_path / "data").exists()


def test_bad_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 20"):
        acquired(tmp_path, customers(12))
    with pytest.raises(InputError, match="too few for 30 clusters"):
        acquired(tmp_path, pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0] * 30, "b": [1.0, 2.0] * 60}), clusters=30)


# ---------------------------------------------------------------- scores


def blobs(rows: int = 300, clusters: int = 4, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % clusters
    centres = random.permutation(np.eye(clusters)) * 8
    return centres[labels] + random.normal(size=(rows, clusters)), labels


def test_indices_agree_with_scikit_learn() -> None:
    from sklearn import metrics

    points, labels = blobs()
    other = np.random.default_rng(1).integers(0, 3, len(labels))
    assert indices.silhouette(points, labels) == pytest.approx(metrics.silhouette_score(points, labels))
    assert indices.calinski_harabasz(points, labels) == pytest.approx(metrics.calinski_harabasz_score(points, labels))
    assert indices.davies_bouldin(points, labels) == pytest.approx(metrics.davies_bouldin_score(points, labels))
    for mine, theirs in ((indices.adjusted_rand, metrics.adjusted_rand_score), (indices.rand_index, metrics.rand_score),
                         (indices.mutual_information, metrics.normalized_mutual_info_score)):  # fmt: skip
        assert mine(labels, other) == pytest.approx(theirs(labels, other))
        assert mine(labels, 3 - labels) == pytest.approx(1.0)


def test_quality_knows_right_from_wrong() -> None:
    points, labels = blobs()
    right = indices.quality(points, labels)
    assert right > indices.quality(points, labels % 3) > indices.quality(points, labels // 2)
    chance = indices.quality(points, np.random.default_rng(0).integers(0, 4, len(labels)))
    assert right > 0.7
    assert -0.3 < chance < 0.05
    assert indices.quality(points, np.zeros(len(points), int)) == -1.0
    again = np.random.default_rng(0).integers(0, len(points), len(points))
    assert indices.quality(points[again], labels[again]) == pytest.approx(right, abs=0.05)  # a bootstrap is no gain


def test_scores_need_labels_where_they_say_so() -> None:
    points, labels = blobs()
    memberships = np.eye(4)[labels]
    truth = np.column_stack([labels, points])
    assert FAMILY.score("ari", truth, memberships) == pytest.approx(1.0)
    truth[:, 0] = np.nan
    assert np.isnan(FAMILY.score("nmi", truth, memberships))
    assert FAMILY.score("silhouette", truth, memberships) > 0.5
    assert FAMILY.score("modularity", truth, memberships) > 0.5
    assert FAMILY.threshold("silhouette", truth, memberships) is None


def test_the_number_of_clusters_is_found() -> None:
    points, _ = blobs(150, 5)
    found, counts = count_clusters(points)
    assert found == 5
    assert [count.clusters for count in counts] == list(range(2, 13))


# ---------------------------------------------------------------- candidates


def fitted(name: str, frame: pd.DataFrame, **params: Any) -> Any:
    candidate = FAMILY.candidates()[name]
    module = load_candidate(candidate.path, FAMILY.shared)
    task = {"kind": "clustering", "classes": [], "metric": scores.QUALITY, "positive": None, "clusters": 3}
    return module.Model(task, {**candidate.portfolio[0], **params}, [], 0).fit(frame, np.zeros(len(frame)))


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    _, folder, _ = acquired(tmp_path_factory.mktemp("typed"), customers(), labels="kind", clusters=3)
    return FAMILY.fold(folder, 3, rows=0, seed=0).train


@pytest.mark.parametrize("name", sorted(FAMILY.candidates()))
def test_candidates_keep_the_contract(name: str, typed: pd.DataFrame, tmp_path: Path) -> None:
    before = typed.copy()
    model = fitted(name, typed)
    memberships = model.predict(typed)
    assert typed.equals(before)
    assert memberships.shape == (len(typed), 3)
    assert memberships.min() >= 0
    assert np.allclose(memberships.sum(axis=1), 1)
    sizes = np.bincount(memberships.argmax(axis=1), minlength=3)
    assert sizes.min() > 0
    assert np.array_equal(fitted(name, typed).predict(typed), memberships)
    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npz"}
    loaded = type(model).load(tmp_path)
    assert np.allclose(loaded.predict(typed), memberships)
    assert np.allclose(loaded.predict(typed.iloc[3:4].reset_index(drop=True)), memberships[3:4])
    strange = typed.iloc[:2].assign(region="never seen", spend=np.nan)
    assert np.isfinite(loaded.predict(strange)).all()
    assert loaded.predict(typed.iloc[:0]).shape == (0, 3)
    params = json.loads((tmp_path / "params.json").read_text(encoding="utf-8"))
    assert params["clusters"] == 3
    again = type(model)({"kind": "clustering"}, params, [], 0).fit(typed, np.zeros(len(typed)))
    assert np.allclose(again.predict(typed), memberships)
    if name != FAMILY.baseline:
        assert len(model.words) == 3
        assert model.words[0]["rows"] >= model.words[-1]["rows"]


@pytest.mark.parametrize("view", ["standard", "quantile", "reduced", "quantile_reduced"])
def test_every_view_finds_the_customers(view: str, typed: pd.DataFrame) -> None:
    frame = typed[["spend", "visits", "region"]]
    labels = fitted("kmeans", frame, view=view).predict(frame).argmax(axis=1)
    assert indices.adjusted_rand(pd.cut(typed["spend"], [0, 55, 145, 999], labels=False).to_numpy(), labels) > 0.9


def test_clusters_are_told_in_words(typed: pd.DataFrame) -> None:
    texts = {one["text"] for one in fitted("kmeans", typed[["spend", "visits", "region"]]).words}
    assert any("high spend" in text and "mostly region = south" in text for text in texts)
    assert any("high visits" in text and "mostly region = west" in text for text in texts)


def test_texts_and_numbers_of_any_size() -> None:
    frame = pd.DataFrame({
        "remark": ["late again and rude", "very friendly staff", ""] * 20,
        "huge": np.tile([1e300, -1e300, 0.0], 20),
        "gaps": np.r_[np.full(59, np.nan), 1.0],
    })  # fmt: skip
    labels = fitted("kmeans", frame).predict(frame).argmax(axis=1)
    assert indices.adjusted_rand(np.arange(60) % 3, labels) > 0.9


def test_what_cannot_be_fitted_says_why(typed: pd.DataFrame) -> None:
    same = pd.DataFrame({"a": [1.0, 2.0] * 20})
    with pytest.raises(ValueError, match="2 different rows cannot make 3 clusters"):
        fitted("kmeans", same)
    candidate = FAMILY.candidates()["ward"]
    module = load_candidate(candidate.path, FAMILY.shared)
    model = module.Model({"clusters": 3}, {}, [], 0, time_limit=1e-6)
    with pytest.raises(TimeoutError, match="needs about"):
        model.fit(typed, None)


# ---------------------------------------------------------------- the whole


@pytest.mark.slow
def test_from_words_to_a_served_model(tmp_path: Path) -> None:
    customers().to_csv(tmp_path / "customers.csv", index=False)
    settings = Settings(home=str(tmp_path / "home"), out=str(tmp_path / "out"), trials=6)
    graph = build_graph(executor=InlineExecutor(), retriever=StaticRetriever(()), settings=settings)
    words = "Find segments of our customers; kind is only there to check the result. ARI at least 0.8."
    result = graph.invoke({"request": Request(words=words, data=(str(tmp_path / "customers.csv"),), budget=300)})
    report = result["report"]
    assert report.status == "delivered", (report.reason, report.warnings)
    assert report.task["family"] == NAME
    assert report.metric["test"] > report.metric["baseline"]
    (check,) = report.constraints
    assert check.measure == "ari" and check.met
    bundle = Path(report.bundle)
    page = Path(report.report).read_text(encoding="utf-8")
    assert "What sets them apart" in page and "mostly region = south" in page
    assert "The target" not in page
    predictions = pd.read_csv(report.predictions)
    assert list(predictions.columns) == ["row", "cluster", "belongs_1", "belongs_2", "belongs_3"]
    customers(30, seed=3).drop(columns="kind").to_csv(tmp_path / "new.csv", index=False)
    out = pd.read_csv(predict_file(bundle, tmp_path / "new.csv", tmp_path / "answers.csv"))
    new = customers(30, seed=3)["kind"]
    assert indices.adjusted_rand(pd.factorize(new)[0], out["prediction"].to_numpy()) > 0.8
    assert np.allclose(out[["probability_1", "probability_2", "probability_3"]].sum(axis=1), 1)
