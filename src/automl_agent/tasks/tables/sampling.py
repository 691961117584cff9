"""Which rows of a table that does not fit comfortably are used: evenly drawn ones, the same whenever it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl_agent.records import Finding
from automl_agent.tasks.tables.sources import table_files
from automl_agent.tasks.tables.splitting import mix
from automl_agent.tasks.tables.targets import find_column

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Rows = npt.NDArray[np.int64]

    from automl_agent.tasks.tables.sources import Source

CELLS = 5_000_000
"""Cells (rows times columns) up to which a table is used whole, where the user sets no number of rows."""
FEWEST = 5_000
"""Rows that are used of a table with very many columns."""
MOST_TEST = 100_000
"""Test rows that are enough: the 95 % interval of an accuracy is then no wider than 0.6 points."""
LARGE = 0.05
"""Share of the used rows that the largest group may have where whole groups are drawn."""
PACKED = 20
"""By how much an archive may unpack, when it is judged by its size whether its rows need to be counted at all."""


@dataclass(frozen=True)
class Sample:
    """How many rows are used at most, and which ones."""

    rows: int | None = None
    """`None`: as many as have `CELLS` cells."""
    seed: int = 0
    group: str | None = None
    """Column whose equal values stay together: groups are drawn whole."""


@dataclass(frozen=True)
class Drawn:
    """What was drawn of a table."""

    positions: Rows
    """Of the rows that are used, ascending."""
    total: int
    """Rows that there are."""
    limit: int
    """Rows that were to be used at most."""
    grouped: bool = False
    """Whether whole groups were drawn."""


def draw(source: Source, options: dict[str, Any], sample: Sample) -> Drawn | None:
    """The rows to use; `None` where that is all of them, or where they cannot be counted without reading all.

    Args:
        options: how the file is read (`table_files.read`), with its `format`.

    Raises:
        InputError: there is no such column as the group.
        ValueError, OSError: as `table_files.count`.
    """
    reader = table_files()
    if options["format"] not in reader.COUNTED:
        return None

    first = reader.read(source.path, options, 1)
    limit, size = most(sample, first.shape[1]), source.path.stat().st_size
    packed = source.member is not None or source.path.suffix.lower() == ".gz"
    cells = limit * (1 if options["format"] == "jsonl" else first.shape[1])
    if options["format"] != "parquet" and size * (PACKED if packed else 1) <= cells:
        return None  # a cell takes a byte at least
    total = reader.count(source.path, options) or 0
    if total <= limit:
        return None
    if sample.group is not None:
        name = find_column(sample.group, [str(name) for name in first.columns], "the group")
        groups = some_groups(reader.column(source.path, name, options), limit, sample.seed)
        if groups is not None:
            return Drawn(groups, total, limit, grouped=True)
    return Drawn(some(total, limit, sample.seed), total, limit)


def as_finding(name: str, drawn: Drawn, *, train: int, test: int, group: str | None = None, ordered: bool = False
               ) -> Finding:  # fmt: skip
    """What is said of a table of which some rows were used.

    Args:
        train: rows of it to learn from, and `test`, rows of it that are the test.
        ordered: whether the test rows are the last in time.
    """
    uses = [f"{train:,} to learn from"] * bool(train) + [f"{test:,} as the test"] * bool(test)
    how = f"in whole groups of {group!r}, drawn evenly" if drawn.grouped else "drawn evenly"
    last = ", the last in time as the test" if ordered else ""
    text = (
        f"{name} has {drawn.total:,} rows, of which {drawn.limit:,} are used at most (--max-rows):"
        f" {' and '.join(uses)}, {how}{last}. What is said of rows is said of these"
    )
    return Finding(kind="sampled", count=drawn.total, text=text, action="sampled")


def most(sample: Sample, columns: int) -> int:
    """Rows to use at most of a table with so many columns."""
    return sample.rows or max(CELLS // max(columns, 1), FEWEST)


def some(total: int, limit: int, seed: int) -> Rows:
    """Positions of `limit` of `total` rows: those whose numbers have the smallest hashes."""
    import numpy as np

    hashes = mix(np.arange(total, dtype=np.uint64), seed)
    return np.sort(np.argpartition(hashes, limit - 1)[:limit])


def some_groups(values: pd.Series[Any], limit: int, seed: int) -> Rows | None:
    """Positions of the rows of whole groups, drawn evenly, as long as there are no more than `limit` rows.

    `None` where the groups are so large that only a few would fit. Rows without a group are groups of their own.
    """
    import numpy as np
    import pandas as pd

    from automl_agent.tasks.tables.shared.table_values import labels

    codes, names = pd.factorize(labels(values))
    hashes = mix(np.arange(len(codes), dtype=np.uint64), seed)
    of_group = mix(pd.util.hash_array(np.asarray(names, dtype=object)), seed)
    hashes[codes >= 0] = of_group[codes[codes >= 0]]
    order = np.argsort(hashes, kind="stable")
    sizes = np.unique(hashes[order], return_counts=True)[1]
    kept = np.cumsum(sizes) <= limit
    return np.sort(order[np.repeat(kept, sizes)]) if sizes.max() <= LARGE * limit else None
