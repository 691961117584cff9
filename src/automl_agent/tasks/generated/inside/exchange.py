"""Typed frames as files, on both sides of the sandbox: what is read back equals what was written, types included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write `path` (Parquet) and, beside it, the types of its columns."""
    frame.to_parquet(path, index=False)
    path.with_suffix(".types.json").write_text(json.dumps([str(dtype) for dtype in frame.dtypes]), encoding="utf-8")


def read_frame(path: Path) -> pd.DataFrame:
    """Read what `write_frame` wrote: objects are texts, or `None` where missing."""
    import pyarrow.parquet as pq

    kinds = json.loads(path.with_suffix(".types.json").read_text(encoding="utf-8"))
    table = pq.read_table(path)
    data: dict[str, Any] = {}
    for name, kind, column in zip(table.column_names, kinds, table.columns, strict=True):
        if kind == "object":
            data[name] = pd.Series(column.to_pylist(), dtype=object)
        else:
            data[name] = column.to_numpy().astype(kind)
    return pd.DataFrame(data, index=pd.RangeIndex(table.num_rows))
