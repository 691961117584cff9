"""A second executor, whose workers are reached through a socket: the same contract and the same search."""

import os
import time
from pathlib import Path

import pytest

from automl_agent import Settings, build_graph
from automl_agent.testing import StaticRetriever, check_executor
from conftest import CANCER
from remote_executor import SocketExecutor


@pytest.fixture
def remote():
    with SocketExecutor() as executor:
        yield executor


def children(pid: int) -> list[int]:
    return [int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]


def all_gone(pid: int) -> bool:
    """Whether a process has no children any more, some time after their connections were closed."""
    until = time.monotonic() + 20
    while children(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not children(pid)


def test_the_remote_executor_keeps_the_contract(remote):
    check_executor(remote)
    assert all_gone(remote.server.pid)


@pytest.mark.slow
def test_a_whole_run_through_workers_on_a_socket(remote, place):
    started = set(children(os.getpid()))
    at_work: set[int] = set()
    graph = build_graph(executor=remote, retriever=StaticRetriever([]))
    settings = Settings(budget=120, trials=12, max_revisions=0)
    report = None
    request = {"request": "Predict whether a tumour is malignant. Accuracy at least 0.9.", "data": str(CANCER)}
    for mode, event in graph.stream(request, context=settings, stream_mode=["custom", "values"]):
        if mode == "values":
            report = event.get("report")
        elif event.kind == "trial_finished":
            at_work |= set(children(remote.server.pid))
            assert set(children(os.getpid())) <= started, "the host trains nothing itself"
    assert at_work
    assert report is not None
    assert report.status == "delivered"
    assert all_gone(remote.server.pid), "the run's workers end with it"
