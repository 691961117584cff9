"""The Operation Agent: searches over the candidates of all plans, and builds what will be delivered."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_agent.delivery.bundle import BundleContent, MemberFiles, write_bundle
from automl_agent.errors import JobError
from automl_agent.events import Remark
from automl_agent.execution.protocol import Job
from automl_agent.records import Member, Solution, Trial
from automl_agent.search.compose import Draft, compose
from automl_agent.search.runner import TrialRunner

BUILD_TIMEOUT = 120.0
ATTEMPTS = 3
WHOLE_SECONDS = 5.0
"""Granted to fit members on all rows even where the budget is spent."""
KEPT = 2.0
"""Seconds kept for building and measuring."""
CHEAP = 1.0
"""Seconds of a fold's fit up to which a bundle on the way to the best one is fitted on all rows, too."""


@dataclass(frozen=True)
class Built:
    """A solution whose bundle lies in a folder, finished and measured."""

    solution: Solution
    folder: Path


def build_best(
    runner: TrialRunner,
    trials: Sequence[Trial],
    run_id: str,
    folder: Path,
    artifact: str,
    *,
    workers_idle: bool = True,
    until: float | None = None,
) -> Built:
    """Compose, build and measure; compose tighter when the built bundle breaks a limit that its parts promised.

    Where code that a language model wrote fails in the bundle, it is left out: that is found out here, before the test
    is opened, since what was graded is what ships.

    Args:
        until: `time.monotonic()` by which members should be fitted on all rows, where that is what ships.
    """
    tightness = 1.0
    built: Built | None = None
    whole = runner.family.ships == "whole" and (workers_idle or _cheap(trials))
    for _ in range(ATTEMPTS):
        left = runner.seconds_left() if until is None else until - time.monotonic()
        seconds = max(WHOLE_SECONDS, left - KEPT) if whole else None
        draft = compose(runner, trials, tightness=tightness, seconds=seconds)
        try:
            built = build(runner, trials, draft, run_id, folder, artifact, patience=seconds)
            if workers_idle:
                _rehearse(runner, built)
        except JobError as error:
            ours = [trial for trial in trials if not runner.candidate(trial.candidate).generated]
            if error.kind in ("cancelled", "storage") or not ours or len(ours) == len(trials):
                raise
            text = f"What a language model wrote is left out of the bundle: {str(error).splitlines()[-1]}"
            runner.emit(Remark(text=text, level="warning"))
            return build_best(runner, ours, run_id, folder, artifact, workers_idle=workers_idle, until=until)
        excess = _excess(built.solution, runner)
        if excess <= 1.0 or not workers_idle or (len(draft.weights) == 1 and draft.folds == 1):
            break
        tightness *= 0.85 / excess
    assert built is not None
    return built


def _cheap(trials: Sequence[Trial]) -> bool:
    return all(trial.fit_seconds / max(1, trial.fidelity.folds) <= CHEAP for trial in trials)


def _rehearse(runner: TrialRunner, built: Built) -> None:
    """Let generated members do what grading and delivery will ask of them.

    Raises:
        JobError: when one fails on the test inputs, or gives another model when it is trained again.
    """
    members = built.solution.members
    generated = {  # one member of each file: parameters change nothing about what a program does
        one.candidate: f"m{index}" for index, one in enumerate(members) if runner.candidate(one.candidate).generated
    }
    if generated:
        given = {"bundle": str(built.folder), "data": str(runner.data), "members": sorted(generated.values())}
        _job(runner, "rehearse", {**given, "sandbox": runner.sandbox})


def build(
    runner: TrialRunner,
    trials: Sequence[Trial],
    draft: Draft,
    run_id: str,
    folder: Path,
    artifact: str,
    *,
    patience: float | None = None,
) -> Built:
    """Write the bundle of a draft into `folder` and measure it there.

    Args:
        patience: seconds to fit the members on all rows, where that is what ships.
    """
    by_id = {trial.id: trial for trial in trials}
    shipped = _shipped(runner, [by_id[name] for name in draft.weights], draft.folds, patience)
    members = tuple(
        _member(by_id[name], weight, tuple(sorted(shipped[name])))
        for name, weight in sorted(draft.weights.items(), key=lambda item: -item[1])
    )
    content = BundleContent(
        run_id=run_id,
        family=runner.family,
        task=runner.task,
        profile=runner.profile,
        metric=runner.family.metrics[runner.task.metric],
        members=tuple(_files(runner, by_id[member.trial], member, shipped[member.trial]) for member in members),
        temperature=draft.temperature,
        threshold=draft.threshold,
        score=draft.score,
        spread=draft.spread,
        data=runner.data,
        seed=runner.seed,
    )
    write_bundle(folder, content)
    arguments = {"bundle": str(folder), "data": str(runner.data), "sandbox": runner.sandbox}
    _job(runner, "finish_bundle", arguments)
    measured = _job(runner, "measure", arguments)
    used = [by_id[member.trial] for member in members]
    solution = Solution(
        id=artifact,
        members=members,
        metric=runner.task.metric,
        score=draft.score,
        others=dict(draft.others),
        gains={name: float(f"{gain:.6g}") for name, gain in draft.gains.items()},
        interval=draft.interval,
        temperature=draft.temperature,
        threshold=draft.threshold,
        latency_ms=round(float(measured["latency_ms"]), 3),
        size_mb=round(float(measured["size_mb"]), 3),
        train_seconds=round(sum(t.fit_seconds / max(1, t.fidelity.folds) * draft.folds for t in used), 3),
        memory_mb=max((trial.memory_mb for trial in used), default=0.0),
        folder=artifact,
        trials_run=runner.count,
        revision=runner.revision,
    )
    return Built(solution, folder)


def _member(trial: Trial, weight: float, folds: tuple[int, ...]) -> Member:
    return Member(
        trial=trial.id,
        candidate=trial.candidate,
        plan=trial.plan,
        params=trial.params,
        steps=trial.steps,
        weight=float(weight),
        folds=folds,
        rows=trial.fidelity.rows,
        score=trial.score,
        latency_ms=trial.latency_ms,
    )


def _files(runner: TrialRunner, trial: Trial, member: Member, shipped: Mapping[int, Path]) -> MemberFiles:
    folders = runner.fold_folders(trial)
    return MemberFiles(member, runner.candidate(trial.candidate), folders, shipped, trial.fit_seconds)


def _shipped(
    runner: TrialRunner, trials: Sequence[Trial], folds: int, patience: float | None
) -> dict[str, dict[int, Path]]:
    """The models of each trial that ship, by fold.

    Where one model of all rows was meant to and there was no time for it, it is that of the last fold: of rows in
    time it has seen most. One that can answers from the end of all rows nevertheless (`follow`).
    """
    folders = {trial.id: runner.fold_folders(trial) for trial in trials}
    if runner.family.ships == "folds":
        return {name: {fold: found[fold] for fold in range(folds)} for name, found in folders.items()}
    whole, failed = runner.whole(trials, patience=patience) if patience is not None else ({}, {})
    for trial in trials:
        if trial.id in failed:
            text = f"{trial.candidate} was not fitted on all rows ({failed[trial.id]}): a fold's model is used."
            runner.emit(Remark(text=text, level="warning"))
    late = [trial for trial in trials if trial.id not in whole]
    ready = whole | (runner.followed(late) if runner.family.follows else {})
    return {
        name: {runner.profile.folds: ready[name]} if name in ready else {max(found): found[max(found)]}
        for name, found in folders.items()
    }


def _excess(solution: Solution, runner: TrialRunner) -> float:
    """Largest ratio of measured to allowed among the limits that the composition can influence."""
    measured: Mapping[str, float] = {
        "latency_ms": solution.latency_ms,
        "size_mb": solution.size_mb,
        "train_seconds": solution.train_seconds,
    }
    ratios = [
        measured[c.measure] / max(float(c.value), 1e-9)
        for c in runner.task.constraints
        if c.measure in measured and c.comparison in ("<=", "<") and isinstance(c.value, float)
    ]
    return max(ratios, default=0.0)


def _job(runner: TrialRunner, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    job = Job(f"automl_agent.delivery.jobs:{name}", arguments, timeout=BUILD_TIMEOUT)
    return runner.pool.submit(job).result()
