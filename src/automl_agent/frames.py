"""Data frames handed over in Python: stored as Parquet files named by their content, so that a record holds a path."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from automl_agent.errors import InputError
from automl_agent.settings import default_home


def stored_data(given: Any) -> tuple[str, ...]:
    """Paths of what was given: a path, a data frame, or several of these.

    Raises:
        InputError: for anything else, and for a frame that Parquet cannot hold.
    """
    several = isinstance(given, Iterable) and not isinstance(given, str | os.PathLike) and not _is_frame(given)
    return tuple(_path(item) for item in (given if several else [given]))


def _is_frame(item: Any) -> bool:
    return hasattr(item, "to_parquet")


def _path(item: Any) -> str:
    if isinstance(item, str | os.PathLike):
        return os.fspath(item)
    if not _is_frame(item):
        kind = type(item).__name__
        raise InputError(f"The data hold a {kind}.", hint="Give a path, a pandas DataFrame, or a list of these.")
    buffer = io.BytesIO()
    try:
        item.rename(columns=str).to_parquet(buffer, index=False)
    except Exception as error:  # pandas and pyarrow raise many kinds here
        reason = " ".join(str(error).split())
        raise InputError(f"The data frame cannot be stored: {reason}", hint="Give columns of plain values.") from error
    return str(_kept(buffer.getvalue()))


def _kept(content: bytes) -> Path:
    folder = default_home() / "inputs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"frame-{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    return path
