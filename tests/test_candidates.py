"""Every candidate file for tables, on all kinds of tasks, and the job that runs them."""

from __future__ import annotations

import ast
import json
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

import automl_agent
from automl_agent.tasks.candidate import installed, load_candidate, read_candidate
from automl_agent.tasks.family import FoldData
from automl_agent.testing import check_candidate
from conftest import ROOT

TABLES = Path(automl_agent.__file__).parent / "tasks" / "tables"
SHARED = TABLES / "shared"
FILES = sorted((TABLES / "candidates").glob("*.py"))
ALL = {path.stem: read_candidate(path, (SHARED,)) for path in FILES}
LEARNING = [name for name in ALL if name != "baseline"]
KINDS = ("binary", "multiclass", "regression")
SAFE = {".json", ".npz", ".txt", ".skops", ".cbm"}

# Small enough for a test, enough to learn from.
QUICK = {
    "lightgbm": {"learning_rate": 0.2, "num_leaves": 7},
    "lightgbm_extra": {"learning_rate": 0.3, "num_leaves": 7},
    "catboost": {"learning_rate": 0.3, "depth": 4},
    "hist_gradient_boosting": {"learning_rate": 0.3, "max_leaf_nodes": 7},
    "extra_trees": {"n_estimators": 30},
}


@dataclass(frozen=True)
class Problem:
    task: dict[str, Any]
    frame: pd.DataFrame
    target: np.ndarray
    new: pd.DataFrame
    truth: np.ndarray

    def loss(self, prediction: np.ndarray) -> float:
        if self.task["kind"] == "regression":
            return float(np.sqrt(((prediction - self.truth) ** 2).mean()))
        own = prediction[np.arange(len(self.truth)), self.truth]
        return float(-np.log(np.clip(own, 1e-6, 1)).mean())


@cache
def problem(kind: str) -> Problem:
    """A real table with strange column names, a category made of a number, and columns without any value."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

    load = {"binary": load_breast_cancer, "multiclass": load_wine, "regression": load_diabetes}[kind]
    values, target = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(target))[:300]
    values, target = values[order], target[order]
    frame = pd.DataFrame(values[:, :8].astype(np.float64), columns=[f'c{n} "x":[{{é🙂}}]' for n in range(8)])
    frame.iloc[::9, 2] = np.nan
    middle = np.median(values[:, 1])
    frame["group"] = pd.Series([None if place % 11 == 0 else f"high {place % 3}" if value > middle else "low"
                                for place, value in enumerate(values[:, 1])], dtype=object)  # fmt: skip
    frame["empty"] = np.nan
    frame["nothing"] = pd.Series([None] * len(frame), dtype=object)
    classes = [] if kind == "regression" else [f"class {code}" for code in range(target.max() + 1)]
    task = {
        "kind": "regression" if kind == "regression" else "classification",
        "classes": classes,
        "metric": "rmse" if kind == "regression" else "log_loss",
        "positive": 1 if kind == "binary" else None,
    }
    target = target.astype(np.float64 if kind == "regression" else np.int64)
    cut = len(frame) * 3 // 4
    new = frame.iloc[cut:].reset_index(drop=True)
    return Problem(task, frame.iloc[:cut], target[:cut], new, target[cut:])


def model_class(name: str) -> Any:
    if not installed(ALL[name]):
        pytest.skip(f"{name} needs {ALL[name].requires}")
    return load_candidate(ALL[name].path, (SHARED,)).Model


def fitted(
    name: str, case: Problem, steps: tuple[str, ...] = (), params: dict[str, Any] | None = None, **more: Any
) -> Any:
    model = model_class(name)(case.task, {**QUICK.get(name, {}), **(params or {})}, list(steps), 0, **more)
    model.fit(case.frame, case.target)
    return model


# ---------------------------------------------------------------- the contract


@pytest.mark.parametrize("name", ALL)
def test_description(name: str) -> None:
    candidate = ALL[name]
    assert candidate.title
    assert name.split("_")[0] in " ".join(candidate.tags).replace("-", " ").replace(" ", "") + " ".join(candidate.tags)
    assert name == "baseline" or 2 <= len(candidate.portfolio) <= 4
    assert all(path.exists() for path in candidate.shared)
    for params in candidate.portfolio:
        for key, value in params.items():
            space = candidate.space.get(key)
            assert space is None or "choices" in space or space["low"] <= value <= space["high"], (key, value)


@pytest.mark.parametrize("name", ALL)
def test_a_candidate_and_what_it_imports_can_do_without_the_library(name: str) -> None:
    for path in (ALL[name].path, *ALL[name].shared):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        imported = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        imported |= {str(node.module).split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
        assert "automl_agent" not in imported


def test_what_a_candidate_imports_travels_with_it_and_so_does_what_that_imports(tmp_path: Path) -> None:
    own, other, mine = tmp_path / "own", tmp_path / "other", tmp_path / "mine"
    for folder in (own, other, mine):
        folder.mkdir()
    for folder in (own, other):
        (folder / "first.py").write_text("def work():\n    from second import more")
    (own / "unused.py").write_text("")
    (other / "second.py").write_text("import first, json\nimport nowhere.there\nfrom . import unused")
    (mine / "beside.py").write_text("")
    path, source = mine / "wrapped.py", "TITLE = 'x'\nTAGS = ()\nPORTFOLIO = []\nSPACE = {}\nclass Model: ...\n"
    path.write_text(source + "import wrapped, beside, first")
    assert read_candidate(path, (own, other)).shared == (other / "second.py", own / "first.py")
    path.write_text(source + "GENERATED = True\nimport beside, first")
    generated = read_candidate(path, (own, other))
    assert generated.modules == (mine / "beside.py",)
    assert {*generated.shared} == {mine / "beside.py", own / "first.py", other / "second.py"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_fit_predict_save_load(name: str, kind: str, tmp_path: Path) -> None:
    case = problem(kind)
    model = fitted(name, case)
    prediction = model.predict(case.new)

    shape = (len(case.new), len(case.task["classes"])) if kind != "regression" else (len(case.new),)
    assert prediction.shape == shape
    assert prediction.dtype == np.float64
    assert np.isfinite(prediction).all()
    if kind != "regression":
        np.testing.assert_allclose(prediction.sum(axis=1), 1)
        assert prediction.min() >= 0
    if name != "baseline":
        assert case.loss(prediction) < 0.9 * case.loss(fitted("baseline", case).predict(case.new))

    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*")} <= SAFE
    loaded = type(model).load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(case.new), prediction)
    single = np.concatenate([loaded.predict(case.new.iloc[place : place + 1]) for place in range(12)])
    np.testing.assert_allclose(single, prediction[:12], rtol=1e-9, atol=1e-9)

    strange = case.new.iloc[:5].copy()
    strange["group"] = pd.Series(["never seen"] * 5, dtype=object)
    lacking = case.new.iloc[:5].drop(columns=[case.new.columns[0], "group"])
    for rows in (strange, lacking):
        assert np.isfinite(loaded.predict(rows)).all()
    assert len(loaded.predict(case.new.iloc[:0])) == 0


@pytest.mark.parametrize("name", LEARNING)
def test_same_seed_same_model(name: str) -> None:
    case = problem("regression")
    first, second = (fitted(name, case).predict(case.new) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", LEARNING)
def test_parameters_in_effect_give_the_same_model_without_a_time_limit(name: str, tmp_path: Path) -> None:
    case = problem("binary")
    model = fitted(name, case, time_limit=60.0)
    model.save(tmp_path)
    params = json.loads((tmp_path / "params.json").read_text())
    again = type(model)(case.task, params, [], 0)
    again.fit(case.frame, case.target)
    np.testing.assert_array_equal(again.predict(case.new), model.predict(case.new))


@pytest.mark.parametrize("kind", KINDS)
def test_histogram_boosting_answers_few_rows_as_it_does_many(kind: str) -> None:
    """Few rows are answered by our own arrays, many by scikit-learn."""
    case = problem(kind)
    model = fitted("hist_gradient_boosting", case)
    many = pd.concat([case.new] * (64 // len(case.new) + 1), ignore_index=True)
    together = model.predict(many)
    assert model.trees is None and len(many) > 64
    alone = np.concatenate([model.predict(many[row : row + 1]) for row in range(30)])
    assert model.trees is not None
    np.testing.assert_allclose(alone, together[:30], rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in LEARNING if ALL[name].settles])
def test_what_a_fit_settles_gives_its_model_at_once(name: str, kind: str) -> None:
    """On few rows, a fit ends with all of them and what it found out: so does one that is told."""
    case = problem(kind)
    model = fitted(name, case, time_limit=60.0)
    assert model.settled["rounds"] >= 1
    params = {**QUICK.get(name, {}), **model.settled}
    again = type(model)(case.task, params, [], 0).fit(case.frame, case.target)
    np.testing.assert_array_equal(again.predict(case.new), model.predict(case.new))


@pytest.mark.parametrize("name", ["lightgbm", "lightgbm_extra", "catboost", "hist_gradient_boosting", "extra_trees"])
def test_what_cannot_fit_into_the_time_is_not_begun(name: str) -> None:
    with pytest.raises(TimeoutError, match=r"needs about .* are left"):
        fitted(name, problem("binary"), time_limit=1e-6)


@pytest.mark.parametrize("kept", [[0, 2], [1]], ids=["two of three", "one of three"])
@pytest.mark.parametrize("name", ALL)
def test_classes_that_the_training_rows_lack(name: str, kept: list[int], tmp_path: Path) -> None:
    whole = problem("multiclass")
    rows = np.isin(whole.target, kept)
    case = Problem(whole.task, whole.frame[rows].reset_index(drop=True), whole.target[rows], whole.new, whole.truth)
    model = fitted(name, case)
    prediction = model.predict(case.new)
    assert prediction.shape == (len(case.new), 3)
    np.testing.assert_allclose(prediction.sum(axis=1), 1)
    assert np.all(prediction[:, [code for code in range(3) if code not in kept]] == 0)
    model.save(tmp_path)
    np.testing.assert_array_equal(type(model).load(tmp_path).predict(case.new), prediction)


@pytest.mark.parametrize("name", LEARNING)
def test_few_rows_and_a_class_of_one_row(name: str) -> None:
    frame = pd.DataFrame({"x": np.arange(12.0), "y": np.arange(12.0)[::-1] ** 2})
    target = np.array([0] * 6 + [1] * 5 + [2])
    task = {"kind": "classification", "classes": ["a", "b", "c"], "metric": "accuracy", "positive": None}
    case = Problem(task, frame, target, frame, target)
    assert np.isfinite(fitted(name, case, ("balance",)).predict(frame)).all()


@pytest.mark.parametrize("metric", ["mae", "rmsle", "mape", "poisson_deviance"])
@pytest.mark.parametrize("name", LEARNING)
def test_regression_metrics_on_a_skewed_target(name: str, metric: str) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["x", "y"])
    target = np.exp(frame["x"].to_numpy() * 1.5 + 3)
    task = {"kind": "regression", "classes": [], "metric": metric, "positive": None}
    case = Problem(task, frame, target, frame, target)
    for steps in ((), ("log_target",)):
        prediction = fitted(name, case, steps).predict(frame)
        assert np.corrcoef(prediction, target)[0, 1] > 0.5
        assert metric in ("mae", "mape") or prediction.min() >= 0


@pytest.mark.parametrize("name", ["linear", "lightgbm", "catboost", "hist_gradient_boosting", "extra_trees"])
def test_balance_raises_the_rare_class(name: str) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=400)})
    target = (rng.random(400) < 0.1).astype(np.int64)
    task = {"kind": "classification", "classes": ["no", "yes"], "metric": "balanced_accuracy", "positive": 1}
    case = Problem(task, frame, target, frame, target)
    leaf = {"min_samples_leaf": 20} if name == "extra_trees" else {}  # pure leaves have nothing to weigh
    plain, balanced = (fitted(name, case, steps, leaf).predict(frame)[:, 1].mean() for steps in ((), ("balance",)))
    assert balanced > plain + 0.1


@pytest.mark.parametrize(
    ("metric", "expected"), [("rmse", 26.5), ("mae", 2.5), ("max_error", 50.5), ("rmsle", 6.0), ("mape", 1.0)]
)
def test_baseline_answers_what_the_metric_wants(metric: str, expected: float) -> None:
    task = {"kind": "regression", "classes": [], "metric": metric, "positive": None}
    frame = pd.DataFrame({"x": np.zeros(4)})
    target = np.array([1.0, 2.0, 3.0, 100.0])
    answer = fitted("baseline", Problem(task, frame, target, frame, target)).predict(frame)
    assert answer == pytest.approx([expected] * 4, rel=0.2)


def test_nothing_that_a_skops_file_names_is_trusted(tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io")
    model = fitted("hist_gradient_boosting", problem("regression"))
    model.save(tmp_path)
    skops.dump({"model": Path("/etc"), "sparse": np.zeros(0)}, tmp_path / "model.skops")
    with pytest.raises(Exception, match="Untrusted"):
        type(model).load(tmp_path)


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_boosted_trees_are_stored_as_arrays_however_many(kind: str, tmp_path: Path) -> None:
    """As objects, each would take a millisecond whenever a bundle is loaded."""
    case, members = problem(kind), {}
    for rounds in (3, 60):
        model = fitted("hist_gradient_boosting", case, params={"rounds": rounds, "max_leaf_nodes": 3})
        model.save(tmp_path / str(rounds))
        with zipfile.ZipFile(tmp_path / str(rounds) / "model.skops") as file:
            members[rounds] = len(file.namelist())
        again = type(model).load(tmp_path / str(rounds))
        many = pd.concat([case.new] * 5)  # few rows are answered in another way
        assert (again.predict(many) == model.predict(many)).all()
    assert members[3] == members[60]


def test_extra_trees_agree_with_scikit_learn() -> None:
    from sklearn.ensemble import ExtraTreesRegressor

    load_candidate(ALL["extra_trees"].path, (SHARED,))
    from flat_forest import flatten, follow

    rng = np.random.default_rng(0)
    rows, target = rng.normal(size=(200, 4)).astype(np.float32), rng.normal(size=200)
    forest = ExtraTreesRegressor(20, random_state=0).fit(rows, target)
    new = rng.normal(size=(50, 4)).astype(np.float32)
    np.testing.assert_allclose(follow(flatten(forest.estimators_, False), new)[:, 0], forest.predict(new), rtol=1e-5)


# ---------------------------------------------------------------- the job


class TinyFamily:
    """Just enough of a family for a fold: the rows lie in memory."""

    name = "tiny"
    shared = (SHARED,)

    def describe(self, _folder: Path, metric: str) -> dict[str, Any]:
        return {"kind": "classification", "classes": ["class 0", "class 1"], "metric": metric, "positive": 1}

    def fold(self, _folder: Path, index: int, *, rows: int, **_: Any) -> FoldData:
        case = problem("binary")
        valid = np.arange(index, len(case.frame), 3)
        train = np.setdiff1d(np.arange(len(case.frame)), valid)[: rows or None]
        take = [case.frame.iloc[places].reset_index(drop=True) for places in (train, valid)]
        return FoldData(take[0], case.target[train], take[1], valid)


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    from automl_agent.tasks import jobs

    monkeypatch.setattr(jobs, "get_family", lambda _: TinyFamily())
    return {
        "family": "tiny", "data": str(tmp_path), "candidate": str(ALL["linear"].path),
        "params": {"strength": 2.0}, "steps": ["splines"], "metric": "roc_auc", "fold": 1, "rows": 0, "seed": 0,
        "out": str(tmp_path / "trials" / "key"), "time_limit": 30.0,
    }  # fmt: skip


def test_fit_fold_writes_what_the_contract_says(arguments: dict[str, Any]) -> None:
    from automl_agent.tasks.jobs import fit_fold

    result = json.loads(json.dumps(fit_fold(**arguments)))
    out = Path(arguments["out"])
    assert {path.name for path in out.iterdir()} == {"oof.npy", "valid.npy", "model", "result.json"}
    valid, oof = np.load(out / "valid.npy"), np.load(out / "oof.npy")
    assert valid.tolist() == list(range(1, 225, 3))
    assert oof.shape == (75, 2)
    truth = problem("binary").target[valid]
    assert ((oof[:, 1] > 0.5) == truth).mean() > 0.85
    assert result["rows"] == 75
    assert result["train_rows"] == 150
    assert result["params"]["strength"] == 2.0
    for name in ("fit_seconds", "predict_seconds", "latency_ms", "size_mb", "memory_mb"):
        assert result[name] > 0
    assert [path.name for path in out.parent.iterdir()] == ["key"]


def test_fit_fold_does_not_repeat_itself(arguments: dict[str, Any]) -> None:
    from automl_agent.tasks.jobs import fit_fold

    out = Path(arguments["out"])
    first = fit_fold(**arguments)
    stamp = (out / "oof.npy").stat().st_mtime_ns
    assert fit_fold(**arguments) == first
    assert (out / "oof.npy").stat().st_mtime_ns == stamp
    fit_fold(**arguments, anew=True)
    assert (out / "oof.npy").stat().st_mtime_ns != stamp
    stamp = (out / "oof.npy").stat().st_mtime_ns
    fit_fold(**{**arguments, "params": {"strength": 500.0}})  # another call: what is there is replaced
    assert (out / "oof.npy").stat().st_mtime_ns != stamp


def test_fit_fold_keeps_what_another_process_finished_meanwhile(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs on the same data train the same folds, and the first one may be reading what it wrote."""
    from automl_agent.tasks import jobs

    fit, others = jobs._fit_here, []

    def overtaken(*given: Any) -> dict[str, Any]:
        monkeypatch.setattr(jobs, "_fit_here", fit)
        others.append(jobs.fit_fold(**arguments))
        return fit(*given)

    monkeypatch.setattr(jobs, "_fit_here", overtaken)
    result, out = jobs.fit_fold(**arguments), Path(arguments["out"])
    assert [result] == others, "what is remembered is what lies there"
    assert [path.name for path in out.parent.iterdir()] == ["key"]


def test_fit_fold_leaves_nothing_half_written(arguments: dict[str, Any], tmp_path: Path) -> None:
    from automl_agent.tasks.jobs import fit_fold

    source = (
        ALL["baseline"].path.read_text().replace("return np.tile(self.answer, (len(frame), 1))", "return np.ones(3)")
    )
    bad = tmp_path / "wrong_shape.py"
    bad.write_text(source)
    with pytest.raises(ValueError, match="shape"):
        fit_fold(**{**arguments, "candidate": str(bad)})
    assert list(Path(arguments["out"]).parent.iterdir()) == []


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_library_is_wrapped_in_a_few_lines(kind: Literal["classification", "regression"]) -> None:
    check_candidate(ROOT / "examples" / "candidates" / "xgboost_trees.py", kind)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_model_that_learns_in_context_is_wrapped_in_a_few_lines(
    kind: Literal["classification", "regression"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in of TabPFN's interface: neighbours, which remember their rows, too."""
    wrapped = "class {0}(neighbors.{1}):\n    def __init__(self, *, random_state=0):\n        super().__init__()\n"
    wrapped += "        self.random_state = random_state\n"
    names = (("TabPFNClassifier", "KNeighborsClassifier"), ("TabPFNRegressor", "KNeighborsRegressor"))
    source = "from sklearn import neighbors\n" + "".join(wrapped.format(*pair) for pair in names)
    (tmp_path / "tabpfn.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    check_candidate(ROOT / "examples" / "candidates" / "tabpfn_rows.py", kind)


@pytest.mark.parametrize("name", ["xgboost_trees", "tabpfn_rows"])
def test_the_document_shows_the_plug_in_that_is_tested(name: str) -> None:
    source = (ROOT / "examples" / "candidates" / f"{name}.py").read_text()
    assert "```py\n" + source.partition("\n\n")[2] + "```" in (ROOT / "docs" / "extend.md").read_text()
