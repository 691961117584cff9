"""Runs at once: in one folder and one home, on the same run, and for the same output folder. Real processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent.execution.ledger import Ledger
from conftest import CANCER, ROOT
from table_cases import shop
from test_family_image_classification import class_folders
from test_family_node_classification import network, write_pair
from test_family_text_classification import messages
from test_resume import finish, is_whole, litter, start, until_best, wait_for

pytestmark = pytest.mark.slow

LIMITS = ("--budget", "400", "--trials", "2", "--plans", "1", "--cpus", "1")


# ---------------------------------------------------------------- one store, many runs


def series(folder: Path) -> str:
    days = pd.date_range("2024-01-01", periods=120)
    sales = 100 + 10 * np.sin(np.arange(120) * 2 * np.pi / 7) + np.random.default_rng(0).normal(0, 2, 120)
    pd.DataFrame({"day": days, "sales": sales}).to_csv(folder / "sales.csv", index=False)
    return str(folder / "sales.csv")


def table(folder: Path, name: str, frame: pd.DataFrame) -> str:
    frame.to_csv(folder / name, index=False)
    return str(folder / name)


def graph(folder: Path) -> tuple[str, ...]:
    return write_pair(folder, *network(90))


def cases(folder: Path) -> list[tuple[str, str, str | None, tuple[str, ...]]]:
    """Family, words, target and data of the runs; some are alike, so that they share trials."""
    churn, concrete = table(folder, "shop.csv", shop(300)), str(ROOT / "examples" / "concrete.csv")
    desks = table(folder, "messages.csv", messages(120))
    groups = table(folder, "groups.csv", shop(200)[["age", "income"]])
    images = str(class_folders(folder / "images", each=10))
    trees = " Use only linear models."
    return [
        ("tabular_classification", "Predict whether a tumour is malignant.", "diagnosis", (str(CANCER),)),
        ("tabular_regression", "Predict the compressive strength." + trees, "compressive_strength", (concrete,)),
        ("tabular_clustering", "Group these customers into clusters.", None, (groups,)),
        ("text_classification", "Which desk should each message go to?", "desk", (desks,)),
        ("forecasting", "Forecast the sales of the next 7 days.", "sales", (series(folder),)),
        ("tabular_classification", "Predict whether a tumour is malignant.", "diagnosis", (str(CANCER),)),
        ("node_classification", "Which label has each node?", "label", graph(folder)),
        ("image_classification", "Classify these images, no neural networks.", None, (images,)),
        ("tabular_classification", "Predict churn." + trees, "churn", (churn,)),
        ("tabular_classification", "Predict churn." + trees, "churn", (churn,)),
    ]


SHORT = (0, 2, 5)


@pytest.mark.parametrize(
    "chosen", [pytest.param(SHORT, id="some"), pytest.param(range(10), id="ten", marks=pytest.mark.long)]
)
def test_runs_at_once_in_one_folder_do_not_mix(chosen: Any, tmp_path: Path, figure: Callable[[str], None]) -> None:
    known = cases(tmp_path)
    asked = [known[number] for number in chosen]
    processes = []
    for number, (_, words, _, data) in enumerate(asked):
        out = ("--out", f"out-{number}") if number % 2 else ()  # the others go to automl-runs
        given = [part for place in data for part in ("--data", place)]
        processes.append(start(tmp_path, words, *given, *LIMITS, *out))
    results = [finish(process) for process in processes]
    bundles = {result.get("bundle") for _, result, _ in results}
    assert len(bundles) == len(asked)
    for number, ((family, _, target, _), (status, result, err)) in enumerate(zip(asked, results, strict=True)):
        assert status in (0, 3), err
        assert result["status"] in ("delivered", "missed")
        assert result["task"]["family"] == family
        assert target is None or result["task"]["target"] == target
        out = Path(result["bundle"]).parent
        assert out == (tmp_path / f"out-{number}" if number % 2 else tmp_path / "automl-runs" / result["run_id"])
        assert is_whole(out / "bundle")
        assert json.loads((out / "bundle" / "manifest.json").read_text())["run_id"] == result["run_id"]
        assert json.loads((out / "result.json").read_text())["run_id"] == result["run_id"]
        assert result["run_id"] in (out / "report.html").read_text(encoding="utf-8")
    assert_sound(tmp_path / "home")
    assert not litter(tmp_path)
    assert all(verified(result["bundle"]) for _, result, _ in results)
    families = len({family for family, *_ in asked})
    figure(f"{len(asked)} of {len(asked)} runs at once right, of {families} families, in one folder and one home")


def verified(bundle: str) -> bool:
    command = [sys.executable, "-m", "automl_agent.cli", "verify", bundle]
    return subprocess.run(command, capture_output=True, timeout=300).returncode == 0


def assert_sound(home: Path) -> None:
    """Every SQLite file of a home is whole, and every run's threads and trials are its own."""
    files = sorted(home.rglob("*.sqlite"))
    assert {"ledger.sqlite", "trials.sqlite", "checkpoints.sqlite"} <= {path.name for path in files}
    for path in files:
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
    with closing(sqlite3.connect(home / "checkpoints.sqlite")) as connection:
        threads = {name for (name,) in connection.execute("SELECT DISTINCT thread_id FROM checkpoints")}
    assert threads == {path.name for path in (home / "runs").iterdir()}
    with closing(sqlite3.connect(home / "ledger.sqlite")) as connection:
        assert not connection.execute("SELECT * FROM leases").fetchall()


# ---------------------------------------------------------------- two processes, one run or one folder

WORDS = ("Predict whether a tumour is malignant.", "--data", str(CANCER))


def test_a_run_and_its_output_folder_belong_to_one_process(tmp_path: Path) -> None:
    """Of two that resume a run the second is told, and so is another run for the same folder; the first delivers."""
    first = start(tmp_path, *WORDS, *LIMITS, "--out", "out")
    until_best(first, tmp_path / "out")
    first.kill()
    finish(first)
    again = start(tmp_path, "--resume", "last")
    (run_id,) = (path.name for path in (tmp_path / "home" / "runs").iterdir())
    ledger = Ledger(tmp_path / "home")
    assert wait_for(lambda: ledger.worker_of(run_id) == again.pid)
    os.kill(again.pid, signal.SIGSTOP)  # it stays at work as long as this takes
    others = [start(tmp_path, "--resume", run_id), start(tmp_path, *WORDS, *LIMITS, "--out", "./out/")]
    told = [finish(process) for process in others]
    os.kill(again.pid, signal.SIGCONT)
    assert [(status, result) for status, result, _ in told] == [(2, {}), (2, {})]
    assert told[0][2] == (
        f"automl-agent: error: Run {run_id} is already being worked on by process {again.pid}. "
        "Wait until it ends, or stop that process.\n"
    )
    assert told[1][2] == (
        f"automl-agent: error: Output folder {tmp_path / 'out'} belongs to run {run_id}, which process {again.pid} is "
        "working on. Give another one with --out, or wait until that run ends.\n"
    )
    assert [path.name for path in (tmp_path / "home" / "runs").iterdir()] == [run_id], "the other run never began"
    status, result, err = finish(again)
    assert status == 0, err
    assert json.loads((tmp_path / "out" / "result.json").read_text())["run_id"] == result["run_id"] == run_id
    assert is_whole(tmp_path / "out" / "bundle")
