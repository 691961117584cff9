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
