"""A short look at a table: names, kinds and a few values, so that words and columns are understood together."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from automl_agent.records import Request
from automl_agent.tasks.family import Peek, PeekColumn, kept_examples
from automl_agent.tasks.tables.kinds import find_kind
from automl_agent.tasks.tables.reading import read_table
from automl_agent.tasks.tables.sources import Sources, find_sources

if TYPE_CHECKING:
    import pandas as pd

ROWS = 2000
WHOLE = 8 * 2**20
"""Files up to so many bytes are read whole and looked at evenly: the first rows of a sorted table mislead."""
EXAMPLES = 20


def peek(request: Request) -> Peek | None:
    """Look at the first table of a request, at no more than 2,000 rows of it; `None` when it brings no table.

    Raises:
        InputError: it cannot be read.
    """
    sources = find_sources(request)
    if sources is None:
        return None
    stamp = sources.table.path.stat()
    return _peek(sources, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=4)  # several families look at the same table
def _peek(sources: Sources, _modified: int, _size: int) -> Peek:
    whole = sources.table.path.stat().st_size <= WHOLE
    table = read_table(sources.table, limit=None if whole else ROWS)
    step = -(-len(table.frame) // ROWS)
    frame = table.frame.iloc[::step]
    columns = tuple(_column(frame[name], table.options["decimal"]) for name in frame.columns)
    names = tuple(source.name for source in (sources.table, sources.test) if source)
    target = _lacking(sources, [column.name for column in columns])
    return Peek(names, "table", len(frame), columns, target, sources.question)


def _lacking(sources: Sources, names: list[str]) -> str:
    """The only column that a test file beside the table lacks; empty when there is no such file or column."""
    if sources.test is None:
        return ""
    there = {str(name) for name in read_table(sources.test, limit=20).frame.columns}
    lacking = [name for name in names if name not in there]
    return lacking[0] if len(lacking) == 1 and len(there) > 1 else ""


def _column(series: pd.Series[Any], decimal: str) -> PeekColumn:
    from automl_agent.tasks.tables.shared.table_values import label

    kind = find_kind(series, decimal)
    if kind.kind == "number" and kind.distinct > 100:
        series = series.iloc[:100]  # some examples will do, and a wide table has many such columns
    counts = series.map(label, na_action="ignore").dropna().value_counts() if not kind.nested else series.iloc[:0]
    examples = kind.values or tuple(str(value) for value in counts.head(EXAMPLES).index)
    shown = kept_examples(examples[:EXAMPLES], kind.distinct)
    shares = _shares(examples[:EXAMPLES], counts)
    missing = round(kind.missing / max(kind.rows, 1), 4)
    return PeekColumn(kind.name, kind.kind, kind.distinct, shown, missing, shares)


def _shares(examples: tuple[str, ...], counts: pd.Series[Any]) -> tuple[float, ...]:
    """Share of each example among the values that are there, other spellings of it included."""
    total = max(float(counts.sum()), 1.0)
    merged: dict[str, float] = {}
    for value, count in counts.items():
        key = str(value).strip().casefold()
        merged[key] = merged.get(key, 0.0) + float(count)
    return tuple(round(merged.get(text.strip().casefold(), 0.0) / total, 4) for text in examples)
