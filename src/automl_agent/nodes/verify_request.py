"""Stage 1: decides only whether this is machine learning."""

from __future__ import annotations

from typing import Any

from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.verifiers.base import RequestCase, judge


def verify_request(_state: State, stage: Stage) -> dict[str, Any]:
    model = stage.language_model
    case = RequestCase(stage.request, client=model.client if model else None)
    verdict = judge(stage.services.verifiers, "request", case, "request")
    update: dict[str, Any] = {"verdicts": {"request": verdict}}
    if model is not None and stage.settings.write_code and stage.sandbox_problem:
        update["warnings"] = {"sandbox": f"No code was written by the language model: {stage.sandbox_problem}"}
    return update
