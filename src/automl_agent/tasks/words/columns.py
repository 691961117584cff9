"""Columns as a target: which could be one, whether they hold classes or numbers, and the one of a given name."""

from __future__ import annotations

from collections.abc import Collection

from automl_agent.errors import InputError
from automl_agent.tasks.family import Peek, PeekColumn
from automl_agent.tasks.words import text as tx


def numeric(column: PeekColumn, rows: int) -> bool:
    """Whether a column holds numbers that are too many to be classes."""
    return column.kind == "number" and column.distinct > max(2, min(10, rows // 5))


TARGETS = ("number", "category", "boolean")
"""Kinds of columns that can be predicted."""


def plausible(peek: Peek, without: Collection[str] = ()) -> tuple[str, ...]:
    """Columns that could be predicted at all: the last and those of few labels first, they are it most often."""
    columns = [
        column
        for column in peek.columns
        if column.kind in TARGETS and column.distinct > 1 and column.name not in without
    ]
    columns.sort(key=lambda column: (column is not peek.columns[-1], column.kind == "number"))
    return tuple(column.name for column in columns)


def require_column(name: str, peek: Peek, what: str) -> str:
    """The column of this name; another case is forgiven where only one column fits.

    Raises:
        InputError: when there is none; names the nearest.
    """
    known = tuple(column.name for column in peek.columns)
    if name in known:
        return name
    alike = [column for column in known if tx.low(column).strip() == tx.low(name).strip()]
    if len(alike) == 1:
        return alike[0]
    near = tx.nearest(name, known) or list(known[:5])
    hint = f"Nearest columns: {', '.join(near)}." if tx.nearest(name, known) else f"Columns: {', '.join(near)}, ..."
    raise InputError(f"There is no column {name!r} in {', '.join(peek.sources)} ({what}).", hint=hint)
