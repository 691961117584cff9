"""What all tests share. Strict checkpoints are switched on before LangGraph is imported."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CANCER = ROOT / "examples" / "breast_cancer.csv"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, which is also where the library keeps its things."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOML_AGENT_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Runs with and without language models that share what they train."""
    from model_runs import Runs

    return Runs(tmp_path_factory)
