"""Stage 13: opens the locked test once, for the one frozen solution. No plan, prompt or search ever sees the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_agent.errors import InputError
from automl_agent.execution.home import write_durably
from automl_agent.execution.protocol import Job
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile, Grade, Solution, TaskSpec, Verdict
from automl_agent.search.estimates import bootstrap_interval
from automl_agent.search.subgroups import break_down
from automl_agent.tasks.family import targets
from automl_agent.tasks.metrics import require_order
from automl_agent.verifiers.solution import verify_grade

TIMEOUT = 600.0


def grade(state: State, stage: Stage) -> dict[str, Any]:
    task, profile, solution = state["task"], state["profile"], state["solution"]
    assert task is not None and profile is not None and solution is not None
    result = _stored(_kept(stage))
    if result is None:
        artifact, folder = stage.artifacts.create(stage.run_id, "grade")
        result = _graded(stage, task, profile, solution, state["baseline_bundle"], artifact, folder)
        write_durably(_kept(stage), result.model_dump_json())
    verdict = verify_grade(task, stage.family(task), solution, result, last_verdict(state))
    return {"grade": result, "verdicts": {"grade": verdict}}


def last_verdict(state: State) -> Verdict:
    """What the verifier of the solution said of the one that is graded."""
    return state["verdicts"][f"solution-{state.get('revision', 0)}"]


def _kept(stage: Stage) -> Path:
    """Where the grade of a run is kept: a resumed run does not open the test again."""
    return stage.private / "grade.json"


def _stored(path: Path) -> Grade | None:
    return Grade.model_validate(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def _graded(
    stage: Stage, task: TaskSpec, profile: DataProfile, solution: Solution, baseline: str, artifact: str, folder: Path
) -> Grade:
    import numpy as np

    family, positive = stage.family(task), stage.runner(task, profile).positive
    scores = _predicted(stage, solution.folder, profile, folder)
    trivial = _predicted(stage, baseline, profile, folder / "baseline")
    truth = family.test_truth(stage.private)
    np.save(folder / "truth.npy", truth)
    reads = stage.ledger.read_test(profile.test or profile.fingerprint, stage.run_id)
    threshold, trivial_threshold = solution.threshold, _stored_solution(stage, baseline)["threshold"]

    def score(metric: str) -> float:
        return float(family.score(metric, truth, scores, positive=positive, threshold=threshold))

    interval = bootstrap_interval(
        family, task.metric, truth, scores, positive=positive, threshold=threshold, seed=stage.seed
    )

    def other(metric: str) -> float:
        require_order(metric, profile.classes, "order" in profile.target)
        return score(metric)

    others = {name: _defined(other, name) for name in family.metrics if name != task.metric}
    return Grade(
        metric=task.metric,
        score=score(task.metric),
        interval=interval,
        baseline=float(family.score(task.metric, truth, trivial, positive=positive, threshold=trivial_threshold)),
        others={name: value for name, value in others.items() if np.isfinite(value)},
        rows=len(truth),
        coverage=_coverage(folder, targets(truth), family.weights(truth)),
        subgroups=tuple(
            break_down(
                family, task.metric, truth, scores, grouping, positive=positive, threshold=threshold, seed=stage.seed
            )
            for grouping in family.groupings(stage.private)
        ),
        reads=reads,
        details=artifact,
    )


def _defined(score: Callable[[str], float], name: str) -> float:
    """A further metric; not a number where it has no value (RMSLE of negative targets, qwk without an order)."""
    try:
        return score(name)
    except InputError:
        return float("nan")


def _coverage(folder: Path, truth: Any, weights: Any) -> float | None:
    """Share of the test targets inside their prediction interval; of their weight where rows are weighted."""
    import numpy as np

    if not (folder / "bounds.npy").is_file():
        return None
    lower, upper = np.load(folder / "bounds.npy", allow_pickle=False)
    return float(np.average((lower <= truth) & (truth <= upper), weights=weights))


def _predicted(stage: Stage, bundle: str, profile: DataProfile, out: Path) -> Any:
    """Predictions of a built bundle for the test inputs, made by a worker that does not know the test targets."""
    import numpy as np

    arguments = {
        "bundle": str(stage.artifacts.path(bundle)),
        "data": str(stage.artifacts.path(profile.data)),
        "out": str(out),
        "sandbox": stage.settings.sandbox,
    }
    stage.pool.submit(Job("automl_agent.delivery.jobs:predict_test", arguments, timeout=TIMEOUT)).result()
    return np.load(out / "scores.npy", allow_pickle=False)


def _stored_solution(stage: Stage, bundle: str) -> dict[str, Any]:
    path = stage.artifacts.path(bundle) / "model" / "solution.json"
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored
