"""Stage 6: several different plans; and `approve`, which shows them to a person before the costly part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langgraph.types import interrupt

from automl_agent.agents.allowed import useful_steps
from automl_agent.agents.planner import Briefing
from automl_agent.errors import ConfigurationError
from automl_agent.events import PlanMade
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataRecipe, Plan
from automl_agent.search.budget import delivery_reserve, quotas, shares

PLANNING = 0.2
"""Share of the budget that a language model may take to plan."""


def make_plans(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    briefing = Briefing(
        task=task,
        profile=profile,
        family=stage.family(task),
        allowed=stage.allowed(task, profile),
        steps=new_steps(state, stage),
        notes=tuple(state.get("notes", ())),
        count=stage.settings.plans,
        seed=stage.seed,
        revision=state.get("revision", 0),
        evidence=tuple(state.get("evidence", {}).values()),
        trials=tuple({**state.get("trials", {}), **state.get("full", {})}.values()),
        agents={agent.name: agent.description for agent in stage.services.team.agents.values()},
        data=stage.artifacts.path(profile.data),
        language_model=stage.language_model,
        patience=stage.patience(PLANNING),
    )
    plans = stage.services.team.planner(briefing)
    for item in plans:
        stage.emit(PlanMade(plan=item))
    return {
        "plans": {item.id: item for item in plans},
        "phases": phases(state, stage, plans),
        "quota": quota(state, stage, len(plans)),
    }


def new_steps(state: State, stage: Stage) -> tuple[str, ...]:
    """Data steps that can do anything on these data and that no agent of an earlier round has measured."""
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    outputs = [result.output for result in state.get("results", {}).values()]
    recipes = [output for output in outputs if isinstance(output, DataRecipe)]
    measured = {step for recipe in recipes for step in (*recipe.steps, *recipe.rejected)}
    return tuple(step for step in useful_steps(stage.family(task), profile) if step not in measured)


def quota(state: State, stage: Stage, plans: int) -> dict[str, int | None]:
    """Trials that each agent, each plan and the implementation may run in this round."""
    limit = stage.request.trials or stage.settings.trials
    left = None if limit is None else max(0, limit - sum(state.get("counts", {}).values()))
    keep = state.get("revision", 0) < stage.settings.max_revisions and _may_be_missed(state)
    return quotas(left, agents=len(stage.services.team.agents) * plans, plans=plans, keep=keep)


def _may_be_missed(state: State) -> bool:
    """Whether a requirement was set that a round could fail to meet."""
    task = state["task"]
    assert task is not None
    return any(constraint.measure != "model_family" for constraint in task.constraints)


def phases(state: State, stage: Stage, plans: Sequence[Plan]) -> dict[str, float]:
    """When the phases of this round end, in seconds of the run's clock.

    Plans of a language model get more time to explore: their agents wait for answers and run what was written.
    """
    guided = any(plan.by == "model" for plan in plans)
    written = any(plan.features or plan.architecture for plan in plans)
    profile = state["profile"]
    assert profile is not None
    part = shares(
        stage.clock.remaining(),
        reserve=delivery_reserve(stage.budget, profile.rows_train + profile.rows_test, generated=written),
        revisions_left=stage.settings.max_revisions - state.get("revision", 0),
        may_be_missed=_may_be_missed(state),
        explore=0.5 if guided else 0.38,
    )
    now = stage.clock.spent()
    return {
        "agents": now + (0.7 if guided else 0.5) * part.explore,
        "try_plans": now + part.explore,
        "implement": now + part.explore + part.implement,
    }


def current_plans(state: State) -> list[Plan]:
    """The plans of the round at work."""
    revision = state.get("revision", 0)
    return [item for item in state.get("plans", {}).values() if item.revision == revision]


def approve(state: State, stage: Stage) -> dict[str, Any]:
    """Ask before anything costly; runs again from its first line when the answer comes.

    Raises:
        ConfigurationError: without a checkpointer, which an interrupt needs.
    """
    if stage.thread_id is None:
        raise ConfigurationError(
            "require_approval=True needs a checkpointer and a thread_id: an interrupt is resumed from them."
        )
    task = state["task"]
    assert task is not None
    stage.clock.pause()
    plans = [item.model_dump(mode="json") for item in current_plans(state)]
    approved = interrupt({"approve": {"task": task.model_dump(mode="json"), "plans": plans}})
    stage.clock.resume()
    return {"approved": bool(approved), "phases": phases(state, stage, current_plans(state))}
