"""Node classification: reading graphs, locking nodes, models, new nodes, and one whole run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent import InputError, Settings, build_graph
from automl_agent.records import Request, TaskSpec
from automl_agent.tasks.candidate import installed, load_candidate
from automl_agent.tasks.node_classification import FAMILY
from automl_agent.tasks.node_classification.family import graph_io
from automl_agent.tasks.node_classification.sources import find_graph
from conftest import ROOT

CORA = ROOT / "tests" / "data" / "cora.npz"
CLASSES = ("red", "green", "blue")
LEARNING = [name for name in FAMILY.candidates() if name != FAMILY.baseline]
_NETWORK = {"hidden": 8, "epochs": 25, "dropout": 0.1, "learning_rate": 0.1, "steps": 4}
QUICK: dict[str, dict[str, Any]] = {"gcn": _NETWORK, "appnp": _NETWORK, "sgc_lightgbm": {"rounds": 30}}


def network(nodes: int = 150, alike: float = 0.85, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes of three kinds with features that say a little of them, and edges that mostly stay in a kind."""
    random = np.random.default_rng(seed)
    kind = np.arange(nodes) % 3
    table = pd.DataFrame({"node": [f"n{number}" for number in range(nodes)]})
    for column in range(4):
        table[f"x{column}"] = random.normal(size=nodes) + 0.8 * (kind == column % 3)
    table["place"] = random.choice(["here", "there"], nodes)
    table["label"] = np.array(CLASSES)[kind]
    pairs = []
    for number in range(nodes):
        for _ in range(3):
            same = np.flatnonzero((kind == kind[number]) == (random.random() < alike))
            pairs.append((number, int(random.choice(same[same != number]))))
    edges = pd.DataFrame([(f"n{one}", f"n{other}") for one, other in pairs], columns=["source", "target"])
    return table, edges


def write_pair(folder: Path, table: pd.DataFrame, edges: pd.DataFrame) -> tuple[str, str]:
    table.to_csv(folder / "nodes.csv", index=False)
    edges.to_csv(folder / "edges.csv", index=False)
    return str(folder / "nodes.csv"), str(folder / "edges.csv")


def task_for(request: Request, **more: Any) -> TaskSpec:
    reading = FAMILY.interpret(request, FAMILY.peek(request))
    fields = {"words": request.words, "family": FAMILY.name, "target": reading.target, "metric": "accuracy",
              "options": {**reading.options, **request.options}}  # fmt: skip
    return TaskSpec(**{**fields, **more})


def acquired(request: Request, place: Path, **more: Any) -> Any:
    return FAMILY.acquire(task_for(request, **more), request, place / "data", place / "private", seed=0, test_share=0.2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder, its source beside it."""
    place = tmp_path_factory.mktemp("nodes")
    table, edges = network()
    table.loc[::7, "label"] = None
    acquired(Request(words="Label the nodes.", data=write_pair(place, table, edges)), place)
    return place / "data"


def fitted(name: str, folder: Path, fold: int = 0, **params: Any) -> tuple[Any, Any]:
    candidate = FAMILY.candidates()[name]
    if not installed(candidate):
        pytest.skip(f"{name} needs {candidate.requires}")
    part = FAMILY.fold(folder, fold, rows=0, seed=0)
    model = load_candidate(candidate.path, FAMILY.shared).Model(
        FAMILY.describe(folder, "accuracy"), {**candidate.portfolio[0], **QUICK.get(name, {}), **params}, [], 0
    )
    return model.fit(part.train, part.target), part


# ---------------------------------------------------------------- reading


def graph_of(*data: Path | str, **options: Any) -> Any:
    source = find_graph(Request(data=tuple(map(str, data)), options=options, family=FAMILY.name))
    assert source is not None
    return graph_io().load(source.place, source.options)


def test_every_form_of_one_graph_is_the_same_graph(tmp_path: Path) -> None:
    table, edges = network(30)
    nodes, links = write_pair(tmp_path, table, edges)
    place = {name: number for number, name in enumerate(table["node"])}
    numbers = np.array([[place[one], place[other]] for one, other in edges.itertuples(index=False)])
    np.savez(tmp_path / "own.npz", edge_index=numbers.T, x=table[[f"x{n}" for n in range(4)]].to_numpy(),
             y=np.arange(30) % 3, ids=table["node"].to_numpy(str))  # fmt: skip
    matrix = np.zeros((30, 30), int)
    matrix[numbers[:, 0], numbers[:, 1]] = matrix[numbers[:, 1], numbers[:, 0]] = 1
    np.savez(tmp_path / "square.npz", adj_matrix=matrix, labels=np.arange(30) % 3)
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        archive.write(nodes, "graph/nodes.csv")
        archive.write(links, "graph/edges.csv")
    near = {name: ";".join(edges["target"][edges["source"] == name]) for name in table["node"]}
    table.assign(neighbours=table["node"].map(near)).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "plain.edges").write_text("\n".join(" ".join(map(str, pair)).replace(" ", "\t") for pair in numbers))
    table[["label"]].assign(node=range(30))[["node", "label"]].to_csv(tmp_path / "labels.csv", index=False)
    pair = tmp_path / "pair"
    pair.mkdir()
    write_pair(pair, table, edges)
    graphs = [graph_of(nodes, links), graph_of(links, nodes), graph_of(pair), graph_of(tmp_path / "both.zip"),
              graph_of(tmp_path / "own.npz"), graph_of(tmp_path / "square.npz"), graph_of(tmp_path / "rows.csv"),
              graph_of(tmp_path / "plain.edges", tmp_path / "labels.csv")]  # fmt: skip
    for graph in graphs:
        assert len(graph.ids) == 30
        assert graph.edges.tolist() == graphs[0].edges.tolist()
        assert not graph.directed
    assert graph_of(nodes, links, directed="yes").directed


def test_graphml_and_its_attributes(tmp_path: Path) -> None:
    path = tmp_path / "small.graphml"
    path.write_text(
        """<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">
        <key id="k" for="node" attr.name="kind" attr.type="string"><default>odd</default></key>
        <graph edgedefault="directed"><node id="a"><data key="k">even</data></node><node id="b"/>
        <node id="c"><data key="k">even</data></node><edge source="a" target="b"/><edge source="b" target="a"/>
        </graph></graphml>""",
        encoding="utf-8",
    )
    graph = graph_of(path)
    assert graph.directed and graph.edges.tolist() == [[0, 1], [1, 0]]
    assert graph.columns["kind"].tolist() == ["even", "odd", "even"]


def test_cora_is_read_whole() -> None:
    graph = graph_of(CORA)
    assert (len(graph.ids), len(graph.edges), graph.words.shape) == (2708, 5429, (2708, 1433))
    assert graph.directed and graph.columns["labels"].nunique() == 7


def test_many_columns_of_numbers_become_one_of_sparse_features(tmp_path: Path) -> None:
    table, edges = network(40)
    words = pd.DataFrame(np.eye(40, 250, dtype=int), columns=[f"w{n}" for n in range(250)])
    data = write_pair(tmp_path, pd.concat([table[["node"]], words, table[["label"]]], axis=1), edges)
    profile = acquired(Request(words="Predict the label.", data=data), tmp_path)
    assert profile.kinds == {"feature": 250}
    schema = json.loads((tmp_path / "data" / "schema.json").read_text())
    raw = pd.DataFrame({"node": ["new"], "features": ['{"w3": 2, "w7": 1, "strange": 1}']})
    assert graph_io().typed(raw, schema)["features"].tolist() == ["[[3,2.0],[7,1.0]]"]
    wide = pd.DataFrame({"w7": [1], "w3": [0]})
    assert graph_io().typed(wide, schema)["features"].tolist() == ["[7]"]


# ---------------------------------------------------------------- repairs and refusals


def test_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    table, edges = network(60)
    lonely = table.iloc[[0]].assign(node="lonely")
    table = pd.concat([table, table.iloc[[3]], lonely], ignore_index=True)
    more = pd.DataFrame([("n1", "nobody"), ("n2", "n2"), *edges.iloc[:1].itertuples(index=False)],
                        columns=edges.columns)  # fmt: skip
    data = write_pair(tmp_path, table, pd.concat([edges.drop_duplicates(), more], ignore_index=True))
    profile = acquired(Request(words="Predict the label of the nodes.", data=data), tmp_path)
    counts = {finding.kind: finding.count for finding in profile.findings}
    assert (counts["repeated_nodes"], counts["unknown_nodes"], counts["self_loops"]) == (1, 1, 1)
    assert counts["isolated_nodes"] == 1 and counts["double_edges"] >= 1
    assert profile.meta["nodes"] == 61 and profile.meta["homophily"] > 0.6


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda table, edges: (table, edges.assign(target=edges["source"])), "no edge between two"),
        (lambda table, edges: (table, edges.assign(source="x", target="y")), "No graph was found"),
        (lambda table, edges: (table.assign(label=["red"] * 59 + ["green"]), edges), "one class only"),
        (lambda table, edges: (table.assign(label=np.random.default_rng(0).normal(size=60)), edges), "too many for"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, change: Any, match: str) -> None:
    data = write_pair(tmp_path, *change(*network(60)))
    with pytest.raises(InputError, match=match):
        acquired(Request(words="Predict the label.", data=data, family=FAMILY.name, target="label"), tmp_path)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("more", "match"),
    [({"options": {"horizon": 3}}, "no option horizon"), ({"time": "x0"}, "split by time"),
     ({"options": {"split": "x0"}}, "the split, holds")],
)  # fmt: skip
def test_wishes_that_do_not_fit_a_graph_are_refused(tmp_path: Path, more: Any, match: str) -> None:
    request = Request(words="Predict the label.", data=write_pair(tmp_path, *network(60)))
    with pytest.raises(InputError, match=match):
        acquired(request, tmp_path, **more)


# ---------------------------------------------------------------- understanding


def test_two_tables_that_are_no_graph_are_left_alone(tmp_path: Path) -> None:
    customers = pd.DataFrame({"customer": range(50), "age": range(20, 70), "churn": ["yes", "no"] * 25})
    orders = pd.DataFrame({"order": range(90), "customer": [n % 50 for n in range(90)], "sum": range(90),
                           "day": ["2024-01-01"] * 90})  # fmt: skip
    customers.to_csv(tmp_path / "customers.csv", index=False)
    orders.to_csv(tmp_path / "orders.csv", index=False)
    data = (str(tmp_path / "customers.csv"), str(tmp_path / "orders.csv"))
    assert FAMILY.peek(Request(words="Who churns?", data=data)) is None
    assert FAMILY.peek(Request(words="Who churns?", data=data[:1])) is None
    assert FAMILY.peek(Request(words="Tumours.", data=(str(ROOT / "examples" / "breast_cancer.csv"),))) is None


def test_words_and_columns_are_understood_together(tmp_path: Path) -> None:
    request = Request(words="Which label has each node of this directed graph? Macro F1, please.",
                      data=write_pair(tmp_path, *network(60)))  # fmt: skip
    reading = FAMILY.interpret(request, FAMILY.peek(request))
    assert reading.confidence > 0.95 and reading.question is None
    assert (reading.target, reading.metric, reading.options) == ("label", "f1_macro", {"directed": True})


def test_without_a_column_of_labels_there_is_a_question(tmp_path: Path) -> None:
    table, edges = network(60)
    table = table.rename(columns={"label": "hue"}).assign(shape=["round", "square"] * 30)
    request = Request(words="Classify the nodes.", data=write_pair(tmp_path, table, edges))
    reading = FAMILY.interpret(request, FAMILY.peek(request))
    assert reading.question is not None and {"hue", "shape"} <= set(reading.question.choices)


# ---------------------------------------------------------------- split


def test_masks_of_the_user_are_honoured(tmp_path: Path) -> None:
    table, edges = network(120)
    parts = ["train"] * 60 + ["val"] * 20 + ["test"] * 30 + [""] * 10
    request = Request(words="Predict the label.", data=write_pair(tmp_path, table.assign(split=parts), edges))
    profile = acquired(request, tmp_path)
    folds = np.load(tmp_path / "data" / "folds.npy")
    assert (profile.rows_train, profile.rows_test, profile.folds) == (80, 30, 1)
    assert (folds == -1).sum() == 60 and (folds == 0).sum() == 20
    train, test = (pd.read_parquet(tmp_path / "data" / f"{name}.parquet")["node"] for name in ("train", "test"))
    assert set(train) == {f"n{n}" for n in range(80)} and set(test) == {f"n{n}" for n in range(80, 110)}
    assert len(FAMILY.fold(tmp_path / "data", 0, rows=0, seed=0).train) == 60
    assert len(FAMILY.fold(tmp_path / "data", 1, rows=0, seed=0).train) == 80  # what ships learns from both


def test_no_label_of_the_test_is_in_the_data_folder(folder: Path) -> None:
    assert not [path for path in folder.iterdir() if "test_target" in path.name]
    for name in ("nodes", "train", "test"):
        assert "label" not in pd.read_parquet(folder / f"{name}.parquet").columns
    with np.load(folder / "graph.npz") as arrays:
        assert "labels" not in arrays


def test_the_order_of_rows_changes_nothing_about_the_split(tmp_path: Path) -> None:
    table, edges = network(60)
    found = []
    for name, shown in (("one", table), ("two", table.sample(frac=1, random_state=1))):
        (tmp_path / name).mkdir()
        acquired(Request(words="Predict the label.", data=write_pair(tmp_path / name, shown, edges)), tmp_path / name)
        found.append(set(pd.read_parquet(tmp_path / name / "data" / "test.parquet")["node"]))
    assert found[0] == found[1]


# ---------------------------------------------------------------- models


@pytest.mark.parametrize("name", LEARNING)
def test_a_candidate_keeps_the_contract(name: str, folder: Path, tmp_path: Path) -> None:
    model, part = fitted(name, folder)
    found = model.predict(part.valid)
    truth = FAMILY.training_truth(folder)[part.valid_rows]
    assert found.shape == (len(part.valid), 3) and np.allclose(found.sum(axis=1), 1) and (found >= 0).all()
    assert (found.argmax(axis=1) == truth).mean() > 0.5
    again, _ = fitted(name, folder)
    assert np.array_equal(again.predict(part.valid), found)
    model.save(tmp_path / "model")
    assert not list((tmp_path / "model").rglob("*.pkl"))
    assert "files" not in json.loads((tmp_path / "model" / "model.json").read_text())["task"]
    loaded = type(model).load(tmp_path / "model")
    assert np.array_equal(loaded.predict(part.valid), found)
    assert np.allclose(loaded.predict(part.valid.iloc[3:4].reset_index(drop=True)), found[3:4])
    new = part.valid.assign(node=[f"new {n}" for n in range(len(part.valid))])
    near = loaded.predict(new)
    assert np.isfinite(near).all() and np.allclose(near.sum(axis=1), 1)
    assert (near.argmax(axis=1) == found.argmax(axis=1)).mean() > 0.7
    bare = new.assign(**dict.fromkeys(("x0", "x1", "x2", "x3"), np.nan), place=None)
    assert np.isfinite(loaded.predict(bare)).all()
    assert np.isfinite(loaded.predict(bare.assign(neighbours=""))).all()
    params = json.loads((tmp_path / "model" / "params.json").read_text())
    same, _ = fitted(name, folder, **params)
    assert np.array_equal(same.predict(part.valid), found)


def test_edges_help_where_neighbours_agree_and_not_where_they_do_not(tmp_path: Path) -> None:
    scores = {}
    for alike in (0.9, 0.05):
        place = tmp_path / str(alike)
        place.mkdir()
        data = write_pair(place, *network(240, alike=alike))
        acquired(Request(words="Predict the label.", data=data), place)
        for name in ("label_propagation", "features_linear"):
            model, part = fitted(name, place / "data")
            truth = FAMILY.training_truth(place / "data")[part.valid_rows]
            scores[alike, name] = (model.predict(part.valid).argmax(axis=1) == truth).mean()
    assert scores[0.9, "label_propagation"] > scores[0.9, "features_linear"]
    assert scores[0.05, "label_propagation"] < scores[0.05, "features_linear"]


@pytest.mark.parametrize("name", ["label_propagation", "sgc_linear", "sgc_lightgbm", "gcn"])
def test_a_graph_without_features(name: str, tmp_path: Path) -> None:
    table, edges = network(90)
    data = write_pair(tmp_path, table[["node", "label"]], edges)
    profile = acquired(Request(words="Predict the label.", data=data), tmp_path)
    assert profile.columns == 0 and profile.meta["features"] == 0
    model, part = fitted(name, tmp_path / "data")
    truth = FAMILY.training_truth(tmp_path / "data")[part.valid_rows]
    assert (model.predict(part.valid).argmax(axis=1) == truth).mean() > 0.5
    new = part.valid.assign(node="")
    assert (model.predict(new).argmax(axis=1) == truth).mean() > 0.5


def test_rounds_of_training_are_chosen_without_the_validation_fold_and_kept(folder: Path) -> None:
    model, part = fitted("gcn", folder, epochs=None)
    assert 20 <= model.effective["epochs"] <= 200
    hasty = type(model)(FAMILY.describe(folder, "accuracy"), {"hidden": 8, "dropout": 0.2, "weight_decay": 0.0,
                        "learning_rate": 0.03}, [], 0, time_limit=0.01)  # fmt: skip
    with pytest.raises(TimeoutError, match="epochs of training"):
        hasty.fit(part.train, part.target)


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize(
    ("given", "meant"),
    [("a;b", ["a", "b"]), ("a b a", ["a", "b"]), ('["a b", "c"]', ["a b", "c"]), ([1, 2.0], ["1", "2"]), (None, []),
     ("", []), (7, ["7"]), (float("nan"), [])],
)  # fmt: skip
def test_neighbours_are_lists_in_many_forms(given: Any, meant: list[str]) -> None:
    assert graph_io().parsed_ids(given) == meant


def test_typed_rows_stay_as_they_are(folder: Path) -> None:
    schema = json.loads((folder / "schema.json").read_text())
    frame = pd.read_parquet(folder / "train.parquet")
    once = graph_io().typed(frame, schema)
    pd.testing.assert_frame_equal(graph_io().typed(once, schema), once)


@pytest.mark.parametrize(("folds", "numbers"), [(1, [-1, 0]), (3, [0, 1, 2])])
def test_other_data_are_divided_like_the_first(folds: int, numbers: list[int]) -> None:
    target = np.arange(50) % 4
    found = graph_io().new_folds(pd.DataFrame(), target, {}, {"seed": 0, "folds": folds})
    assert sorted(set(found.tolist())) == numbers
    assert all(len(set(target[found == number].tolist())) > 1 for number in numbers)


# ---------------------------------------------------------------- the whole


@pytest.mark.slow
def test_a_graph_becomes_a_served_model(place: Path) -> None:
    table, edges = network(160)
    table.loc[::9, "label"] = None
    data = write_pair(place, table, edges)
    request = Request(words="Which label has each node? Accuracy at least 0.6.", data=data, budget=600, trials=5)
    out = build_graph().invoke({"request": request}, context=Settings(out=str(place / "out")))
    report, bundle = out["report"], Path(out["bundle"].path)
    assert report.status == "delivered", report.reason
    assert report.task["family"] == "node_classification" and report.score > 0.6
    assert out["bundle"].server.ok and out["bundle"].retrain.ok
    page = Path(report.report).read_text(encoding="utf-8")
    assert "Do neighbours agree?" in page and "Map of the test nodes" in page and "Edges of a node" in page
    predictions = pd.read_csv(place / "out" / "predictions.csv")
    assert predictions["node"].str.startswith("n").all() and len(predictions) == report.task["rows_test"]
    new = pd.DataFrame({"node": ["n1", "stranger", "hermit"], "neighbours": ["", "n0;n3;n6;nobody", ""]})
    new.to_csv(place / "new.csv", index=False)
    shutil.move(bundle, place / "bundle")
    done = subprocess.run([sys.executable, place / "bundle" / "predict.py", "new.csv"], cwd=place, capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert pd.read_csv(place / "new_predictions.csv")["prediction"].tolist()[1] == "red"
    assert "name no neighbour that the graph knows (hermit)" in done.stderr and "nobody" in done.stderr
