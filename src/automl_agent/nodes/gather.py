"""Where the parallel sub-task agents meet: all results of a round are in before any plan is tried."""

from __future__ import annotations

from typing import Any

from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State


def gather(state: State, stage: Stage) -> dict[str, Any]:
    for result in state.get("results", {}).values():
        if result.plan.startswith(f"r{state.get('revision', 0)}") and result.summary:
            stage.remark(f"{result.plan} {result.role}: {result.summary}")
    return {}
