"""Stage 14: proves that the bundle works without the library, completes it, and puts it in the user's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from automl_agent.delivery.bundle import copy_bundle, finalise, size_mb
from automl_agent.delivery.checks import check_retrain, check_server, retrain_seconds
from automl_agent.delivery.submission import wanted, write_submission
from automl_agent.errors import JobError
from automl_agent.execution.home import write_durably
from automl_agent.execution.protocol import Job
from automl_agent.nodes.publishing import FINAL, hand_over
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import Bundle, CandidateChoice, DataProfile, Fidelity, Solution, TaskSpec, Trial
from automl_agent.search.runner import Work

SERVER_TIMEOUT = 60.0
RETRAIN_TIMEOUT = 180.0
IMPORTANCE_SECONDS, IMPORTANCE_SHARE, IMPORTANCE_TIMEOUT = 5.0, 0.05, 30.0
"""What permutation importance plans with, at most and of the budget, and after what it is given up."""
LATE, LATE_SHARE = 2.0, 0.03
"""How late a run may end: seconds, or a share of the budget where that is more."""
STARTING = 3.0
"""Seconds in which a program of the bundle starts and reads the rows."""
SUBMISSION_TIMEOUT = 120.0
REPORT_SECONDS = 3.0
"""Kept for the report that follows."""


def deliver(state: State, stage: Stage) -> dict[str, Any]:
    task, profile, solution, grade = state["task"], state["profile"], state["solution"], state["grade"]
    assert task is not None and profile is not None and solution is not None and grade is not None
    folder, data = stage.artifacts.path(solution.folder), stage.artifacts.path(profile.data)
    artifact, facts = stage.artifacts.create(stage.run_id, "delivery")
    sandbox = stage.settings.sandbox
    stage.pool.cancel()  # programs start beside what follows: memory of the search is given back before
    importance = _start_importance(stage, task, folder, data)
    predicting = _start_submission(stage, folder, data, facts) if wanted(data) else None
    server = check_server(folder, SERVER_TIMEOUT, sandbox)
    ranked = _finished(importance, stage)
    scores, failed = _submitted(predicting, facts, stage) if predicting else (None, "")
    stage.pool.cancel()
    takes = STARTING + retrain_seconds(folder)
    in_time = takes <= stage.clock.remaining() + max(LATE, LATE_SHARE * stage.budget) - REPORT_SECONDS
    whole = not _sampled(solution)
    retrain = check_retrain(folder, data, RETRAIN_TIMEOUT, sandbox) if whole and in_time else None
    if not all(check.ok for check in (server, retrain) if check is not None):
        stage.check_storage()  # on a full disk the bundle is not to blame
    missed = not state["verdicts"]["grade"].passed
    curve = _learning_curve(stage, task, profile, solution, state["full"]) if missed else []
    write_durably(facts / "importance.json", json.dumps(ranked))
    write_durably(facts / "learning_curve.json", json.dumps(curve))
    final = facts / FINAL  # a kill in the middle of what follows must find the solution as it was sealed
    copy_bundle(folder, final)
    finalise(
        final,
        task=task,
        profile=profile,
        solution=solution,
        grade=grade,
        verdict=state["verdicts"]["grade"],
        server=server,
        retrain=retrain,
        importance=ranked,
    )
    out = Path(state["out"])
    hand_over(stage, artifact, out, profile, grade)
    bundle = Bundle(
        path=str(out / "bundle"),
        files=tuple(
            sorted(
                str(p.relative_to(final))
                for p in final.rglob("*")
                if p.is_file() and "model/" not in str(p.relative_to(final))
            )
        ),
        size_mb=round(size_mb(out / "bundle"), 3),
        server=server,
        retrain=retrain,
    )
    (out / "submission.csv").unlink(missing_ok=True)  # of an earlier run
    submission = None if scores is None else write_submission(out / "submission.csv", data, folder, scores)
    if submission is not None and not submission.ok:
        failed = f"submission.csv is not as it should be: {submission.text}"
    warnings = {"submission": failed} if failed else {}
    if whole and not in_time:
        warnings["retrain"] = (
            f"Training from the bundle was not checked: it takes about {takes:.0f} s, and the budget is spent. "
            "`automl-agent verify BUNDLE --data FILE` does it."
        )
    return {"bundle": bundle, "delivery": artifact, "submission": submission, "warnings": warnings}


def _sampled(solution: Solution) -> bool:
    """Models of a sample of rows cannot be trained again by a bundle that knows all rows."""
    return any(member.rows for member in solution.members)


def _start_importance(stage: Stage, task: TaskSpec, bundle: Path, data: Path) -> Future[dict[str, Any]]:
    arguments = {
        "bundle": str(bundle),
        "data": str(data),
        "metric": task.metric,
        "family": task.family,
        "max_rows": 1000,
        "time_limit": min(IMPORTANCE_SECONDS, IMPORTANCE_SHARE * stage.budget),
        "sandbox": stage.settings.sandbox,
    }
    return stage.pool.submit(Job("automl_agent.delivery.jobs:importance", arguments, timeout=IMPORTANCE_TIMEOUT))


def _start_submission(stage: Stage, bundle: Path, data: Path, out: Path) -> Future[dict[str, Any]]:
    """Predict the user's rows without target by the bundle, before it is completed."""
    arguments = {"bundle": str(bundle), "data": str(data), "out": str(out), "sandbox": stage.settings.sandbox,
                 "rows": "unlabelled"}  # fmt: skip
    return stage.pool.submit(Job("automl_agent.delivery.jobs:predict_test", arguments, timeout=SUBMISSION_TIMEOUT))


def _submitted(future: Future[dict[str, Any]], out: Path, stage: Stage) -> tuple[Any, str]:
    """What the bundle says of these rows; or `None`, and why: the model is delivered all the same."""
    import numpy as np

    try:
        future.result(timeout=SUBMISSION_TIMEOUT)
        return np.load(out / "scores.npy", allow_pickle=False), ""
    except (JobError, TimeoutError) as error:
        future.cancel()
        if stage.storage_error(error):
            raise
        return None, f"The rows without target were not predicted: {error or 'no time left'}"


def _finished(future: Future[dict[str, Any]], stage: Stage) -> list[dict[str, Any]]:
    """Permutation importance, or nothing where it took too long: the model is delivered all the same."""
    try:
        patience = max(1.0, min(IMPORTANCE_TIMEOUT, stage.clock.remaining() - REPORT_SECONDS))
        return list(future.result(timeout=patience)["importance"])
    except (JobError, TimeoutError) as error:
        future.cancel()
        if stage.storage_error(error):
            raise
        stage.remark(f"Permutation importance was left out: {error or 'no time left'}", "warning")
        return []


def _learning_curve(stage: Stage, task: TaskSpec, profile: DataProfile, solution: Solution, full: Mapping[str, Trial]
                    ) -> list[dict[str, float]]:  # fmt: skip
    """Out-of-fold score of the leading member with fewer rows: would more data help? As far as the time goes."""
    lead = solution.members[0]
    runner = stage.runner(task, profile, revision=solution.revision, reserve=REPORT_SECONDS)
    until = time.monotonic() + max(0.0, runner.seconds_left())
    known = full.get(lead.trial)  # none where time ran out before anything was trained on all rows
    share, trained = (profile.folds - 1) / profile.folds, known.fidelity.folds if known else len(lead.folds)
    points = []
    for part in (0.25, 0.5, 1.0):
        rows = int(profile.rows_train * share * part) if part < 1 else 0
        if rows and rows < 30:
            continue
        choice = CandidateChoice(candidate=lead.candidate, params=lead.params)
        work = Work(choice, lead.steps, lead.plan, "learning_curve")
        folds = trained if part == 1.0 else min(3, trained)
        (trial,) = runner.run([work], Fidelity(rows=rows, folds=folds), until=until) or (None,)
        if trial is not None and trial.score is not None:
            points.append({"rows": float(rows or round(profile.rows_train * share)), "score": trial.score})
    return points
