"""Small tables and calls that the tests of reading, splitting and leaks share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks.tables.acquiring import acquire


def shop(rows: int = 60, seed: int = 0) -> pd.DataFrame:
    """A plain table: two numbers, a category, and a class that follows from them with noise."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "age": random.integers(18, 80, rows),
        "income": random.normal(3000, 800, rows).round(2),
        "city": random.choice(["Bern", "Oslo", "Rome"], rows),
    })  # fmt: skip
    noisy = frame["income"] + random.normal(0, 800, rows) > 3000
    frame["churn"] = np.where(noisy, "yes", "no")
    return frame


def acquired(tmp_path: Path, data: Any, target: str | None = "churn", *, kind: Any = "classification", seed: int = 0,
             test: Any = None, **task: Any) -> tuple[DataProfile, Path, Path]:  # fmt: skip
    """Acquire a frame (written as CSV) or a path; gives profile, data folder and private folder."""
    paths = []
    for name, given in (("table.csv", data), ("test.csv", test)):
        if isinstance(given, pd.DataFrame):
            given.to_csv(tmp_path / name, index=False)
            given = tmp_path / name
        paths.append(None if given is None else str(given))
    request = Request(words="predict", data=(paths[0],), test_data=paths[1])
    spec = TaskSpec(words="predict", family="tabular_classification", target=target, **task)
    folder, private = tmp_path / "data", tmp_path / "private"
    profile = acquire(spec, request, folder, private, seed=seed, test_share=0.2, kind=kind)
    return profile, folder, private


def schema(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "schema.json").read_text())
    return found


def kinds(profile: DataProfile) -> set[str]:
    """Kinds of findings."""
    return {finding.kind for finding in profile.findings}
