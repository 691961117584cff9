"""What goes to the data folder (`dataset.py` reads it), and how it is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.tasks.tables.partition import row_hashes

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Typed rows with their targets."""

    frame: pd.DataFrame
    target: Array
    positions: Array
    """Where they stand in the file as read."""
    weight: Array | None = None
    """What each row counts, where rows are weighted."""

    def take(self, rows: Array) -> Rows:
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.frame.iloc[rows].reset_index(drop=True), self.target[rows], self.positions[rows], weight)


@dataclass(frozen=True)
class Materials:
    """All that goes to the data folder."""

    schema: dict[str, Any]
    train: Rows
    test: Rows
    folds: Array
    facts: list[dict[str, Any]]


def sample_row(schema: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """The first row with the fewest missing values, as JSON."""
    lost = frame.iloc[:200].isna().sum(axis=1).to_numpy()
    row = int(lost.argmin())
    values: dict[str, Any] = {}
    for column in schema["columns"]:
        value = frame[column["name"]].iloc[row]
        if value is None or value != value:
            values[column["name"]] = None
        elif column["kind"] == "number":
            values[column["name"]] = int(value) if column["integer"] and abs(value) < 2**53 else float(value)
        elif column["kind"] == "date":
            values[column["name"]] = value.strftime(column["format"]) if column["format"] else value.isoformat()
        else:
            values[column["name"]] = str(value)[:2000]
    return values


def write(materials: Materials, folder: Path, private: Path) -> None:
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    private.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", materials.train), ("test", materials.test)):
        rows.frame.to_parquet(folder / f"{name}.parquet", index=False)
    np.save(private / "test_target.npy", materials.test.target)
    for path, weight in ((folder / "weight.npy", materials.train.weight),
                         (private / "test_weight.npy", materials.test.weight)):  # fmt: skip
        if weight is not None:
            np.save(path, weight)
    arrays = {"target": materials.train.target, "folds": materials.folds, "rows": materials.train.positions,
              "test_rows": materials.test.positions}  # fmt: skip
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    (folder / "columns.json").write_text(json.dumps(materials.facts, allow_nan=False), encoding="utf-8")
    (folder / "schema.json").write_text(json.dumps(materials.schema, allow_nan=False), encoding="utf-8")


def fingerprint(materials: Materials) -> str:
    """Hash of what a trial depends on: the typed rows, targets, weights, folds and test rows, and kinds of columns."""
    digest = hashlib.sha256()
    for values in (
        row_hashes(materials.train.frame),
        materials.train.target,
        materials.folds,
        row_hashes(materials.test.frame),
    ):
        digest.update(values.tobytes())
    for weight in (materials.train.weight, materials.test.weight):
        if weight is not None:
            digest.update(weight.tobytes())
    schema = {key: materials.schema[key] for key in ("kind", "target", "classes", "positive", "ordered")}
    columns = [[column["name"], column["kind"]] for column in materials.schema["columns"]]
    digest.update(json.dumps([schema, columns], sort_keys=True).encode())
    return digest.hexdigest()
