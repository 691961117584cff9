"""The planner: makes plans that differ by design, from a family's outlines, the notes, and what was measured before."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl_agent.records import CandidateChoice, DataProfile, Evidence, Note, Params, Plan, TaskSpec, Trial
from automl_agent.search.space import narrowed, sampled, within
from automl_agent.tasks.family import Blueprint, TaskFamily, loss

if TYPE_CHECKING:
    from automl_agent.agents.language_model import LanguageModel


STEPS = 7
"""Data steps of a plan at most: each is measured."""
PROVEN = 1
"""Configurations that a plan takes over from similar data at most."""


@dataclass(frozen=True)
class Briefing:
    """What the planner may know."""

    task: TaskSpec
    profile: DataProfile
    family: TaskFamily
    allowed: tuple[str, ...]
    """Candidates that may be tried."""
    steps: tuple[str, ...]
    """Data steps that can do anything on these data and were not measured in an earlier round."""
    notes: tuple[Note, ...]
    count: int
    """Number of plans wanted."""
    seed: int
    revision: int = 0
    evidence: tuple[Evidence, ...] = ()
    trials: tuple[Trial, ...] = ()
    """All that was run so far."""
    agents: Mapping[str, str] | None = None
    """Names and descriptions of the sub-task agents."""
    data: Path = Path()
    """The data folder, of which a language model is shown statistics."""
    language_model: LanguageModel | None = None
    patience: float | None = None
    """Seconds that it may take to answer."""


def make_plans(brief: Briefing) -> tuple[Plan, ...]:
    """Plans for a first round, or for a revision aimed at what failed."""
    drafts = _first_round(brief) if brief.revision == 0 else _revision(brief)
    return with_reasons(brief, [_numbered(brief, index, plan) for index, plan in enumerate(drafts)])


def with_reasons(brief: Briefing, plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """The plans of a first round, each with the reason why it does without the notes that it does not rest on."""
    if brief.revision:
        return tuple(plans)
    return tuple(
        plan.model_copy(
            update={"rejected": {note.id: _reason(brief, note, plans)
                                 for note in brief.notes if note.id not in plan.notes}}
        )
        for plan in plans
    )  # fmt: skip


def _reason(brief: Briefing, note: Note, plans: Sequence[Plan]) -> str:
    if not note.applies:
        return note.unmet or "its conditions do not hold on these data"
    suggested = (*note.models, *note.steps)
    usable = [name for name in suggested if name in brief.allowed or name in brief.steps]
    if not suggested:
        return "it suggests no model and no data step"
    if not usable:
        return f"{', '.join(suggested)} can do nothing here, or may not be used"
    elsewhere = [f"“{other.title}”" for other in plans if note.id in other.notes]
    if elsewhere:
        return f"{', '.join(usable)}: left to {', '.join(elsewhere)}"
    return f"{', '.join(usable)}: not among what this plan bets on"


# ---------------------------------------------------------------- first round


def _first_round(brief: Briefing) -> list[Plan]:
    outlines = _fitted(brief)
    plans: list[Plan] = []
    for index in range(brief.count):
        outline, own = outlines[index % len(outlines)]
        turn = index // len(outlines)  # more plans than outlines: the same idea with other configurations
        plans.append(_informed(brief, outline, turn if own else index, plans))
    return plans


def _fitted(brief: Briefing) -> list[tuple[Blueprint, bool]]:
    """The family's outlines with the models that are allowed, and whether any of its own is among them.

    An outline that loses all its models takes the others', in other configurations.
    """
    fitted = []
    for position, outline in enumerate(brief.family.blueprints):
        steps = tuple(step for step in outline.steps if step in brief.steps)
        models = tuple(name for name in outline.models if name in brief.allowed)
        if models:
            fitted.append((replace(outline, models=models, steps=steps), True))
            continue
        offset = position % len(brief.allowed)
        models = brief.allowed[offset:] + brief.allowed[:offset]
        title = f"{brief.family.candidates()[models[0]].title} on other features"
        hypothesis = f"Only {', '.join(models)} may be used: the plans differ in data steps and configurations."
        fitted.append((replace(outline, title=title, hypothesis=hypothesis, models=models, steps=steps), False))
    return fitted


def _informed(brief: Briefing, outline: Blueprint, turn: int, before: Sequence[Plan]) -> Plan:
    """Let the notes that hold on these data speak: their models move to the front, their steps are measured too, and
    what scored best on similar data is tried as it is.

    But a model that an earlier plan bets on first stays behind: what many notes praise must not make all plans one.
    """
    bets = {plan.models[0] for plan in before}
    useful = [note for note in brief.notes if note.applies]
    cited = [note for note in useful if set(note.models) & set(outline.models) or set(note.steps) & set(outline.steps)]
    praised = [name for note in cited for name in note.models if name in outline.models]
    models = sorted(outline.models, key=lambda name: (name in bets, -praised.count(name)))
    steps = list(outline.steps)
    for note in cited:
        steps += [step for step in note.steps if step in brief.steps and step not in steps]
    choices = _proven(brief, cited, models, before)
    if turn:
        rng = random.Random(brief.seed * 1000 + turn)
        choices += [_variation(brief, name, rng, f"variation {turn}") for name in models[:2]]
    return Plan(
        id="",
        title=outline.title + (f", variation {turn}" if turn else ""),
        hypothesis=outline.hypothesis,
        steps=tuple(steps[:STEPS]),
        models=tuple(models),
        emphasis=outline.emphasis,
        choices=tuple(choices),
        notes=tuple(note.id for note in cited),
        differs=f"bets on {', '.join(models[:3])}; measures {', '.join(steps[:4]) or 'no extra step'}",
    )


def _proven(
    brief: Briefing, notes: Sequence[Note], models: Sequence[str], before: Sequence[Plan]
) -> list[CandidateChoice]:
    """Configurations that scored best on similar data, nearest data first, which no earlier plan tries already.

    They come from a file that others may have written: what the candidate's space does not know is left out.
    """
    known = [(choice.candidate, choice.params) for plan in before for choice in plan.choices]
    found: list[CandidateChoice] = []
    for note in notes:
        for choice in note.choices:
            if choice.candidate not in models:
                continue
            candidate = brief.family.candidates()[choice.candidate]
            params = {**candidate.portfolio[0], **within(candidate.space, choice.params)}
            if params not in candidate.portfolio and (choice.candidate, params) not in known:
                known.append((choice.candidate, params))
                found.append(choice.model_copy(update={"params": params}))
    return found[:PROVEN]


# ---------------------------------------------------------------- revisions


def _revision(brief: Briefing) -> list[Plan]:
    """Plans whose candidates were not run before, aimed at what the evidence says was missed."""
    failed = " ".join(brief.evidence[-1].failed) if brief.evidence else ""
    lean = any(word in failed for word in ("latency_ms", "size_mb", "train_seconds", "memory_mb"))
    order = _models_by_score(brief)
    makers = [_smaller, _retuned, _untried] if lean else [_retuned, _untried, _wider]
    rng = random.Random(brief.seed * 1000 + 17 * brief.revision)
    plans = [makers[index % 3](brief, order, rng, index // 3) for index in range(brief.count)]
    return [plan for plan in plans if plan.choices or plan.steps] or [_retuned(brief, order, rng, 0)]


def _retuned(brief: Briefing, order: Sequence[str], rng: random.Random, turn: int) -> Plan:
    """Near the best configurations of the best models."""
    choices = []
    for name in order[:2]:
        best = _best_params(brief, name)
        space = narrowed(brief.family.candidates()[name].space, best, 0.25 + 0.1 * turn)
        for _ in range(3):
            params = {**best, **sampled(space, rng)}
            choices.append(CandidateChoice(candidate=name, params=params, reason="near the best so far"))
    return _aimed(
        brief,
        "Closer around the best so far",
        "A finer setting of what scored best closes the gap.",
        choices,
        _best_steps(brief),
    )


def _untried(brief: Briefing, order: Sequence[str], rng: random.Random, turn: int) -> Plan:
    """Candidates and data steps that no trial has used."""
    seen = {(trial.candidate, str(sorted(trial.params.items()))) for trial in brief.trials}
    choices = []
    for name in (*[n for n in brief.allowed if n not in order], *order):
        for params in brief.family.candidates()[name].portfolio:
            if (name, str(sorted(params.items()))) not in seen:
                choices.append(CandidateChoice(candidate=name, params=params, reason="not run before"))
    steps = brief.steps[turn * 3 : turn * 3 + 4]
    if not choices:
        choices = [_variation(brief, name, rng, "not run before") for name in order[:3]]
    return _aimed(
        brief, "What was not tried", "Models and steps that no trial has used may hold the gap.", choices[:4], steps
    )


def _wider(brief: Briefing, order: Sequence[str], rng: random.Random, turn: int) -> Plan:
    """Anywhere in the spaces of all models: far from what was tried."""
    choices = [_variation(brief, name, rng, "far from what was tried") for name in order[turn : turn + 4]]
    return _aimed(brief, "Further away", "The best region may not have been visited at all.", choices, brief.steps[4:8])


def _smaller(brief: Briefing, order: Sequence[str], rng: random.Random, turn: int) -> Plan:
    """Small and quick versions of the models, lightest first."""
    lightest = sorted(
        order, key=lambda name: min((t.latency_ms or 1e9 for t in brief.trials if t.candidate == name), default=1e9)
    )
    choices = []
    for name in lightest[: 2 + turn]:
        space = brief.family.candidates()[name].space
        for _ in range(2):
            params = {
                **_best_params(brief, name),
                **sampled(space, rng, low_only=("n_estimators", "num_leaves", "depth", "rounds")),
            }
            choices.append(CandidateChoice(candidate=name, params=params, reason="small and quick"))
    return _aimed(
        brief,
        "Smaller and quicker",
        "Lighter models answer within the limit at little loss.",
        choices,
        emphasis="speed",
    )


def _aimed(
    brief: Briefing,
    title: str,
    hypothesis: str,
    choices: Sequence[CandidateChoice],
    steps: tuple[str, ...] = (),
    emphasis: str = "score",
) -> Plan:
    models = tuple(dict.fromkeys(choice.candidate for choice in choices))
    failed = brief.evidence[-1].failed[0] if brief.evidence and brief.evidence[-1].failed else "what was missed"
    return Plan.model_validate(
        {
            "id": "",
            "title": f"{title} (revision {brief.revision})",
            "hypothesis": hypothesis,
            "steps": steps,
            "models": models,
            "emphasis": emphasis,
            "choices": tuple(choices),
            "differs": f"{len(choices)} configurations that were not run before, aimed at: {failed}",
        }
    )


# ---------------------------------------------------------------- helpers


def _models_by_score(brief: Briefing) -> list[str]:
    """Allowed models, the best measured first."""
    metric = brief.family.metrics[brief.task.metric]
    best: dict[str, float] = {}
    for trial in brief.trials:
        if trial.score is not None and trial.candidate in brief.allowed:
            value = loss(metric, trial.score)
            best[trial.candidate] = min(value, best.get(trial.candidate, value))
    return sorted(best, key=lambda name: best[name]) or list(brief.allowed)


def _best_params(brief: Briefing, name: str) -> Params:
    metric = brief.family.metrics[brief.task.metric]
    trials = [trial for trial in brief.trials if trial.candidate == name and trial.score is not None]
    if not trials:
        return dict(brief.family.candidates()[name].portfolio[0])
    return dict(min(trials, key=lambda trial: (-trial.fidelity.folds, loss(metric, trial.score or 0.0))).params)


def _best_steps(brief: Briefing) -> tuple[str, ...]:
    """Data steps of the best trial so far; the Data Agent measures them again, from memory."""
    metric = brief.family.metrics[brief.task.metric]
    scored = [trial for trial in brief.trials if trial.score is not None]
    return (
        min(scored, key=lambda trial: (-trial.fidelity.folds, loss(metric, trial.score or 0.0))).steps if scored else ()
    )


def _variation(brief: Briefing, name: str, rng: random.Random, reason: str) -> CandidateChoice:
    candidate = brief.family.candidates()[name]
    params = {**candidate.portfolio[0], **sampled(candidate.space, rng)}
    return CandidateChoice(candidate=name, params=params, reason=reason)


def _numbered(brief: Briefing, index: int, plan: Plan) -> Plan:
    return plan.model_copy(update={"id": f"r{brief.revision}p{index + 1}", "revision": brief.revision})
