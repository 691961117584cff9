"""What all tests share. Strict checkpoints are switched on before LangGraph is imported."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CANCER = ROOT / "examples" / "breast_cancer.csv"


def pytest_configure() -> None:
    """Share the cores out among parallel test processes: runs on cores of their own do not wait for each other."""
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", ""), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[int(worker.removeprefix("gw")) % len(cores) :: count])


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
