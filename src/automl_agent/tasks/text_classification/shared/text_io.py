"""Reads texts and gives the columns their types: tables as `table_io` does, and folders of text files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import table_io
import table_values
from table_io import bounds, encode_target
from text_files import SUFFIXES, as_texts, read_file, read_folder

__all__ = ["bounds", "encode_target", "inspect", "read", "typed"]


def read(path: str | Path, options: dict[str, Any] | None = None, limit: int | None = None, rows: Any = None
         ) -> pd.DataFrame:  # fmt: skip
    """Read a table, or a folder of text files, or where a folder was learned from, a single text file.

    Args:
        rows: positions of the rows of a table that are wanted, as `table_io.read` takes them.

    Raises:
        ValueError: the content is none of these.
        OSError: it cannot be opened.
    """
    path, options = Path(path), options or {}
    if path.is_dir():
        return read_folder(path, limit)[0]
    if options.get("format") != "folder":
        return table_io.read(path, options, limit, rows)
    return read_file(path) if path.suffix.lower() in SUFFIXES else table_io.read(path, None, limit)


def typed(frame: pd.DataFrame, schema: dict[str, Any]) -> pd.DataFrame:
    """As `table_io.typed`, but texts have pandas' string type ("" missing)."""
    return as_texts(table_io.typed(frame, schema), schema)


def inspect(frame: pd.DataFrame, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """As `table_io.inspect`; also `texts_are_empty`."""
    found = table_io.inspect(frame, schema)
    for column in schema["columns"]:
        if column["kind"] == "text" and column["name"] in frame.columns:
            count = int((table_values.texts(frame[column["name"]]) == "").sum())
            if count:
                found.append({"column": column["name"], "problem": "texts_are_empty", "count": count, "examples": []})
    return found
