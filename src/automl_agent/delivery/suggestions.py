"""What became of the notes that were found: which plans used them, what they suggested, what measuring said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl_agent.records import (
    DataRecipe,
    Note,
    NoteUse,
    Plan,
    Shortlist,
    Solution,
    Suggestion,
    TaskResult,
    Trial,
)
from automl_agent.tasks.family import MetricSpec, loss


@dataclass(frozen=True)
class Work:
    """What a run did."""

    plans: Sequence[Plan]
    results: Sequence[TaskResult]
    """Of the agents, who measured steps and models before the plans were tried."""
    trials: Sequence[Trial]
    solution: Solution
    metric: MetricSpec


def note_uses(notes: Sequence[Note], work: Work) -> tuple[NoteUse, ...]:
    """One record for each note, in the order of the notes."""
    return tuple(_used(note, work) for note in notes)


def _used(note: Note, work: Work) -> NoteUse:
    citing = tuple(plan.id for plan in work.plans if note.id in plan.notes)
    reasons = dict.fromkeys(plan.rejected[note.id] for plan in work.plans if note.id in plan.rejected)
    suggestions = [*(_model(name, work) for name in note.models), *(_step(name, work) for name in note.steps)]
    return NoteUse(
        note=note.id,
        title=note.title,
        source=note.source,
        kind=note.kind,
        plans=citing,
        reason="" if citing else "; ".join(reasons),
        suggestions=tuple(suggestions) if citing else (),
    )


def _model(name: str, work: Work) -> Suggestion:
    metric, solution = work.metric, work.solution
    own = [member.score for member in solution.members if member.candidate == name and member.score is not None]
    if own:
        best = min(own, key=lambda score: loss(metric, score))
        return Suggestion(name=name, kind="model", outcome="kept", score=best, gain=solution.gains.get(name))
    tried = [trial for trial in work.trials if trial.candidate == name]
    best_of_all = _best(tried, metric)
    if best_of_all is None:  # the Model Agent compared it, and no plan took it further
        measured = [one.value for result in work.results for one in result.measurements if one.what == name]
        best_of_all = min(measured, key=lambda score: loss(metric, score), default=None)
    if best_of_all is not None:
        return Suggestion(name=name, kind="model", outcome="not better", score=best_of_all)
    shortlists = [result.output for result in work.results if isinstance(result.output, Shortlist)]
    late = {choice.candidate for shortlist in shortlists for choice in shortlist.late}
    failed = any(not trial.late for trial in tried) or any(
        name not in late and shortlist.rejected.get(name, "").startswith("failed") for shortlist in shortlists
    )
    return Suggestion(name=name, kind="model", outcome="failed" if failed else "not tried")


def _step(name: str, work: Work) -> Suggestion:
    recipes = [result.output for result in work.results if isinstance(result.output, DataRecipe)]
    gain = max((recipe.gains[name] for recipe in recipes if name in recipe.gains), default=None)
    score = _best([trial for trial in work.trials if name in trial.steps], work.metric)
    if any(name in member.steps for member in work.solution.members):
        return Suggestion(name=name, kind="step", outcome="kept", score=score, gain=gain)
    if gain is not None or score is not None:
        return Suggestion(name=name, kind="step", outcome="not better", score=score, gain=gain)
    failed = any(name in recipe.rejected for recipe in recipes)
    return Suggestion(name=name, kind="step", outcome="failed" if failed else "not tried")


def _best(tried: Sequence[Trial], metric: MetricSpec) -> float | None:
    """Of the trials that saw most data."""
    scored = [trial for trial in tried if trial.score is not None]
    order = sorted(scored, key=lambda t: (-(t.fidelity.rows or 1 << 62), -t.fidelity.folds, loss(metric, t.score or 0)))
    return order[0].score if order else None
