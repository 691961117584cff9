"""Stage 11: does the built solution meet every constraint, on out-of-fold estimates and measured limits?"""

from __future__ import annotations

from typing import Any

from automl_agent.nodes.revise import room_for_revision
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.verifiers.base import SolutionCase, judge


def verify_solution(state: State, stage: Stage) -> dict[str, Any]:
    task, profile, solution = state["task"], state["profile"], state["solution"]
    assert task is not None and profile is not None and solution is not None
    case = SolutionCase(
        solution=solution,
        baseline=state["baseline"]["full"],
        task=task,
        profile=profile,
        family=stage.family(task),
    )
    revision = state.get("revision", 0)
    verdict = judge(stage.services.verifiers, "solution", case, "solution")
    return {"verdicts": {f"solution-{revision}": verdict}, "room": room_for_revision(state, stage)}
