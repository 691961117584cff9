"""A small finished bundle for tests, made as a run makes it: data, fold folders, `write_bundle`, `finish_bundle`."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import automl_agent
from automl_agent.delivery.bundle import BundleContent, MemberFiles, write_bundle
from automl_agent.delivery.jobs import finish_bundle
from automl_agent.records import DataProfile, Finding, Member, TaskSpec
from automl_agent.tasks.candidate import load_candidate, load_shared, read_candidate, travelling
from automl_agent.tasks.family import MetricSpec
from automl_agent.tasks.tables import dataset

SHARED = Path(automl_agent.__file__).parent / "tasks" / "tables" / "shared"
FOLDS, ROWS = 3, 90

TINY = '''
"""Least squares on two columns and a category, for tests."""
import json
from pathlib import Path
import numpy as np
from tiny_prepare import matrix

TITLE = "Tiny"
TAGS = ("tiny",)
PORTFOLIO = [{"ridge": 1.0}]
SPACE = {"ridge": {"type": "float", "low": 0.1, "high": 10.0, "log": True}}
REQUIRES = ("numpy",)


class Model:
    def __init__(self, task, params, steps, seed, threads=1, time_limit=None):
        self.task, self.params = task, params

    def fit(self, frame, target):
        x, y = matrix(frame), np.asarray(target, float)
        if self.task["kind"] == "classification":
            y = np.eye(len(self.task["classes"]))[target]
        self.weights = np.linalg.solve(x.T @ x + self.params["ridge"] * np.eye(x.shape[1]), x.T @ y)
        return self

    def predict(self, frame):
        scores = matrix(frame) @ self.weights
        if self.task["kind"] == "classification":
            scores = np.exp(4 * scores)
            scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def save(self, folder):
        state = {"task": self.task, "params": self.params, "weights": self.weights.tolist()}
        Path(folder, "tiny.json").write_text(json.dumps(state))

    @classmethod
    def load(cls, folder):
        state = json.loads(Path(folder, "tiny.json").read_text())
        model = cls(state["task"], state["params"], [], 0)
        model.weights = np.array(state["weights"])
        return model
'''

TINY_PREPARE = """
import numpy as np


def matrix(frame):
    red = (frame["colour"] == "red").to_numpy(float)
    numbers = frame[["mean radius", "size"]].fillna(5.0).to_numpy()
    return np.column_stack([np.ones(len(frame)), numbers / 10, red])
"""


def make_table(path: Path, kind: str, shift: float = 0.0) -> list[dict[str, str]]:
    """A CSV whose target depends on its columns; a missing value, dates and formulas are in it."""
    rows = []
    for i in range(ROWS + 20):
        radius, size = (i * 37 % 100) / 10 + shift, "" if i % 17 == 3 else str(i * 53 % 89 / 10)
        colour = ("red", "green", "blue")[i % 3]
        score = radius + (3 if colour == "red" else 0) + (i * 29 % 7) / 4
        target = f"{score:.2f}" if kind == "regression" else "malignant" if score > 7 else "benign"
        rows.append({"mean radius": f"{radius}", "size": size, "colour": colour, "seen": f"2024-01-{i % 28 + 1:02d}",
                     "note": f"=patient {i}", "diagnosis": target})  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def make_schema(kind: str) -> dict[str, Any]:
    classes = ["benign", "malignant"] if kind == "classification" else []
    return {
        "family": f"tabular_{kind}", "kind": kind, "target": "diagnosis", "classes": classes,
        "positive": "malignant" if classes else None, "ordered": False,
        "read": {"format": "csv", "delimiter": ",", "encoding": "utf-8", "header": True, "decimal": "."},
        "columns": [
            {"name": "mean radius", "kind": "number", "integer": False, "min": 0.0, "max": 9.9, "median": 5.0},
            {"name": "size", "kind": "number", "integer": False, "min": 0.0, "max": 8.8, "median": 4.4},
            {"name": "colour", "kind": "category", "values": ["red", "green", "blue"], "distinct": 3, "mode": "red"},
            {"name": "seen", "kind": "date", "format": None, "min": "2024-01-01", "max": "2024-01-28"},
        ],
        "dropped": [{"name": "note", "reason": "id"}],
        "sample": {"mean radius": 1.5, "size": 2.0, "colour": "red", "seen": "2024-01-05"},
    }  # fmt: skip


def make_data(folder: Path, table: Path, kind: str) -> Path:
    """The data folder of the table: its first rows for training, the last 20 for the test."""
    import numpy as np
    import pandas as pd

    table_io = load_shared(SHARED / "table_io.py", (SHARED,))
    folder.mkdir(parents=True)
    schema = make_schema(kind)
    raw = table_io.read(table, schema["read"])
    rows = np.arange(ROWS)[::-1].copy()
    frame = table_io.typed(raw.iloc[rows].reset_index(drop=True), schema)
    frame.to_parquet(folder / "train.parquet")
    table_io.typed(raw.iloc[ROWS:], schema).to_parquet(folder / "test.parquet")
    np.save(folder / "target.npy", table_io.encode_target(raw["diagnosis"].iloc[rows], schema))
    np.save(folder / "folds.npy", (np.arange(ROWS) % FOLDS).astype(np.int16))
    np.save(folder / "rows.npy", rows)
    np.save(folder / "test_rows.npy", np.arange(ROWS, ROWS + 20))
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    assert isinstance(frame, pd.DataFrame)
    return folder


def fit_folds(
    candidate: Path, shared: tuple[Path, ...], data: Path, out: Path, kind: str, params: dict[str, Any]
) -> dict[int, Path]:
    """What the trial of a candidate leaves: a folder for each fold."""
    import numpy as np
    import pandas as pd

    schema = json.loads((data / "schema.json").read_text())
    frame = load_shared(SHARED / "table_io.py", (SHARED,)).typed(pd.read_parquet(data / "train.parquet"), schema)
    target, folds = np.load(data / "target.npy"), np.load(data / "folds.npy")
    task = {
        "kind": kind,
        "classes": schema["classes"],
        "metric": "accuracy",
        "positive": 1 if schema["classes"] else None,
    }
    found = {}
    for fold in range(FOLDS):
        module = load_candidate(candidate, shared)
        model = module.Model(task, params, [], 0).fit(
            frame[folds != fold].reset_index(drop=True), target[folds != fold]
        )
        found[fold] = out / f"fold{fold}"
        (found[fold] / "model").mkdir(parents=True)
        model.save(found[fold] / "model")
        np.save(found[fold] / "valid.npy", np.flatnonzero(folds == fold))
        np.save(found[fold] / "oof.npy", model.predict(frame[folds == fold].reset_index(drop=True)))
    return found


def make_content(
    root: Path, kind: str = "classification", candidate: Path | None = None, **changes: Any
) -> BundleContent:
    """Everything that a bundle is made of, in `root` (`table.csv`, `data/`, `trials/`)."""
    modules = set(sys.modules)
    shared = root / "home" / "shared"
    (root / "home" / "candidates").mkdir(parents=True)
    shared.mkdir()
    for path in (SHARED / "table_io.py", *travelling(SHARED / "table_io.py", (SHARED,))):
        shutil.copyfile(path, shared / path.name)
    (shared / "tiny_prepare.py").write_text(TINY_PREPARE)
    (root / "home" / "candidates" / "tiny.py").write_text(TINY)
    make_table(root / "table.csv", kind)
    data = make_data(root / "data", root / "table.csv", kind)
    members = []
    path = candidate or root / "home" / "candidates" / "tiny.py"
    home = (SHARED,) if candidate else (shared,)
    for index, ridge in enumerate((1.0, 5.0)):
        params = {} if candidate else {"ridge": ridge}
        before = list(sys.path)
        folds = fit_folds(path, home, data, root / "trials" / str(index), kind, params)
        sys.path[:] = before
        member = Member(
            trial=f"t{index}", candidate=path.stem, params=params, weight=0.75 - 0.5 * index, folds=tuple(folds)
        )
        members.append(MemberFiles(member, read_candidate(path, home), folds, folds, fit_seconds=2.0 - index))
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith((str(root), str(SHARED))):
            del sys.modules[name]
    metric = "accuracy" if kind == "classification" else "rmse"
    values: dict[str, Any] = {
        "run_id": "run-1",
        "family": SimpleNamespace(
            name=f"tabular_{kind}",
            shared=home,
            reader="table_io.py",
            files=(),
            describe=dataset.describe,
        ),
        "task": TaskSpec(words="Who is ill?\n# No heading | <b>", family=f"tabular_{kind}", target="diagnosis"),
        "profile": DataProfile(
            family=f"tabular_{kind}",
            fingerprint="f" * 64,
            data="data",
            rows_train=ROWS,
            rows_test=20,
            columns=4,
            kinds={"number": 2},
            findings=(Finding(kind="id", text="note is an id"),),
        ),
        "metric": MetricSpec(metric, metric, kind == "classification"),
        "members": tuple(members),
        "temperature": 1.0,
        "threshold": None,
        "score": 0.9,
        "spread": None if kind == "classification" else 1.5,
        "data": data,
        "seed": 0,
    }  # fmt: skip
    return BundleContent(**(values | changes))


def make_bundle(root: Path, kind: str = "classification", **changes: Any) -> Path:
    """A finished bundle in `root/bundle`."""
    content = make_content(root, kind, **changes)
    write_bundle(root / "bundle", content)
    finish_bundle(str(root / "bundle"), str(content.data))
    return root / "bundle"
