"""Test doubles and contract checks, for the tests of whoever extends the library.

graph = build_graph(executor=InlineExecutor(), retriever=StaticRetriever(notes))
check_candidate(Path("my_model.py"), kind="classification")
check_executor(MyExecutor())

model = ScriptedChatModel.by_role({"planner": [{"plans": [...]}]}, otherwise=faults.REFUSAL)
with ModelServer(by_schema({"PlansDraft": {...}}), fault=faults.RATE_LIMITED.first(1)) as server: ...

Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_agent.testing import faults
    from automl_agent.testing.candidates import check_candidate
    from automl_agent.testing.chat import ScriptedChatModel
    from automl_agent.testing.doubles import InlineExecutor, StaticRetriever
    from automl_agent.testing.exchange import Call, Fault, Reply
    from automl_agent.testing.executors import check_executor
    from automl_agent.testing.model_server import ModelServer
    from automl_agent.testing.script import ScriptEnded, by_role, by_schema, by_words

__all__ = [
    "Call",
    "Fault",
    "InlineExecutor",
    "ModelServer",
    "Reply",
    "ScriptEnded",
    "ScriptedChatModel",
    "StaticRetriever",
    "by_role",
    "by_schema",
    "by_words",
    "check_candidate",
    "check_executor",
    "faults",
]

_HOMES = {
    "Call": "exchange",
    "Fault": "exchange",
    "InlineExecutor": "doubles",
    "ModelServer": "model_server",
    "Reply": "exchange",
    "ScriptedChatModel": "chat",
    "StaticRetriever": "doubles",
    "check_candidate": "candidates",
    "check_executor": "executors",
}
"""Homes of the names that are not in `script`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "faults":
        return import_module(f"{__name__}.faults")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'script')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
