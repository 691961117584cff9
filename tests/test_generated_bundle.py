"""A bundle with generated code: built, measured, graded and checked in the sandbox; it runs and trains on its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_agent.agents.operation import build, build_best
from automl_agent.delivery import checks, jobs
from automl_agent.delivery.bundle import finalise
from automl_agent.errors import JobError
from automl_agent.records import Solution
from automl_agent.search.compose import Draft
from automl_agent.tasks.generated.composing import add_features, model_candidate
from generated_cases import CLASSES, RATIO, Desk

PLAIN = """
import numpy as np

def fit(frame, target, params, task):
    ratio = (frame["debt"] / frame["income"]).fillna(1.0).to_numpy()
    return {"low": ratio[target == 0].mean(), "high": ratio[target == 1].mean()}

def predict(frame, state):
    ratio = (frame["debt"] / frame["income"]).fillna(1.0).to_numpy()
    near = np.abs(ratio - state["low"]) / (np.abs(ratio - state["low"]) + np.abs(ratio - state["high"]) + 1e-9)
    return np.column_stack([1 - near, near])
"""


@dataclass(frozen=True)
class Made:
    desk: Desk
    bundle: Path
    solution: Solution


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The bundle of two generated members of one fold each."""
    place = tmp_path_factory.mktemp("bundle")
    desk = Desk(place)
    linear = CLASSES.candidates()["linear"]
    features = desk.trial(add_features(linear, RATIO, place / "code", CLASSES), **linear.portfolio[0])
    model = desk.trial(model_candidate(PLAIN, place / "code", CLASSES, "Plain"))
    assert features.score is not None and model.score is not None, (features.error, model.error)
    weights = {features.id: 0.7, model.id: 0.3}
    draft = Draft(weights=weights, folds=1, threshold=None, score=features.score, interval=(0.0, 1.0))
    built = build(desk.runner, [features, model], draft, "run-1", place / "made", "made")
    yield Made(desk, built.folder, built.solution)
    desk.close()


def test_the_bundle_says_what_a_language_model_wrote(made: Made) -> None:
    solution = json.loads((made.bundle / "model" / "solution.json").read_text())
    names = solution["generated"]
    assert len(names) == 2 and all((made.bundle / name).is_file() for name in names)
    assert json.loads((made.bundle / "metrics.json").read_text())["generated"] == names
    card = (made.bundle / "MODEL_CARD.md").read_text()
    assert all(name in card for name in names) and "language model wrote" in card
    assert str(made.bundle.parent) not in card
    assert (made.bundle / names[0]).read_text().strip() == RATIO.strip()
    assert made.solution.latency_ms > 0 and made.solution.size_mb > 0


def test_known_rows_come_from_the_sandbox_and_nothing_else_does(made: Made) -> None:
    golden = json.loads((made.bundle / "golden.json").read_text())
    assert len(golden["scores"]) == len(golden["rows"]) > 30
    assert not [path for path in made.bundle.rglob("*") if path.is_symlink()]


def test_workers_predict_the_test_rows_and_shuffle_columns(made: Made, tmp_path: Path) -> None:
    data = str(made.desk.data)
    rows = jobs.predict_test(str(made.bundle), data, str(tmp_path))["rows"]
    scores = np.load(tmp_path / "scores.npy")
    assert scores.shape == (rows, 2) and np.isfinite(scores).all()
    found = jobs.importance(str(made.bundle), data, "roc_auc", "tabular_classification", max_rows=100, repeats=1)
    assert {entry["column"] for entry in found["importance"][:2]} == {"debt", "income"}
    assert found["score"] > 0.9 and found["repeats"] == 1


def test_the_checks_of_delivery_run_in_the_sandbox(made: Made) -> None:
    server = checks.check_server(made.bundle, 60)
    assert server.ok and server.http_ms and server.http_ms > 0, server.text
    retrain = checks.check_retrain(made.bundle, made.desk.data, 60)
    assert retrain.ok and "agrees" in retrain.text, retrain.text


def test_the_bundle_runs_and_trains_without_the_library(made: Made, tmp_path: Path) -> None:
    table = pd.read_csv(made.desk.place / "classification" / "table.csv")
    table.drop(columns="failed").head(20).to_csv(tmp_path / "new.csv", index=False)
    checks.predict_file(made.bundle, tmp_path / "new.csv", tmp_path / "out.csv")
    assert set(pd.read_csv(tmp_path / "out.csv")["prediction"]) <= {"yes", "no"}
    table.head(150).to_csv(tmp_path / "other.csv", index=False)
    arguments = ["--data", str(tmp_path / "other.csv"), "--out", str(tmp_path / "second")]
    done = checks.run_isolated(made.bundle, "train.py", arguments, 60)
    assert done.returncode == 0, done.stderr
    assert all(check["ok"] for check in checks.verify_bundle(tmp_path / "second"))
    assert (tmp_path / "second" / "model" / "solution.json").read_text().count("generated") >= 1


def test_code_that_changes_its_mind_in_the_bundle_is_noticed(made: Made, tmp_path: Path) -> None:
    """A changed module: refused by its hash, and, with a new hash, by the known rows."""
    copy = Path(shutil.copytree(made.bundle, tmp_path / "copy"))
    name = next(path.name for path in copy.glob("model_*.py"))
    (copy / name).write_text((copy / name).read_text().replace("[1 - near, near]", "[near, 1 - near]"))
    assert "was changed" in checks.check_server(copy, 30).text
    with jobs.runtime(copy, "seal") as (seal,):
        seal.rehash(copy, [name])
    assert "503" in checks.check_server(copy, 60).text


def test_the_list_survives_the_end_of_the_run(made: Made, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made.bundle, tmp_path / "copy"))
    runner = made.desk.runner
    finalise(copy, task=runner.task, profile=runner.profile, solution=made.solution, grade=None)
    assert len(json.loads((copy / "metrics.json").read_text())["generated"]) == 2
    assert "language model wrote" in (copy / "MODEL_CARD.md").read_text()


def test_code_that_fails_in_the_bundle_is_left_out(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ran fold by fold; the run is delivered without it all the same."""
    moody = PLAIN + "    if 'bundle' in __file__:\n        raise ValueError('not here')\n"
    moody = moody.replace("    return np.column_stack", "    answer = np.column_stack") + "    return answer\n"
    desk = made.desk
    bad = desk.trial(model_candidate(moody, tmp_path, CLASSES, "Moody"))
    good = desk.trial("linear", **CLASSES.candidates()["linear"].portfolio[0])
    assert bad.score is not None and good.score is not None, (bad.error, good.error)
    with pytest.raises(JobError, match="not here"):
        build_best(desk.runner, [bad], "run-2", tmp_path / "bundle", "made")
    weights = {bad.id: 0.5, good.id: 0.5}
    draft = Draft(weights=weights, folds=1, threshold=None, score=0.9, interval=(0.0, 1.0))
    drafts = [draft, replace(draft, weights={good.id: 1.0})]
    monkeypatch.setattr("automl_agent.agents.operation.compose", lambda *_, **__: drafts.pop(0))
    built = build_best(desk.runner, [bad, good], "run-2", tmp_path / "bundle", "made")
    assert [member.candidate for member in built.solution.members] == ["linear"]
