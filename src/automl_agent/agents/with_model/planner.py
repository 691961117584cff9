"""The planner with a language model: its plans beside the rules' first one, made of names that exist."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from automl_agent.agents.data_view import data_facts, model_facts, significant, veil_of
from automl_agent.agents.planner import Briefing, make_plans, with_reasons
from automl_agent.agents.privacy import Veil
from automl_agent.agents.with_model.answers import Few, Line, Many, Name, Names, Sentence, Sentences
from automl_agent.delivery.words import model_name
from automl_agent.records import CandidateChoice, Params, Plan
from automl_agent.search.runner import ranked
from automl_agent.tasks.family import Candidate

SHOWN_TRIALS = 15
SHOWN_NOTES = 6
SHOWN_PARAMETERS = 4
NOTE_TEXT = 240
"""Characters of a note beside its title, which holds the advice."""


class ParameterAnswer(BaseModel):
    """One parameter."""

    name: Name
    value: Annotated[Name, Field(description="a number, true or false, or one of the listed choices")]


class ChoiceAnswer(BaseModel):
    """A model with parameters that must be tried."""

    candidate: Annotated[Name, Field(description="one of the listed models")]
    parameters: Annotated[list[ParameterAnswer], Many, Field(max_length=12)] = []


class PlanAnswer(BaseModel):
    """One plan."""

    title: Line = ""
    hypothesis: Annotated[Sentence, Field(description="why it should work on these data")] = ""
    models: Annotated[Names, Field(description="names of listed models, the most promising first")]
    steps: Annotated[Names, Field(description="names of listed data steps to measure")] = []
    emphasis: Annotated[Name, Field(description="score, speed or robustness")] = "score"
    choices: Annotated[list[ChoiceAnswer], Few, Field(max_length=4)] = []
    features: Annotated[
        Sentences, Field(description="new columns worth computing, in words: from which columns, and how")
    ] = []
    architecture: Annotated[
        Sentence, Field(description="a model of its own that the listed ones lack, in words; mostly empty")
    ] = ""
    notes: Annotated[Names, Field(description="ids of the notes that it rests on")] = []
    differs: Annotated[Sentence, Field(description="in what it differs from the other plans")] = ""


class PlansAnswer(BaseModel):
    """The plans."""

    plans: Annotated[list[PlanAnswer], Many, Field(max_length=12)]


LEADING = 2
"""Models of a rules' plan that gave way which are tried nevertheless."""


def make_plans_with_model(brief: Briefing) -> tuple[Plan, ...]:
    """The rules' plans, with all but the first replaced by the model's as far as those can be used.

    The first plan stays the rules' own, and it also tries the leading models of every plan that was replaced: whatever
    the model says, what the rules would have bet on is measured too. Without a usable answer the plans are the rules'.
    """
    rules, model = make_plans(brief), brief.language_model
    if model is None or not model.speaks("planner"):
        return rules
    veil = veil_of(brief.data, model)
    answer = model.ask("planner", PlansAnswer, patience=brief.patience, **_facts(brief, rules, veil))
    if answer.value is None:
        return rules
    drafted = _usable(answer.value, brief, rules, veil)
    if not drafted:
        return rules
    if brief.count == 1:
        return (_merged(rules[0], drafted[0]),)
    kept = drafted[: brief.count - 1]
    plans = (_anchor(brief, rules, len(kept)), *kept, *rules[len(kept) + 1 :])
    return with_reasons(
        brief,
        [
            plan.model_copy(update={"id": f"r{brief.revision}p{place}", "revision": brief.revision})
            for place, plan in enumerate(plans, start=1)
        ],
    )


def _anchor(brief: Briefing, rules: Sequence[Plan], replaced: int) -> Plan:
    """The rules' first plan, with what leads each plan that gave way."""
    catalogue = brief.family.candidates()
    choices = list(rules[0].choices)
    for plan in rules[1 : replaced + 1]:
        leaders = plan.choices[:1] or tuple(
            CandidateChoice(candidate=name, params=catalogue[name].portfolio[0], reason=f"leads {plan.title!r}")
            for name in [name for name in plan.models if name not in rules[0].models][:LEADING]
        )
        choices += [choice for choice in leaders if choice not in choices]
    models = tuple(dict.fromkeys([*rules[0].models, *(choice.candidate for choice in choices)]))
    return rules[0].model_copy(update={"choices": tuple(choices), "models": models})


def _merged(rules: Plan, drafted: Plan) -> Plan:
    """Where one plan is wanted: the rules' plan with the model's ideas on top."""
    return rules.model_copy(
        update={
            "models": tuple(dict.fromkeys([*rules.models, *drafted.models])),
            "steps": tuple(dict.fromkeys([*rules.steps, *drafted.steps])),
            "choices": (*rules.choices, *drafted.choices),
            "features": drafted.features,
            "architecture": drafted.architecture,
            "hypothesis": f"{rules.hypothesis} {drafted.hypothesis}",
            "by": "model",
        }
    )


# ---------------------------------------------------------------- from answers to plans


def _usable(answer: PlansAnswer, brief: Briefing, rules: Sequence[Plan], veil: Veil) -> list[Plan]:
    """The plans of an answer that come to work of their own."""
    plans: list[Plan] = []
    seen = {_work(rules[0])}
    for draft in answer.plans:
        plan = _plan(draft, brief, veil)
        if plan is not None and _work(plan) not in seen:
            seen.add(_work(plan))
            plans.append(plan)
    return plans


def _work(plan: Plan) -> str:
    choices = sorted(f"{choice.candidate}{sorted(choice.params.items())}" for choice in plan.choices)
    return json.dumps([sorted(plan.models), sorted(plan.steps), choices, plan.features, plan.architecture])


def _plan(draft: PlanAnswer, brief: Briefing, veil: Veil) -> Plan | None:
    """A plan of names that exist; `None` where nothing is left of it."""
    catalogue = brief.family.candidates()
    choices = tuple(
        choice for answer in draft.choices if (choice := usable_choice(answer, catalogue, brief.allowed)) is not None
    )
    models = tuple(dict.fromkeys([*draft.models, *(choice.candidate for choice in choices)]))
    models = tuple(name for name in models if name in brief.allowed)
    writes = brief.family.code if brief.language_model is not None and brief.language_model.writes else ()
    ideas = draft.features if "features" in writes else []
    features = tuple(veil.reveal_text(idea) for idea in ideas if idea.strip())
    architecture = veil.reveal_text(draft.architecture.strip()) if "model" in writes else ""
    if not models and (features or architecture):  # ideas need a model to stand on
        models = brief.allowed[:1]
    if not models:
        return None
    return Plan(
        id="",
        title=draft.title.strip() or "A plan of the language model",
        hypothesis=veil.reveal_text(draft.hypothesis),
        steps=tuple(dict.fromkeys(step for step in draft.steps if step in brief.steps)),
        models=models,
        emphasis="speed" if draft.emphasis == "speed" else "robustness" if draft.emphasis == "robustness" else "score",
        choices=choices,
        notes=tuple(note.id for note in brief.notes if note.id in draft.notes),
        features=features,
        architecture=architecture,
        differs=veil.reveal_text(draft.differs),
        by="model",
    )


def usable_choice(
    answer: ChoiceAnswer, catalogue: Mapping[str, Candidate], allowed: Sequence[str]
) -> CandidateChoice | None:
    """A configuration inside the declared search space: unknown names go, values are clipped to their range."""
    if answer.candidate not in allowed:
        return None
    candidate = catalogue[answer.candidate]
    params: Params = dict(candidate.portfolio[0])
    for item in answer.parameters:
        value = clipped(candidate.space.get(item.name), item.value)
        if value is not None:
            params[item.name] = value
    return CandidateChoice(candidate=answer.candidate, params=params, reason="the language model's configuration")


def clipped(entry: Mapping[str, Any] | None, text: str) -> str | int | float | bool | None:
    """A value of a search space's entry; `None` where the text is none."""
    if entry is None:
        return None
    value: Any
    try:
        value = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except ValueError:
        value = text
    if entry["type"] == "categorical":
        known = {str(choice).lower(): choice for choice in entry["choices"]}
        return known.get(str(value).lower())
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    value = min(max(value, entry["low"]), entry["high"])
    return round(value) if entry["type"] == "int" else float(value)


# ---------------------------------------------------------------- what the model is told


def _facts(brief: Briefing, rules: Sequence[Plan], veil: Veil) -> dict[str, Any]:
    catalogue = brief.family.candidates()
    best = ranked(brief.family, brief.task.metric, _lowest_rung(brief))[:SHOWN_TRIALS]
    return {
        "data": data_facts(brief.task, brief.profile, brief.data, veil),
        "models": {name: model_facts(catalogue[name], SHOWN_PARAMETERS) for name in brief.allowed},
        "steps": {name: step.text for name, step in brief.family.steps.items() if name in brief.steps},
        "notes": [
            {"id": note.id, "title": note.title, "text": note.text[:NOTE_TEXT]} for note in brief.notes if note.applies
        ][:SHOWN_NOTES],
        "agents": dict(brief.agents or {}),
        "library_plans": [{"title": plan.title, "models": plan.models, "steps": plan.steps} for plan in rules],
        "tried": [
            {"model": model_name(trial.candidate), "parameters": trial.params, "steps": trial.steps,
             "score": significant(trial.score)}
            for trial in best
        ],
        "evidence": [
            {"missed": [veil.hide_text(text) for text in item.failed], "reasons": item.reasons, "ideas": item.ideas}
            for item in brief.evidence
        ],
        "count": max(1, brief.count - 1),
        "revision": brief.revision,
        "code": bool(brief.family.code) and brief.language_model is not None and brief.language_model.writes,
    }  # fmt: skip


def _lowest_rung(brief: Briefing) -> list[Any]:
    """Trials of one fidelity, the one that most have."""
    levels: dict[tuple[int, int], list[Any]] = {}
    for trial in brief.trials:
        if trial.score is not None:
            levels.setdefault((trial.fidelity.rows, trial.fidelity.folds), []).append(trial)
    return max(levels.values(), key=len, default=[])
