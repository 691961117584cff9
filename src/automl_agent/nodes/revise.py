"""Stage 12: what failed goes back to planning, with its evidence; and when there is no room for that, it goes on."""

from __future__ import annotations

from typing import Any

from automl_agent.agents.reviser import gather_evidence
from automl_agent.agents.with_model.reviser import advised
from automl_agent.nodes.make_plans import current_plans, new_steps
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.search.budget import delivery_reserve

ADVICE = 0.06
"""Share of the budget that a language model may take to say what to aim at."""
LEAST = 4.0
"""Seconds below which another round could not run a single new candidate."""


def revise(state: State, stage: Stage) -> dict[str, Any]:
    task = state["task"]
    assert task is not None
    revision = state.get("revision", 0)
    verdicts = [state["verdicts"][plan.id] for plan in current_plans(state)]
    if f"solution-{revision}" in state["verdicts"]:
        verdicts.append(state["verdicts"][f"solution-{revision}"])
    evidence = gather_evidence(
        stage.family(task),
        task.metric,
        verdicts,
        list(state.get("trials", {}).values()),
        state.get("solution"),
        new_steps(state, stage),
        revision,
    )
    model, profile = stage.language_model, state["profile"]
    if model is not None and profile is not None and model.speaks("reviser"):
        data = stage.artifacts.path(profile.data)
        evidence = advised(evidence, task, profile, data, model, stage.patience(ADVICE))
    for reason in evidence.failed:
        stage.remark(f"Revision {revision + 1}: {reason}")
    return {"evidence": {str(revision): evidence}, "revision": revision + 1}


def room_for_revision(state: State, stage: Stage) -> bool:
    """Whether another round is allowed and could do anything in the time left."""
    if state.get("revision", 0) >= stage.settings.max_revisions:
        return False
    trials = stage.request.trials or stage.settings.trials
    if trials is not None and sum(state.get("counts", {}).values()) >= trials:
        return False
    profile = state["profile"]
    assert profile is not None
    return stage.left() - delivery_reserve(stage.budget, profile.rows_train + profile.rows_test) >= LEAST
