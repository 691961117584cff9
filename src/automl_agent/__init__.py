"""From a sentence and some data to a verified, served machine-learning model.

    from automl_agent import build_graph

    graph = build_graph()
    out = graph.invoke({"request": "Predict which customers churn. F1 at least 0.6.", "data": "churn.csv"})
    out["report"].score, out["bundle"].path

Names are imported on first use: importing the package loads no heavy library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_agent.agents.base import Agent
    from automl_agent.errors import AutoMLError, InputError
    from automl_agent.graph import build_graph
    from automl_agent.integrations.subagent import as_subagent
    from automl_agent.integrations.tool import as_tool
    from automl_agent.records import (
        Bundle,
        CandidateChoice,
        Constraint,
        DataRecipe,
        Grade,
        Note,
        Plan,
        Report,
        Request,
        Shortlist,
        Solution,
        SubTask,
        Suggestions,
        TaskResult,
        TaskSpec,
        Trial,
        Verdict,
    )
    from automl_agent.settings import Settings
    from automl_agent.verifiers.base import Verifier

    __version__: str

__all__ = [
    "Agent",
    "AutoMLError",
    "Bundle",
    "CandidateChoice",
    "Constraint",
    "DataRecipe",
    "Grade",
    "InputError",
    "Note",
    "Plan",
    "Report",
    "Request",
    "Settings",
    "Shortlist",
    "Solution",
    "SubTask",
    "Suggestions",
    "TaskResult",
    "TaskSpec",
    "Trial",
    "Verdict",
    "Verifier",
    "__version__",
    "as_subagent",
    "as_tool",
    "build_graph",
]

_ELSEWHERE = {
    "Agent": "agents.base",
    "AutoMLError": "errors",
    "InputError": "errors",
    "Settings": "settings",
    "Verifier": "verifiers.base",
    "as_subagent": "integrations.subagent",
    "as_tool": "integrations.tool",
    "build_graph": "graph",
}
"""Homes of the public names that are not records."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("automl-agent")
    else:
        value = getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'records')}"), name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
