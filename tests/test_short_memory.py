"""Memory too small for the data, for a training, or for all workers at once: a run goes on with less, and says so."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent import Report, Request, Settings, build_graph
from automl_agent.errors import InputError
from automl_agent.execution.local import LocalExecutor
from automl_agent.execution.memory import Room
from automl_agent.nodes import acquire_data
from automl_agent.nodes.stage import Stage
from conftest import CANCER
from table_cases import shop
from test_resume import finish, is_whole, start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the memory of a worker is read from /proc"),
]

QUICK = Settings(budget=200, trials=4, plans=1, cpus=2, retrieval=False, experience="off")


def run(words: str, data: Path | str, settings: Settings = QUICK, executor: LocalExecutor | None = None) -> Report:
    graph = build_graph(settings=settings, executor=executor)
    report: Report = graph.invoke({"request": Request(words=words, data=(str(data),))})["report"]
    return report


# ---------------------------------------------------------------- for the data


def test_data_too_large_for_a_worker_are_used_in_part(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquire_data, "CELL_BYTES", 10**9)  # weigh them, however small they are
    monkeypatch.setattr(acquire_data, "LOADED", 1e-4)
    shop(30_000).to_csv("shop.csv", index=False)
    report = run("Predict churn. Use only linear models.", "shop.csv")
    used = report.task["rows_train"] + report.task["rows_test"]
    assert report.status == "delivered" and 200 <= used < 30_000
    (text,) = [text for text in report.warnings if "too large for the" in text]
    assert f"a sample of {used:,} rows is used" in text and "--max-memory" in text
    page = Path(report.report or "").read_text(encoding="utf-8")
    assert text in page and f"shop.csv has 30,000 rows, of which {used:,} are used at most" in page
    assert is_whole(Path(report.bundle or ""))


@pytest.mark.long
def test_data_that_fit_are_used_whole(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquire_data, "CELL_BYTES", 10**9)
    shop(2000).to_csv("shop.csv", index=False)
    report = run("Predict churn. Use only linear models.", "shop.csv")
    assert report.task["rows_train"] + report.task["rows_test"] == 2000
    assert not [text for text in report.warnings if "memory" in text]


def test_memory_too_small_for_anything_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "room", property(lambda self: Room(1, 60.0)))
    with pytest.raises(InputError, match=r"do not fit into the 60 MB of memory .*--max-memory"):
        run("Predict whether a tumour is malignant.", CANCER)


@pytest.mark.long
def test_a_large_table_within_the_least_memory(tmp_path: Path, figure: Callable[[str], None]) -> None:
    draw, rows = np.random.default_rng(0), 400_000
    columns = {
        f"s{i}": np.char.add(f"value-number-{i}-", draw.integers(0, 200_000, rows).astype(str)) for i in range(9)
    }
    frame = pd.DataFrame(columns).assign(number=draw.normal(size=rows))
    frame["bought"] = np.where(frame["number"] + draw.normal(size=rows) > 0, "yes", "no")
    frame.to_csv(tmp_path / "large.csv", index=False)
    given = ("--data", str(tmp_path / "large.csv"), "--target", "bought", "--budget", "150", "--no-retrieval")
    status, result, err = finish(start(tmp_path, "Predict who bought", *given, "--max-memory", "1000"))
    assert status == 0, err
    used = result["task"]["rows_train"] + result["task"]["rows_test"]
    assert result["score"] > 0.7 and used < rows
    assert any("too large for the 500 MB" in text for text in result["warnings"])
    assert not any("No model was trained" in text or "There was no time" in text for text in result["warnings"])
    figure(f"4.4 million cells within 1,000 MB: {used:,} of {rows:,} rows used, accuracy {result['score']:.3f}")


# ---------------------------------------------------------------- for all workers at once


class Reaper(threading.Thread):
    """Kills workers at work, as a system does that has no memory left: so many, one every now and then."""

    def __init__(self, executor: LocalExecutor, kills: int) -> None:
        super().__init__(daemon=True)
        self.executor, self.kills, self.begun, self.done = executor, kills, threading.Event(), threading.Event()
        self.killed: list[int] = []

    def run(self) -> None:
        self.begun.wait(120)
        while len(self.killed) < self.kills and not self.done.wait(0.02):
            for pool in list(self.executor._pools.values()):
                for slot in pool._slots:
                    task, worker = slot._task, slot._worker
                    if task and worker and slot._began and not task.again and worker.pid not in self.killed:
                        os.kill(worker.pid, signal.SIGKILL)
                        self.killed.append(worker.pid)
                        self.done.wait(0.3)
                        break


@pytest.mark.parametrize("kills", [2, pytest.param(15, marks=pytest.mark.long)])
def test_a_run_whose_workers_the_system_kills_goes_on_with_fewer(
    kills: int, place: Path, figure: Callable[[str], None]
) -> None:
    executor = LocalExecutor()
    reaper = Reaper(executor, kills)
    reaper.start()
    settings = QUICK.model_copy(update={"trials": 4 + kills})
    graph = build_graph(settings=settings, executor=executor)
    report: Any = None
    request = Request(words="Predict whether a tumour is malignant.", data=(str(CANCER),))
    for kind, part in graph.stream({"request": request}, stream_mode=["custom", "values"]):
        if kind == "custom" and part.kind == "stage_started" and part.stage == "baseline":
            reaper.begun.set()
        if kind == "values":
            report = part.get("report")
    reaper.done.set()
    reaper.join(10)
    assert len(reaper.killed) == kills
    assert report.status == "delivered" and report.score > 0.9
    (text,) = [text for text in report.warnings if "killed workers" in text]
    assert "fewer workers at once" in text and "--cpus" in text
    assert text in Path(report.report).read_text(encoding="utf-8")
    assert is_whole(Path(report.bundle))
    figure(f"{kills} workers at work killed with SIGKILL: the run delivered and says so")
