"""Rows that count differently: scores, fits and all that ships use what a column says of each row."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import Ridge

import test_metrics
from automl_agent import Settings, build_graph
from automl_agent.agents.understanding.prompt import understand
from automl_agent.errors import InputError
from automl_agent.nodes.acquire_data import acquire_data
from automl_agent.records import Request, TaskSpec
from automl_agent.tasks import fitting
from automl_agent.tasks.candidate import load_candidate, load_shared
from automl_agent.tasks.metrics import CLASSIFICATION, REGRESSION, best_threshold, require_weighable, score
from automl_agent.tasks.registry import families, get_family
from automl_agent.tasks.tables import dataset
from table_cases import acquired, schema, shop

VALUES = get_family("tabular_regression")
CLASSES = get_family("tabular_classification")
SHARED = VALUES.shared
QUICK = {
    "lightgbm": {"n_estimators": 40}, "lightgbm_extra": {"n_estimators": 40}, "catboost": {"iterations": 40},
    "hist_gradient_boosting": {"max_iter": 40}, "extra_trees": {"n_estimators": 40},
}  # fmt: skip


# ---------------------------------------------------------------- metrics


class Weighted:
    """scikit-learn's metrics with `sample_weight` filled in."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    def __getattr__(self, name: str) -> Any:
        return partial(getattr(sk, name), sample_weight=self.weights)


@pytest.mark.parametrize("metric", sorted(CLASSIFICATION))
@pytest.mark.parametrize("classes", [2, 4])
def test_weighted_metrics_of_classes_agree_with_scikit_learn(metric, classes, monkeypatch):
    rng = np.random.default_rng(1)
    truth, prediction = rng.integers(0, classes, 300), test_metrics._probabilities(rng, 300, classes)
    weights = rng.gamma(1.0, 2.0, 300) + 0.01
    answers = test_metrics._labels(prediction, 1)
    monkeypatch.setattr(test_metrics, "sk", Weighted(weights))
    expected = (test_metrics.BINARY if classes == 2 else test_metrics.MULTI)[metric](truth, answers, prediction, 1)
    assert score(metric, truth, prediction, weights=weights) == pytest.approx(expected)


@pytest.mark.parametrize("metric", sorted(set(REGRESSION) - {"smape", "max_error"}))
def test_weighted_metrics_of_values_agree_with_scikit_learn(metric, monkeypatch):
    rng = np.random.default_rng(2)
    truth = rng.gamma(2.0, 3.0, 250)
    prediction, weights = truth + rng.normal(0, 2, 250), rng.gamma(1.0, 2.0, 250) + 0.01
    known = test_metrics.VALUES[metric]
    monkeypatch.setattr(test_metrics, "sk", Weighted(weights))
    expected = (
        known(truth, prediction) if known.__name__ == "<lambda>" else known(truth, prediction, sample_weight=weights)
    )
    assert score(metric, truth, prediction, weights=weights) == pytest.approx(expected)


@pytest.mark.parametrize("metric", [*CLASSIFICATION, *sorted(set(REGRESSION) - {"max_error"}), "cost(5:1)"])
def test_a_row_of_weight_three_is_three_rows(metric):
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 4, 200)
    if metric in REGRESSION:
        truth = rng.gamma(2.0, 3.0, 200)
        prediction = truth + rng.normal(0, 2, 200)
    else:
        truth, prediction = rng.integers(0, 2, 200), test_metrics._probabilities(rng, 200, 2)
    repeated = np.repeat(np.arange(200), counts)
    whole = score(metric, truth[repeated], prediction[repeated])
    assert score(metric, truth, prediction, weights=counts.astype(float)) == pytest.approx(whole)
    assert score(metric, truth, prediction, weights=counts * 1e-3) == pytest.approx(whole)
    assert best_threshold(metric, truth, prediction, weights=counts.astype(float)) == pytest.approx(
        best_threshold(metric, truth[repeated], prediction[repeated])
    )


@pytest.mark.parametrize("metric", ["max_error", "precision@10", "recall@5%"])
def test_metrics_without_a_weighted_form_are_refused(metric):
    with pytest.raises(InputError, match=f"{metric}' has no form in which rows count differently"):
        require_weighable(metric)
    prediction = np.zeros(3) if metric in REGRESSION else np.full((3, 2), 0.5)
    with pytest.raises(InputError, match="no form in which rows count differently"):
        score(metric, np.array([0, 1, 1]), prediction, weights=np.ones(3))
    stage = SimpleNamespace()  # refused before anything is read
    task = TaskSpec(words="", family="tabular_regression", target="y", weight="w", metric=metric)
    with pytest.raises(InputError, match=r"--weight.*Use one of"):
        acquire_data({"task": task}, stage)


def test_a_family_scores_with_the_weights_beside_the_targets():
    rng = np.random.default_rng(4)
    truth, prediction = rng.integers(0, 2, 200), test_metrics._probabilities(rng, 200, 2)
    weights = rng.random(200) + 0.1
    both = np.stack([truth, weights], axis=1)
    assert CLASSES.score("f1", both, prediction, positive=1) == score("f1", truth, prediction, weights=weights)
    assert CLASSES.threshold("f1", both, prediction) == best_threshold("f1", truth, prediction, weights=weights)
    values, spread = rng.normal(size=200), rng.normal(size=200)
    both = np.stack([values, weights], axis=1)
    assert VALUES.score("mae", both, spread) == score("mae", values, spread, weights=weights)
    half = VALUES.spread(Path(), np.arange(200), both, spread)
    assert np.average(np.abs(values - spread) <= half, weights=weights) == pytest.approx(0.9, abs=0.01)


# ---------------------------------------------------------------- data


def weighed(rows: int = 120) -> pd.DataFrame:
    return shop(rows).assign(w=np.random.default_rng(5).choice([0, 0.5, 1, 4], rows))


def test_the_weight_is_no_feature_and_rows_of_weight_zero_are_left_out(tmp_path):
    frame = weighed()
    profile, folder, private = acquired(tmp_path, frame, weight="W")
    assert [column["name"] for column in schema(folder)["columns"]] == ["age", "income", "city"]
    assert schema(folder)["weight"] == "w"
    assert {"name": "w", "reason": "weight"} in schema(folder)["dropped"]
    assert profile.rows_train + profile.rows_test == (frame["w"] > 0).sum()
    rows, test_rows = (np.load(folder / f"{name}.npy") for name in ("rows", "test_rows"))
    truth = dataset.training_truth(folder)
    assert truth[:, 1].tolist() == frame["w"].iloc[rows].tolist()
    assert truth[:, 0].astype(int).tolist() == (frame["churn"] == "yes").iloc[rows].astype(int).tolist()
    assert dataset.test_truth(private)[:, 1].tolist() == frame["w"].iloc[test_rows].tolist()
    assert not (folder / "test_weight.npy").exists()
    fold = dataset.load_fold(folder, 0, rows=30)
    assert fold.weight is not None
    assert len(fold.weight) == len(fold.target) == 30
    texts = {finding.kind: finding.text for finding in profile.findings}
    assert f"{(frame['w'] == 0).sum()} rows have the weight 0" in texts["zero_weight"]
    assert "by 'w', from 0.5 to 4" in texts["weight"]
    other = frame.assign(w=frame["w"].where(frame.index != rows[0], 2.0))
    assert acquired(tmp_path, other, weight="w")[0].fingerprint != profile.fingerprint


def test_weights_come_from_a_test_of_ones_own_too(tmp_path):
    test = weighed(40)
    _, _, private = acquired(tmp_path, weighed(), test=test, weight="w")
    assert dataset.test_truth(private)[:, 1].tolist() == test["w"][test["w"] > 0].tolist()
    with pytest.raises(InputError, match=r"no column 'w' \(the weight, in the test data 'test\.csv'\)"):
        acquired(tmp_path, weighed(), test=test.drop(columns="w"), weight="w")


def test_rows_without_a_target_need_no_weight(tmp_path):
    frame = weighed()
    frame.loc[:4, ["churn", "w"]] = None
    assert acquired(tmp_path, frame, weight="w")[0].rows_train


BAD = {
    "missing": (None, "missing in 2 of"),
    "words": ("much", r"no number in 2 of \d+ rows \(such as 'much'\)"),
    "negative": (-1, "negative in 2 of"),
    "infinite": ("inf", "infinite or too large in 2 of"),
}


@pytest.mark.parametrize("case", BAD)
def test_weights_that_are_none_are_refused_with_their_column_and_number(tmp_path, case):
    value, text = BAD[case]
    frame = weighed().astype({"w": object})
    frame.loc[[3, 7], "w"] = value
    with pytest.raises(InputError, match=rf"In 'table\.csv' the weight 'w' is {text}.*0 leaves a row out"):
        acquired(tmp_path, frame, weight="w")


def test_impossible_weights_are_refused(tmp_path):
    with pytest.raises(InputError, match="'w', the weight, is 0 in all rows"):
        acquired(tmp_path, weighed().assign(w=0), weight="w")
    with pytest.raises(InputError, match="both the target and the weight"):
        acquired(tmp_path, weighed(), weight="churn")
    with pytest.raises(InputError, match=r"no column 'v' \(the weight\)"):
        acquired(tmp_path, weighed(), weight="v")


# ---------------------------------------------------------------- fits


@pytest.mark.parametrize("family", [VALUES, CLASSES], ids=lambda family: family.kind)
@pytest.mark.parametrize("name", VALUES.candidates())
def test_every_candidate_follows_the_rows_that_count(family, name):
    """Two laws in one table that contradict each other: the one whose rows count more is learned."""
    rng = np.random.default_rng(6)
    x = rng.choice([-1.5, 1.5], 240)  # equal rows of both laws: no tree can tell them apart
    heavy = np.arange(240) % 2 == 0
    values = np.where(heavy, 1.0, -1.0) * (2.0 if name == "baseline" else np.sign(x))
    weight = np.where(heavy, 1.0, 0.05)
    frame, new = pd.DataFrame({"x": x}), pd.DataFrame({"x": [-1.5, 1.5]})
    classifies = family is CLASSES
    task = {"kind": family.kind, "classes": ["no", "yes"] if classifies else [], "positive": 1,
            "metric": "log_loss" if classifies else "rmse"}  # fmt: skip
    target = (values > 0).astype(np.int64) if classifies else values
    model = load_candidate(family.candidates()[name].path, SHARED).Model(task, QUICK.get(name, {}), [], 0)
    answer = model.fit(frame, target, weight).predict(new)
    chance = answer[:, 1] - 0.5 if classifies else answer
    assert chance[1] > 0.2
    assert name == "baseline" or chance[0] < -0.2


def test_the_linear_model_is_weighted_ridge():
    rng = np.random.default_rng(7)
    matrix, weight = rng.normal(size=(60, 3)), rng.gamma(1.0, 1.0, 60) + 0.01
    target = matrix @ [1.0, -2.0, 0.5] + rng.normal(size=60)
    model = load_candidate(VALUES.candidates()["linear"].path, SHARED).Model({"kind": "regression"}, {}, [], 0)
    model.learn(matrix, target, weight)
    known = Ridge(alpha=1.0).fit(matrix, target, sample_weight=weight)
    assert model.slopes[:, 0] == pytest.approx(known.coef_)
    assert model.offsets[0] == pytest.approx(known.intercept_)


def test_balanced_classes_keep_the_weights_within_each_class():
    targets = load_shared(SHARED[0] / "table_targets.py", SHARED)
    weights = targets.class_weights(np.array([0, 0, 0, 1]), np.array([1.0, 2.0, 1.0, 0.5]))
    assert weights == pytest.approx([0.5, 1.0, 0.5, 2.0])


def test_the_baseline_is_the_best_constant_of_the_weighted_metric():
    values, weight = np.array([1.0, 2.0, 4.0, 9.0]), np.array([1.0, 5.0, 1.0, 2.0])
    module = load_candidate(VALUES.candidates()["baseline"].path, SHARED)
    for metric in ("rmse", "mae", "mape", "rmsle", "median_ae"):
        own = module.best_constant(values, metric, weight)
        others = [score(metric, values, np.full(4, c), weights=weight) for c in np.linspace(1, 9, 81)]
        assert metric == "median_ae" or score(metric, values, np.full(4, own), weights=weight) <= min(others) + 1e-9


def test_a_candidate_that_cannot_weight_rows_says_so(tmp_path):
    class Model:
        def fit(self, frame, target): ...

    nothing = np.zeros(3)
    with pytest.raises(TypeError, match=r"rows are weighted, and this candidate has no fit\(frame, target, weight\)"):
        fitting.fit_and_measure(Model, {}, pd.DataFrame(), nothing, pd.DataFrame(), tmp_path / "m", nothing)


def test_code_of_a_language_model_gets_rows_drawn_by_their_weights():
    calls = load_shared(SHARED[0] / "module_calls.py", SHARED)
    frame, target = pd.DataFrame({"row": np.arange(1000)}), np.arange(1000) % 2
    weight = np.where(np.arange(1000) < 500, 9.0, 1.0)
    rows, codes = calls.drawn(frame, target, weight, 0)
    assert len(rows) == 1000
    assert (rows["row"] % 2 == codes).all()
    assert 0.87 < (rows["row"] < 500).mean() < 0.93
    assert calls.drawn(frame, target, None, 0)[0] is frame


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    "words",
    ["Predict income, weight the rows by w", "Predict income. The weights are in the column w.",
     "Predict income; each row counts `w` times", "Predict income weighted by w", "Predict income, use w as weights",
     "Predict income by MAE. w holds the survey weights.", "Sample weights: w. Predict income",
     "Sage income vorher, gewichtet nach w"],
)  # fmt: skip
def test_words_that_weight_rows(tmp_path, words):
    weighed().to_csv(tmp_path / "t.csv", index=False)
    task = understand(Request(words=words, data=(str(tmp_path / "t.csv"),)), families())
    assert isinstance(task, TaskSpec)
    assert (task.target, task.weight) == ("income", "w")
    assert "weight the rows by 'w'" in next(each.reason for each in task.inferences if each.field == "weight")


@pytest.mark.parametrize(
    "words",
    ["Predict weight from age", "Predict the sample weight from age", "Predict weights from age and city",
     "Predict weights by city", "Predict the weight by city", "Predict churn with F1 weighted by city",
     "Predict weight, group by city", "Predict weight. Each row is a customer of a city."],
)  # fmt: skip
def test_words_that_only_speak_of_a_weight(tmp_path, words):
    weighed().rename(columns={"income": "weight"}).to_csv(tmp_path / "t.csv", index=False)
    task = understand(Request(words=words, data=(str(tmp_path / "t.csv"),)), families())
    assert isinstance(task, TaskSpec)
    assert (task.target, task.weight) == ("churn" if "churn" in words else "weight", None)


def test_other_families_refuse_weights_and_name_those_that_can(tmp_path):
    weighed().to_csv(tmp_path / "t.csv", index=False)
    request = Request(words="Find groups of similar rows", data=(str(tmp_path / "t.csv"),), weight="w")
    with pytest.raises(InputError, match=r"cannot be weighted \(here by 'w'\) in clustering\. Families that can: tab"):
        understand(request, families())
    assert [name for name, family in families().items() if family.weighs] == [CLASSES.name, VALUES.name]


# ---------------------------------------------------------------- a whole run


def test_a_run_from_the_words_to_a_bundle_that_trains_again(tmp_path):
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.normal(size=150), "city": rng.choice(["Bern", "Oslo"], 150)})
    frame["y"] = np.where(frame["x"] + rng.normal(size=150) > 0, "yes", "no")
    frame["w"] = rng.choice([0, 1, 7], 150)
    data, out = tmp_path / "t.csv", tmp_path / "out"
    frame.to_csv(data, index=False)
    settings = Settings(budget=300, trials=2, plans=1, cpus=1, home=str(tmp_path / "home"), out=str(out))
    request = Request(words="Predict y by F1 with a linear model only, weighted by w", data=(str(data),))
    report = build_graph().invoke({"request": request}, context=settings)["report"]
    assert report.status == "delivered", report.reason
    assert report.task["weight"] == "w"
    told = pd.read_csv(out / "predictions.csv")
    yes = (told["truth"] == "yes", told["prediction"] == "yes")
    expected = sk.f1_score(*yes, sample_weight=frame["w"].iloc[told["row"]])
    assert report.score == pytest.approx(expected)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Rows are weighted by" in page
    assert "count each row as" in page
    bundle = out / "bundle"
    assert "Weights: each row counts as `w` says" in (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert json.loads((bundle / "schema.json").read_text())["weight"] == "w"

    def program(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(bundle / name), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    lacking = tmp_path / "lacking.csv"
    frame.drop(columns="w").to_csv(lacking, index=False)
    assert program("predict.py", lacking).returncode == 0
    refused = program("train.py", "--data", lacking)
    assert refused.returncode == 2
    assert "has no column 'w', the weight of each row" in refused.stderr
    again = program("train.py", "--data", data, "--out", "again")
    stored = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again.returncode == 0, again.stderr
    assert stored["rows"] == report.task["rows_train"]
