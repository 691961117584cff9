"""Stage 9: which plans showed that they can work, and whether they are different work at all."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from automl_agent.nodes.make_plans import current_plans
from automl_agent.nodes.revise import room_for_revision
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import Plan, Trial, Verdict
from automl_agent.verifiers.base import PlanCase, judge

TOO_ALIKE = 0.8
"""Jaccard similarity of executed trials from which two plans count as the same work."""


def verify_plans(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    plans = current_plans(state)
    verdicts: dict[str, Verdict] = {}
    for plan in plans:
        case = PlanCase(
            plan=plan,
            trials=tuple(trials_of(state, plan)),
            baseline=state["baseline"]["probe"],
            task=task,
            profile=profile,
            family=stage.family(task),
        )
        verdicts[plan.id] = judge(stage.services.verifiers, "plans", case, plan.id)
    room = room_for_revision(state, stage) and not _only_late(state, plans)
    return {"verdicts": verdicts, "warnings": _alike(state, plans), "room": room}


def trials_of(state: State, plan: Plan) -> list[Trial]:
    return [trial for key, trial in state.get("trials", {}).items() if key.split("/", 1)[0] == plan.id]


def _only_late(state: State, plans: list[Plan]) -> bool:
    """Whether nothing is known of the plans but that there was no time for them: new plans would have less."""
    trials = [trial for plan in plans for trial in trials_of(state, plan)]
    return bool(trials) and all(trial.late for trial in trials)


def _alike(state: State, plans: list[Plan]) -> dict[str, str]:
    warnings = {}
    for one, other in combinations(plans, 2):
        a, b = ({trial.id for trial in trials_of(state, plan)} for plan in (one, other))
        if a | b and len(a & b) / len(a | b) > TOO_ALIKE:
            warnings[f"alike-{one.id}-{other.id}"] = f"Plans {one.id} and {other.id} came to almost the same trials."
    return warnings
