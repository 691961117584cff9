"""A run beside the one that it varies, and what is kept of a run so that it can be varied."""

from __future__ import annotations

from automl_agent.execution.finished import FinishedRun, find_finished, write_finished
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import Earlier, Report, Solution


def compared(state: State, stage: Stage) -> Earlier | None:
    """The run that was varied, with what was measured of both; `None` where none was."""
    task = state.get("task")
    if task is None or not task.based_on:
        return None
    earlier = find_finished(stage.settings.home_path, task.based_on)
    profile, solution, grade = state.get("profile"), state.get("solution"), state.get("grade")
    comparable = (earlier.task.family, earlier.task.target) == (task.family, task.target)
    before = earlier.grade if comparable else None
    scores = {} if before is None else {**before.others, before.metric: before.score}
    measured = {
        "test": (scores.get(task.metric), grade.score if grade else None),
        "validation": (_validated(earlier.solution, task.metric) if comparable else None,
                       _validated(solution, task.metric)),
        "latency_ms": tuple(one.latency_ms if one else None for one in (earlier.solution, solution)),
        "size_mb": tuple(one.size_mb if one else None for one in (earlier.solution, solution)),
        "columns": tuple(float(one.columns) if one else None for one in (earlier.profile, profile)),
    }  # fmt: skip
    return Earlier.model_validate(
        {
            "run_id": earlier.run_id,
            "words": earlier.task.words,
            "changes": task.changes,
            "metric": task.metric,
            "measured": measured,
            "same_test": bool(profile and earlier.profile and profile.test == earlier.profile.test),
            "trials": solution.trials_run if solution else 0,
            "trials_reused": sum(state.get("reused", {}).values()) if solution else 0,
        }
    )


def _validated(solution: Solution | None, metric: str) -> float | None:
    """The cross-fitted score in this metric, where it was measured."""
    return None if solution is None else {**solution.others, solution.metric: solution.score}.get(metric)


def keep(state: State, stage: Stage, result: Report) -> None:
    """Keep what another run needs to vary this one; nothing where it never got to a task."""
    task, request, settings = state.get("task"), stage.request, stage.settings
    if task is None or result.status == "needs_answer":
        return
    limits = {
        "seed": stage.seed,
        "budget": stage.budget,
        "trials": request.trials or settings.trials,
        "max_cost": settings.max_cost if request.max_cost is None else request.max_cost,
    }
    write_finished(
        settings.home_path,
        FinishedRun(
            run_id=stage.run_id,
            request=request.model_copy(update={**limits, "out": None}),
            task=task,
            profile=state.get("profile"),
            solution=state.get("solution"),
            grade=state.get("grade"),
        ),
    )
