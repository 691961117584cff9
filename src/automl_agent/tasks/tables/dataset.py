"""The data folder as workers read it: training rows, folds and test inputs. Loaded folders are kept for the process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.tasks.family import FoldData

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Dataset:
    """The training part of a data folder."""

    frame: pd.DataFrame
    target: Array
    folds: Array
    schema: dict[str, Any]
    weight: Array | None = None
    """What each row counts, where rows are weighted."""


def load(folder: Path) -> Dataset:
    """The training rows of a data folder; the same object for the same content."""
    return _load(str(folder), (folder / "schema.json").stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _load(folder: str, _stamp: int) -> Dataset:
    import numpy as np

    path = Path(folder)
    schema = json.loads((path / "schema.json").read_text(encoding="utf-8"))
    target, folds = (np.load(path / f"{name}.npy", allow_pickle=False) for name in ("target", "folds"))
    return Dataset(read_typed(path / "train.parquet", schema), target, folds, schema, _weight(path / "weight.npy"))


def _weight(path: Path) -> Array | None:
    import numpy as np

    return np.load(path, allow_pickle=False) if path.is_file() else None


def read_typed(path: Path, schema: dict[str, Any]) -> pd.DataFrame:
    """A typed frame from Parquet: labels come back as Python strings, `None` where missing."""
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    kinds = {column["name"]: column["kind"] for column in schema["columns"]}
    words = [name for name, kind in kinds.items() if kind in ("category", "boolean", "text")]
    table = pq.read_table(path, read_dictionary=words)
    data: dict[str, Any] = {}
    for position, name in enumerate(table.column_names):
        column = table.column(position)
        if name in words:
            merged = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
            levels = np.array([*merged.dictionary.to_pylist(), None], object)
            codes = merged.indices.fill_null(len(levels) - 1).to_numpy(zero_copy_only=False)
            data[name] = pd.Series(levels[codes.astype(np.int64)], dtype=object)
        elif kinds[name] == "date":
            data[name] = column.to_numpy().astype("datetime64[ns]")
        else:
            data[name] = column.to_numpy()
    return pd.DataFrame(data, index=pd.RangeIndex(table.num_rows))


def load_fold(folder: Path, index: int, *, rows: int = 0, seed: int = 0) -> FoldData:
    """One fold; the number after the last one leaves no training row out.

    Args:
        rows: when greater than 0, at most so many training rows and at most so many validation rows are taken:
            always the same for the same seed, with each class as frequent as in the whole (and there at least once).
    """
    import numpy as np

    data = load(folder)
    ordered, classes = bool(data.schema["ordered"]), len(data.schema["classes"])
    count = int(data.folds.max()) + 1
    valid = np.flatnonzero(data.folds == min(index, count - 1))  # of the whole: rows to measure the latency with
    train = np.flatnonzero(data.folds < index if ordered else data.folds != index)
    if index > count or not len(valid) or not len(train):
        raise ValueError(f"There is no fold {index}; there are {count}.")
    if rows > 0:
        random = np.random.default_rng([seed, index])
        train = sample(train, data.target, rows, classes, random)
        valid = sample(valid, data.target, rows, classes, random)
    return FoldData(
        train=data.frame.iloc[train].reset_index(drop=True),
        target=data.target[train],
        valid=data.frame.iloc[valid].reset_index(drop=True),
        valid_rows=valid,
        weight=None if data.weight is None else data.weight[train],
    )


def sample(positions: Array, target: Array, rows: int, classes: int, random: Any) -> Array:
    """At most `rows` of the positions, ascending; of each class its share, rounded so that none is lost."""
    import numpy as np

    if len(positions) <= rows:
        return positions
    shuffled = random.permutation(positions)
    if not classes:
        return np.sort(shuffled[:rows])
    codes = target[shuffled]
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=classes)
    # The middle of each row's place in its class; the first row of a class comes before all second ones.
    place = np.concatenate([np.arange(count) for count in counts]) / np.maximum(np.repeat(counts, counts), 1)
    kept = order[np.argsort(place, kind="stable")[:rows]]
    return np.sort(shuffled[kept])


def describe(folder: Path, metric: str) -> dict[str, Any]:
    """What a candidate is told about the task: `kind`, `classes`, `metric`, `positive` (a class code or `None`)."""
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    classes = list(schema["classes"])
    positive = classes.index(schema["positive"]) if schema["positive"] in classes else None
    return {"kind": schema["kind"], "classes": classes, "metric": metric, "positive": positive}


def training_truth(folder: Path) -> Array:
    """Targets of all training rows, in row order; where rows are weighted, (rows, 2) with the weights beside them."""
    return _truth(folder / "target.npy", folder / "weight.npy")


def test_inputs(folder: Path) -> pd.DataFrame:
    """Typed features of the locked test rows."""
    return read_typed(folder / "test.parquet", json.loads((folder / "schema.json").read_text(encoding="utf-8")))


def test_truth(private: Path) -> Array:
    """The same of the locked test rows: for the grader only."""
    return _truth(private / "test_target.npy", private / "test_weight.npy")


def _truth(target: Path, weight: Path) -> Array:
    import numpy as np

    truth: Array = np.load(target, allow_pickle=False)
    weights = _weight(weight)
    return truth if weights is None else np.stack([truth.astype(np.float64), weights], axis=1)
