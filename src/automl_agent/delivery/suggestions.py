"""What became of the notes that were found: which plans used them, what they suggested, what measuring said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from automl_agent.records import Note, NoteUse, Plan, Solution, Suggestion, Trial
from automl_agent.tasks.family import MetricSpec, loss


def note_uses(
    notes: Sequence[Note], plans: Sequence[Plan], trials: Sequence[Trial], solution: Solution, metric: MetricSpec
) -> tuple[NoteUse, ...]:
    """One record for each note, most relevant first.

    Args:
        trials: all that were run; a step is judged by the trials of the Data Agent with and without it.
    """
    return tuple(_used(note, plans, trials, solution, metric) for note in notes)


def _used(
    note: Note, plans: Sequence[Plan], trials: Sequence[Trial], solution: Solution, metric: MetricSpec
) -> NoteUse:
    citing = tuple(plan.id for plan in plans if note.id in plan.notes)
    reasons = dict.fromkeys(plan.rejected[note.id] for plan in plans if note.id in plan.rejected)
    models = [_model(name, trials, solution, metric) for name in note.models]
    steps = [_step(name, trials, solution, metric) for name in note.steps]
    return NoteUse(
        note=note.id,
        title=note.title,
        source=note.source,
        kind=note.kind,
        plans=citing,
        reason="" if citing else "; ".join(reasons),
        suggestions=(*models, *steps) if citing else (),
    )


def _model(name: str, trials: Sequence[Trial], solution: Solution, metric: MetricSpec) -> Suggestion:
    tried = [trial for trial in trials if trial.candidate == name]
    if any(member.candidate == name for member in solution.members):
        own = [member.score for member in solution.members if member.candidate == name and member.score is not None]
        best = min(own, key=lambda score: loss(metric, score), default=None)
        return Suggestion(name=name, kind="model", outcome="kept", score=best, gain=solution.gains.get(name))
    return Suggestion(name=name, kind="model", outcome=_outcome(tried), score=_best(tried, metric))


def _step(name: str, trials: Sequence[Trial], solution: Solution, metric: MetricSpec) -> Suggestion:
    tried = [trial for trial in trials if name in trial.steps]
    gains = [
        loss(metric, base.score) - loss(metric, trial.score)
        for trial in tried
        for base in trials
        if trial.steps == (name,) and not base.steps and trial.score is not None and base.score is not None
        and (base.candidate, base.params, base.fidelity) == (trial.candidate, trial.params, trial.fidelity)
    ]  # fmt: skip
    kept = any(name in member.steps for member in solution.members)
    return Suggestion(
        name=name,
        kind="step",
        outcome="kept" if kept else _outcome(tried),
        score=_best(tried, metric),
        gain=max(gains, default=None),
    )


def _best(tried: Sequence[Trial], metric: MetricSpec) -> float | None:
    """Of the trials that saw most data."""
    scored = [trial for trial in tried if trial.score is not None]
    return min(
        scored, key=lambda trial: (-(trial.fidelity.rows or 1 << 62), -trial.fidelity.folds,
                                   loss(metric, trial.score or 0.0)), default=Trial.model_construct(score=None)
    ).score  # fmt: skip


def _outcome(tried: Sequence[Trial]) -> Literal["not better", "failed", "not tried"]:
    if any(trial.score is not None for trial in tried):
        return "not better"
    return "not tried" if not tried or all(trial.late for trial in tried) else "failed"
