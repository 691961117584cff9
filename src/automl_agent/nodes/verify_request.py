"""Stage 1: decides only whether this is machine learning."""

from __future__ import annotations

from typing import Any

from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.verifiers.base import RequestCase, judge


def verify_request(_state: State, stage: Stage) -> dict[str, Any]:
    request = stage.request
    verdict = judge(stage.services.verifiers, "request", RequestCase(request), "request")
    update: dict[str, Any] = {"verdicts": {"request": verdict}}
    if stage.services.team.models.by_role:
        text = "A language model was given; the agents of this release work by rules and did not call it."
        update["warnings"] = {"model": text}
    return update
