"""What all tests share. Strict checkpoints are switched on before LangGraph is imported."""

import os
from collections.abc import Callable

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
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say what a test measured: printed when all tests are done, for `docs/reliability.md`."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests measured."""
    ended = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    told = [f"{report.nodeid}\n    {text}" for report in ended if report.when == "call"
            for name, text in report.user_properties if name == "figure"]  # fmt: skip
    if told:
        terminalreporter.section("figures")
        terminalreporter.line("\n".join(sorted(told)))


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
