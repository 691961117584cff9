"""The bundle as files: what is in it, what it refuses to load, how it predicts, and how it gets to its place."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from automl_agent.delivery import jobs
from automl_agent.delivery import publish as publishing
from automl_agent.delivery.bundle import finalise, publish, write_bundle
from automl_agent.errors import InputError
from automl_agent.records import ConstraintCheck, Grade, ServerCheck, Solution, Verdict
from automl_agent.tasks import metrics
from automl_agent.tasks.tables import dataset
from tiny_bundle import ROWS, make_bundle, make_content


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("classes")
    make_bundle(root)
    return root


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("values")
    make_bundle(root, "regression")
    return root


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """A bundle that a test may spoil."""
    return Path(shutil.copytree(home / "bundle", tmp_path / "bundle"))


def test_layout_and_pinned_requirements(home: Path) -> None:
    bundle = home / "bundle"
    for name in (
        *("train.py", "predict.py", "serve.py", "ensemble.py", "tiny_prepare.py", "candidates/tiny.py"),
        *("table_io.py", "table_files.py", "delimited_text.py", "column_names.py", "table_values.py"),
        *("schema.json", "metrics.json", "Dockerfile", "MODEL_CARD.md", "golden.json", "oof/m0.npy"),
    ):
        assert (bundle / name).is_file(), name
    required = dict(line.split("==") for line in (bundle / "requirements.txt").read_text().split())
    assert required["pandas"] == pd.__version__
    assert "lightgbm" not in required, "no member needs it"
    assert "automl-agent" not in required
    assert "USER 65534" in (bundle / "Dockerfile").read_text()
    assert not list(bundle.rglob("*.pkl")) + list(bundle.rglob("__pycache__"))
    assert "automl_agent" not in "".join(
        line for path in bundle.rglob("*.py") for line in path.read_text().splitlines() if "import" in line
    )


def test_model_files_are_linked_to_the_trial(home: Path) -> None:
    one = home / "bundle" / "model" / "m0" / "fold1" / "tiny.json"
    assert one.stat().st_ino == (home / "trials" / "0" / "fold1" / "model" / "tiny.json").stat().st_ino


@pytest.mark.parametrize("name", ["model/m1/fold2/tiny.json", "candidates/tiny.py", "schema.json"])
def test_changed_file_is_refused_before_it_is_parsed(copy: Path, name: str) -> None:
    (copy / name).unlink()
    (copy / name).write_text("raise SystemExit('this ran')")
    with jobs.runtime(copy, "ensemble") as (ensemble,):
        with pytest.raises(ensemble.DamagedBundle, match=name):
            ensemble.Ensemble.load(copy)
        (copy / name).unlink()
        with pytest.raises(ensemble.DamagedBundle, match="missing"):
            ensemble.Ensemble.load(copy)


def test_known_rows_are_compared(copy: Path) -> None:
    golden = json.loads((copy / "golden.json").read_text())
    assert len(golden["rows"]) == 50
    golden["scores"][3][0] += 1e-4
    (copy / "golden.json").write_text(json.dumps(golden))
    with jobs.runtime(copy, "ensemble") as (ensemble,):
        model = ensemble.Ensemble.load(copy, check=False)
        with pytest.raises(ensemble.DamagedBundle, match="predicted differently"):
            model.check_golden()


def test_members_are_weighted_and_folds_averaged(home: Path) -> None:
    data = home / "data"
    with jobs.loaded(home / "bundle") as model:
        frame = model.typed(pd.read_parquet(data / "train.parquet"))
        each = [np.mean([fold.predict(frame) for fold in folds.values()], axis=0) for folds in model.models]
        scores = model.predict_scores(frame)
        np.testing.assert_allclose(scores, 0.75 * each[0] + 0.25 * each[1])
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        folds = np.load(data / "folds.npy")
        out_of_fold = 0.75 * np.load(home / "bundle/oof/m0.npy") + 0.25 * np.load(home / "bundle/oof/m1.npy")
        np.testing.assert_allclose(model.predict_scores(frame, fold=1)[folds == 1], out_of_fold[folds == 1])
        assert set(model.predict(frame)) == {"benign", "malignant"}


def test_the_temperature_is_that_of_the_blend(home: Path) -> None:
    with jobs.loaded(home / "bundle") as model:
        frame = model.typed(pd.read_parquet(home / "data" / "train.parquet"))
        before = model.predict_scores(frame)
        model.solution["temperature"] = 0.5
        squares = before**2
        np.testing.assert_allclose(model.predict_scores(frame), squares / squares.sum(axis=1, keepdims=True))
        del model.solution["temperature"]  # a bundle of an earlier version
        np.testing.assert_array_equal(model.predict_scores(frame), before)


def test_threshold_decides_labels(home: Path) -> None:
    with jobs.loaded(home / "bundle") as model:
        scores = np.array([[0.7, 0.3], [0.9, 0.1]])
        assert model.answers(scores).tolist() == ["benign", "benign"]
        model.solution["threshold"] = 0.3
        assert model.answers(scores).tolist() == ["malignant", "benign"]


@pytest.mark.parametrize("kind", ["home", "prices"])
def test_contributions_are_differences_to_the_reference(kind: str, request: pytest.FixtureRequest) -> None:
    bundle = request.getfixturevalue(kind) / "bundle"
    with jobs.runtime(bundle, "ensemble") as (ensemble,):
        model = ensemble.Ensemble.load(bundle)
        rows = [{"mean radius": 9.0, "size": 4.4, "colour": "blue", "seen": "2024-01-03"}, {"mean radius": None}]
        frame = model.typed(rows)
        found = model.explain(frame)
        changed = frame.assign(**{"mean radius": 5.0})
        before, after = model.predict_scores(frame), model.predict_scores(changed)
        expected = (before - after)[0] if before.ndim == 1 else (before - after)[0, 1]
        by_column = {entry["column"]: entry for entry in found[0]}
        assert by_column["mean radius"]["contribution"] == pytest.approx(expected)
        assert by_column["mean radius"]["value"] == 9.0
        assert "seen" not in by_column, "the model does not look at it"
        assert "size" not in by_column, "it is at its reference"
        ensemble.BATCH_ROWS = 1
        assert model.explain(frame) == found


def test_interval_of_values(prices: Path, home: Path) -> None:
    with jobs.loaded(prices / "bundle") as model:
        frame = model.typed([{"mean radius": 3.0, "colour": "red"}])
        low, high = model.interval(frame)
        assert (high - low).tolist() == pytest.approx([3.0])
        assert model.predict(frame) == pytest.approx((low + high) / 2)
    with jobs.loaded(home / "bundle") as model:
        assert model.interval(model.typed([{}])) is None


def test_bundles_of_one_process_do_not_mix(home: Path, copy: Path) -> None:
    """Each imports its own shared files, and the process is left as it was."""
    source = (copy / "tiny_prepare.py").read_text()
    (copy / "tiny_prepare.py").write_text(source.replace("/ 10", "/ 1000"))
    path, modules = list(sys.path), set(sys.modules)
    row = [{"mean radius": 9.0}]
    with jobs.runtime(home / "bundle", "ensemble") as (ensemble,):
        one, other = ensemble.Ensemble.load(home / "bundle"), ensemble.Ensemble.load(copy, check=False)
        assert abs(one.predict_scores(one.typed(row)) - other.predict_scores(other.typed(row))).max() > 0.01
        one.check_golden()
    assert sys.path == path
    assert {name for name in set(sys.modules) - modules if name.startswith(("_bundle", "ensemble", "tiny_"))} == set()


def test_jobs_measure_what_ships(home: Path, tmp_path: Path) -> None:
    bundle, data = str(home / "bundle"), str(home / "data")
    measured = jobs.measure(bundle, data)
    assert 0 < measured["latency_median_ms"] <= measured["latency_ms"]
    assert measured["size_mb"] == pytest.approx(
        sum(path.stat().st_size for path in (home / "bundle/model").rglob("*") if path.is_file()) / 1e6
    )
    assert jobs.predict_test(bundle, data, str(tmp_path))["rows"] == 20
    assert np.load(tmp_path / "scores.npy").shape == (20, 2)


def test_importance_is_measured_on_rows_held_out(prices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rmse(_: str, truth: np.ndarray, prediction: np.ndarray, **__: object) -> float:
        return float(np.sqrt(np.mean((truth - prediction) ** 2)))

    known = {"rmse": SimpleNamespace(higher_is_better=False)}
    family = SimpleNamespace(metrics=known, score=rmse, training_truth=dataset.training_truth)
    monkeypatch.setattr(jobs, "get_family", lambda _: family)
    bundle, data = prices / "bundle", prices / "data"
    found = jobs.importance(str(bundle), str(data), "rmse", "tabular_regression", max_rows=60)
    ranked = {entry["column"]: entry for entry in found["importance"]}
    assert found["rows"] == 60
    assert found["importance"][0]["column"] == "mean radius"
    assert ranked["mean radius"]["mean"] > 1
    assert ranked["seen"] == {"column": "seen", "mean": 0.0, "std": 0.0}
    everything = jobs.importance(str(bundle), str(data), "rmse", "tabular_regression", repeats=1)
    oof = 0.75 * np.load(bundle / "oof/m0.npy") + 0.25 * np.load(bundle / "oof/m1.npy")
    assert everything["score"] == pytest.approx(rmse("rmse", np.load(data / "target.npy"), oof))


def solved() -> dict[str, object]:
    check = ConstraintCheck(measure="accuracy", comparison=">=", value=0.9, measured=0.875, met=False)
    return {
        "solution": Solution(id="s", members=(), metric="accuracy", score=0.91, latency_ms=3.2, folder="x"),
        "grade": Grade(metric="accuracy", score=0.875, interval=(0.8, 0.94), baseline=0.5, rows=20),
        "verdict": Verdict(subject="grade", passed=False, checks=(check,)),
        "server": ServerCheck(ok=True, http_ms=4.5),
    }


def test_finalise_adds_the_grade_and_keeps_the_seal(copy: Path, tmp_path: Path) -> None:
    content = make_content(tmp_path / "again")
    finalise(copy, task=content.task, profile=content.profile, **solved())  # type: ignore[arg-type]
    written = json.loads((copy / "metrics.json").read_text())
    assert (written["test"], written["interval"], written["http_ms"]) == (0.875, [0.8, 0.94], 4.5)
    assert written["constraints"][0]["met"] is False
    card = (copy / "MODEL_CARD.md").read_text()
    assert "0.875 (95 %: 0.8 to 0.94)" in card
    assert "> Who is ill? \\# No heading \\| \\<b\\>" in card, "the user's words cannot shape the page"
    with jobs.loaded(copy) as model:
        model.check_golden()
    (copy / "schema.json").write_text("{}")
    finalise(copy, task=content.task, profile=content.profile, **solved())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"schema\.json was changed"), jobs.loaded(copy):
        pass


def test_candidates_of_one_name_stay_apart(tmp_path: Path) -> None:
    content = make_content(tmp_path)
    other = tmp_path / "mine" / "tiny.py"
    other.parent.mkdir()
    other.write_text(content.members[0].candidate.path.read_text() + "\n# mine\n")
    one, two = content.members
    two = replace(two, candidate=replace(two.candidate, path=other))
    write_bundle(tmp_path / "bundle", replace(content, members=(one, two)))
    jobs.finish_bundle(str(tmp_path / "bundle"), str(content.data))
    solution = json.loads((tmp_path / "bundle/model/solution.json").read_text())
    assert [member["candidate"] for member in solution["members"]] == ["tiny", "tiny_m1"]
    assert "# mine" in (tmp_path / "bundle/candidates/tiny_m1.py").read_text()


# ---------------------------------------------------------------- publish


def folder(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(text)
    (path / "manifest.json").write_text('{"run_id": "r", "files": {}}')
    return path


@pytest.mark.parametrize("can_exchange", [True, False])
def test_publish_replaces_and_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool) -> None:
    if not can_exchange:
        monkeypatch.setattr(publishing, "exchange", lambda *_: False)
    final = tmp_path / "out" / "bundle"
    for text in ("first", "second"):
        staged = folder(tmp_path / text, text)
        publish(staged, final)
        assert (final / "file").read_text() == text
        assert (staged / "file").exists(), "a resumed run may publish again"
        assert (final / "file").stat().st_ino != (staged / "file").stat().st_ino
        assert [path.name for path in final.parent.iterdir()] == ["bundle"]


def test_exchange_is_one_step_here(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "a", "one"), folder(tmp_path / "b", "other")
    if not publishing.exchange(one, other):
        pytest.skip("this system has no renameat2")
    assert ((one / "file").read_text(), (other / "file").read_text()) == ("other", "one")


def test_publish_recovers_what_a_kill_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = folder(tmp_path / "bundle", "good")
    final.rename(tmp_path / ".bundle.old")
    folder(tmp_path / ".bundle.new", "half")
    publishing.recover(final)
    assert (final / "file").read_text() == "good"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]

    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", fails)
    with pytest.raises(InputError, match="No space left"):
        publish(folder(tmp_path / "staged", "new"), final)
    assert (final / "file").read_text() == "good"


def test_publish_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        publish(folder(tmp_path / "staged", "new"), tmp_path / "file" / "bundle")


def test_publish_overwrites_nothing_but_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a bundle"):
        publish(folder(tmp_path / "staged", "new"), tmp_path / "bundle")
    assert (tmp_path / "bundle" / "thesis.txt").read_text() == "mine"
    (tmp_path / "bundle" / "thesis.txt").unlink()
    publish(tmp_path / "staged", tmp_path / "bundle")


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("kind", ["classification", "multiclass", "regression"])
def test_scores_are_those_of_the_library(home: Path, kind: str) -> None:
    """`train.py` prints what the library would have measured, in every metric."""
    generator = np.random.default_rng(0)
    classes = ["a", "b"] if kind == "classification" else ["a", "b", "c"]
    if kind == "regression":
        truth = generator.gamma(2.0, size=ROWS)
        prediction = truth + 0.3 * generator.normal(size=ROWS)
    else:
        truth = generator.integers(0, len(classes), ROWS)
        prediction = generator.dirichlet([0.7] * len(classes), ROWS)
    for metric in metrics.REGRESSION if kind == "regression" else metrics.CLASSIFICATION:
        positive = "b" if kind == "classification" else None
        solution = {"kind": kind.replace("multiclass", "classification"), "classes": classes, "positive": positive,
                    "metric": metric, "threshold": 0.4 if positive else None}  # fmt: skip
        with jobs.runtime(home / "bundle", "train") as (train,):
            measured = train.score(solution, truth, prediction)
        expected = metrics.score(
            metric, truth, prediction, positive=1 if positive else None, threshold=solution["threshold"]
        )
        assert measured == pytest.approx(expected), metric
