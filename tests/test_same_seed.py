"""The same seed gives the same result: on other numbers of cores, and whatever Python's hashes are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hostile_case import Case, graph, messages, pictures, waves
from real_tables import OWN

pytestmark = pytest.mark.slow
EXACT = 1e-9
ONE, OTHER = ("--cpus", "1"), ("--cpus", "2")
NODES, EDGES = graph()
WINE, DIABETES = OWN["wine"].read(), OWN["diabetes"].read()
SETS = {
    "tabular_classification": Case("", {"wine.csv": WINE}, "Predict target", ("wine.csv",)),
    "tabular_regression": Case("", {"diabetes.csv": DIABETES}, "Predict target by RMSE", ("diabetes.csv",)),
    "tabular_clustering": Case("", {"wine.csv": WINE}, "Find groups of wines; target is only there to check the result",
                               ("wine.csv",)),
    "text_classification": Case("", {"mail.csv": messages()}, "Which desk answers a message?", ("mail.csv",)),
    "image_classification": Case("", pictures(), "Classify these images", ("set",)),
    "forecasting": Case("", {"load.csv": waves()}, "Forecast the load for the next 12 hours", ("load.csv",)),
    "node_classification": Case("", {"nodes.csv": NODES, "edges.csv": EDGES}, "Predict the label of each node",
                                ("nodes.csv", "edges.csv")),
}  # fmt: skip


def finished(case: Case, folder: Path, hashes: int, *argv: str) -> dict[str, Any]:
    """The result of a run in a process and a home of its own."""
    folder.mkdir()
    case.write(folder)
    command = [sys.executable, "-m", "automl_agent.cli", "run", case.words, "--data", *case.data, "--home", "home",
               "--out", "out", "--seed", "7", "--trials", "6", "--budget", "280", "--json", *argv]  # fmt: skip
    environment = {**os.environ, "PYTHONHASHSEED": str(hashes), "LANGGRAPH_STRICT_MSGPACK": "true"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def trials(folder: Path) -> list[str]:
    """What was trained, and how well it did; in an order of its own, since jobs end as they can."""
    lines = next(folder.glob("home/runs/*/events*")).read_text(encoding="utf-8").splitlines()
    found = [event["trial"] for event in map(json.loads, lines) if event["kind"] == "trial_finished"]
    return sorted(f"{trial['candidate']} {trial['params']} {trial['score']}" for trial in found)


@pytest.mark.parametrize(
    "family",
    [name if name == "tabular_classification" else pytest.param(name, marks=pytest.mark.long) for name in SETS],
)
def test_the_same_seed_gives_the_same_result(family: str, tmp_path: Path, figure: Callable[[str], None]) -> None:
    one = finished(SETS[family], tmp_path / "one", 1, *ONE)
    other = finished(SETS[family], tmp_path / "other", 2, *OTHER)
    assert one["task"] == other["task"] and one["task"]["family"] == family
    assert [(plan["title"], plan["notes"]) for plan in one["plans"]] == [
        (plan["title"], plan["notes"]) for plan in other["plans"]
    ]
    assert trials(tmp_path / "one") == trials(tmp_path / "other")
    numbers = [name for name, value in one["metric"].items() if not isinstance(value, str | bool)]
    for name in numbers:
        assert other["metric"][name] == pytest.approx(one["metric"][name], rel=EXACT, abs=EXACT), name
    first, second = (pd.read_csv(result["predictions"]) for result in (one, other))
    difference = float(np.abs(first.select_dtypes("number") - second.select_dtypes("number")).to_numpy().max())
    assert difference <= EXACT
    pd.testing.assert_frame_equal(first, second, rtol=EXACT, atol=EXACT)
    figure(f"{family}: two runs of one seed, 1 and 2 workers, other hashes: the same {len(one['plans'])} plans and "
           f"{len(trials(tmp_path / 'one'))} trials, predictions differ by {difference:.1g} at most")  # fmt: skip
