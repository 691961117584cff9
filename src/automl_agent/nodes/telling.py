"""The result in a language model's words, from facts that the library measured."""

from __future__ import annotations

from typing import Any

from automl_agent.agents.data_view import veil_of
from automl_agent.agents.with_model.reporter import shown, summarised
from automl_agent.delivery.subgroups import weak_groups
from automl_agent.delivery.words import model_name
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import CodeModule, Report

LEAST = 3.0
"""Seconds below which the model is not asked."""
SHARE = 0.1


def told(state: State, stage: Stage, result: Report) -> Report:
    """The result with the model's summary, where there is a model, time, and nothing invented in its words."""
    model, task, profile = stage.language_model, state.get("task"), state.get("profile")
    patience = min(stage.patience(SHARE), stage.left())
    if model is None or task is None or profile is None or not model.speaks("report") or patience < LEAST:
        return result
    veil = veil_of(stage.artifacts.path(profile.data), model)
    facts = {
        name: [veil.hide_text(str(item)) for item in value] if isinstance(value, list) else value
        for name, value in _facts(state, result).items()
    }
    facts["request"] = veil.hide_text(task.words)
    facts["target"] = veil.hide(task.target) if task.target else None
    text, problem = summarised(
        shown(facts), model, language=task.user.language, expertise=task.user.expertise, patience=patience
    )
    if text:
        return result.model_copy(update={"summary": veil.reveal_text(text), "summary_by": "model"})
    stage.remark(f"The language model's summary is left out: {problem}", "warning")
    return result


def _facts(state: State, result: Report) -> dict[str, Any]:
    task, solution, profile, grade = state["task"], state["solution"], state["profile"], state["grade"]
    assert task is not None and solution is not None and profile is not None and grade is not None
    values = weak_groups(grade, task)  # they hold values of a column, perhaps of one that is nobody's business
    return {
        "status": result.status,
        "metric": result.metric,
        "requirements": [check.text for check in result.constraints],
        "training_rows": profile.rows_train,
        "test_rows": profile.rows_test,
        "columns": profile.columns,
        "latency_ms": solution.latency_ms,
        "size_mb": solution.size_mb,
        "members": [f"{model_name(member.candidate)} with weight {member.weight:.2f}" for member in solution.members],
        "plans": [f"{plan['title']}: {plan['verdict']}, best score {plan['score']}" for plan in result.plans],
        "written_code": [f"{module.title}: {module.status}, {module.reason}" for module in modules(state)],
        "trials": solution.trials_run,
        "revisions": result.revisions,
        "warnings": [warning[:200] for warning in result.warnings if warning not in values][:6],
    }  # fmt: skip


def modules(state: State) -> tuple[CodeModule, ...]:
    """All that a language model wrote in this run."""
    return tuple(module for result in state.get("results", {}).values() for module in result.modules)
