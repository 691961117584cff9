"""The Operation Agent: searches over the candidates of all plans, and builds what will be delivered."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Built:
    """A solution whose bundle lies in a folder, finished and measured."""

    solution: Solution
    folder: Path


def build_best(
    runner: TrialRunner, trials: Sequence[Trial], run_id: str, folder: Path, artifact: str, *, workers_idle: bool = True
) -> Built:
    """Compose, build and measure; compose tighter when the built bundle breaks a limit that its parts promised.

    Where code that a language model wrote fails in the bundle, it is left out: that is found out here, before the test
    is opened, since what was graded is what ships.
    """
    tightness = 1.0
    built: Built | None = None
    for _ in range(ATTEMPTS):
        draft = compose(runner, trials, tightness=tightness)
        try:
            built = build(runner, trials, draft, run_id, folder, artifact)
            if workers_idle:
                _rehearse(runner, built)
        except JobError as error:
            ours = [trial for trial in trials if not runner.candidate(trial.candidate).generated]
            if error.kind == "cancelled" or not ours or len(ours) == len(trials):
                raise
            text = f"What a language model wrote is left out of the bundle: {str(error).splitlines()[-1]}"
            runner.emit(Remark(text=text, level="warning"))
            return build_best(runner, ours, run_id, folder, artifact, workers_idle=workers_idle)
        excess = _excess(built.solution, runner)
        if excess <= 1.0 or not workers_idle or (len(draft.weights) == 1 and draft.folds == 1):
            break
        tightness *= 0.85 / excess
    assert built is not None
    return built


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
    runner: TrialRunner, trials: Sequence[Trial], draft: Draft, run_id: str, folder: Path, artifact: str
) -> Built:
    """Write the bundle of a draft into `folder` and measure it there."""
    by_id = {trial.id: trial for trial in trials}
    members = tuple(
        _member(by_id[name], weight, tuple(range(draft.folds)))
        for name, weight in sorted(draft.weights.items(), key=lambda item: -item[1])
    )
    content = BundleContent(
        run_id=run_id,
        family=runner.family,
        task=runner.task,
        profile=runner.profile,
        metric=runner.family.metrics[runner.task.metric],
        members=tuple(_files(runner, by_id[member.trial], member) for member in members),
        threshold=draft.threshold,
        score=draft.score,
        interval_radius=draft.radius,
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
        interval=draft.interval,
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


def _files(runner: TrialRunner, trial: Trial, member: Member) -> MemberFiles:
    return MemberFiles(member, runner.candidate(trial.candidate), runner.fold_folders(trial), trial.fit_seconds)


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
