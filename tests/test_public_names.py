"""The public surface: what `automl_agent` offers, and that importing it costs nothing."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import automl_agent

NAMES = [
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
"""A name joins or leaves the public surface here, on purpose."""

TESTING = [
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
HEAVY = (
    "pandas",
    "numpy",
    "torch",
    "lightgbm",
    "chromadb",
    "langgraph",
    "langchain_core",
    "sklearn",
    "optuna",
    "pydantic",
)


def loaded_by(code: str) -> list[str]:
    """Which of the heavy libraries a fresh interpreter has loaded after this code."""
    probe = f"{code}\nimport sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()


def test_the_public_names_are_these() -> None:
    assert sorted(automl_agent.__all__) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(automl_agent, name) is not None
    assert name in dir(automl_agent)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = automl_agent.no_such_name


def test_testing_doubles_are_public() -> None:
    testing = importlib.import_module("automl_agent.testing")
    assert [name for name in TESTING if hasattr(testing, name)] == TESTING


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import automl_agent") == []


def test_records_load_no_data_libraries() -> None:
    assert loaded_by("from automl_agent import Request, Settings, InputError") == ["pydantic"]


def test_building_a_graph_loads_no_data_libraries() -> None:
    loaded = loaded_by("from automl_agent import build_graph; build_graph()")
    assert "langgraph" in loaded
    assert not {"pandas", "torch", "lightgbm", "chromadb", "sklearn", "optuna"} & set(loaded)
