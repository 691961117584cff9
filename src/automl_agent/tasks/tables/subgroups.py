"""Which group each locked test row belongs to, for scores by subgroup: the values of a column, or ranges of them.

The column may be one that no model sees. Its values go to the private folder only, and only those of the test rows.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding, TaskSpec
from automl_agent.tasks.family import Grouping
from automl_agent.tasks.tables.kinds import ColumnKind, find_kind
from automl_agent.tasks.tables.reading import Table
from automl_agent.tasks.tables.selecting import draft_columns
from automl_agent.tasks.tables.targets import find_column

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

RANGES = 4
"""Ranges of numbers or dates at most; numbers of so few different values are told apart value by value."""
VALUES = 10
"""Values of a category that are groups of their own: the most frequent ones among the test rows."""
MISSING = "(missing)"

_UNUSABLE = {
    "id": "has another value in nearly every row",
    "constant": "has one value only",
    "empty": "is empty",
    "text": "holds texts",
}
_NAMES, _CODES = "subgroups.json", "subgroups.npy"


@dataclass(frozen=True)
class Column:
    """A column by which the test rows are told apart."""

    kind: ColumnKind
    """Of all rows of the data."""
    values: pd.Series[Any]
    """As read; the index is the position in the file that the test rows are from."""
    decimal: str

    def of_test(self, table: Table, source: str) -> Column:
        """The same column of the user's own test file.

        Raises:
            InputError: the file lacks it.
        """
        names = [str(name) for name in table.frame.columns]
        name = find_column(self.kind.name, names, f"scores are told apart by it, in the test data {source!r}")
        return replace(self, values=table.frame[name], decimal=table.options["decimal"])

    def grouping(self, positions: Array) -> Grouping:
        """The group of each test row.

        Args:
            positions: (rows,) where the test rows stand in their file.
        """
        import numpy as np

        from automl_agent.tasks.tables.shared.table_values import typed

        schema = {"columns": draft_columns({self.kind.name: self.kind}), "read": {"decimal": self.decimal}}
        frame = self.values.loc[positions].to_frame(self.kind.name)
        values = typed(frame, schema)[self.kind.name]
        there = values.notna().to_numpy()
        present = values[there].to_numpy()
        if self.kind.kind == "number":
            names, found = _numbers(present, integer=self.kind.integer)
        elif self.kind.kind == "date":
            names, found = _dates(present)
        else:
            names, found = _labels(present)
        codes = np.full(len(values), len(names), dtype=np.int64)
        codes[there] = found
        return Grouping(self.kind.name, (*names, *([] if there.all() else [MISSING])), codes)


def columns(task: TaskSpec, table: Table, source: str, findings: list[Finding]) -> list[Column]:
    """The columns of `task.by`. Where only the words speak of one that cannot be used, it becomes a finding.

    Raises:
        InputError: a column that the caller gave does not exist, or tells no groups apart.
    """
    names, decimal = [str(name) for name in table.frame.columns], table.options["decimal"]
    said = {inference.value for inference in task.inferences if inference.field == "by" and inference.by != "user"}
    found = []
    for given in task.by:
        name = find_column(given, names, f"scores are told apart by it, in {source!r}")
        kind = find_kind(table.frame[name], decimal, name)
        if (why := f"holds {kind.nested}" if kind.nested else _UNUSABLE.get(kind.kind)) is None:
            found.append(Column(kind, table.frame[name], decimal))
            continue
        text = f"Scores cannot be told apart by {name!r}: it {why}."
        if given not in said:
            raise InputError(text, hint="Accepted are columns of categories, numbers or dates (--by).")
        findings.append(Finding(kind="no_subgroups", columns=(name,), text=text.rstrip("."), action="left out"))
    return found


def write(groupings: list[Grouping], private: Path) -> None:
    """Leave the groups of the test rows where only the grader looks."""
    import numpy as np

    if not groupings:
        return
    told = [{"column": grouping.column, "names": grouping.names} for grouping in groupings]
    np.save(private / _CODES, np.stack([grouping.codes for grouping in groupings]))
    (private / _NAMES).write_text(json.dumps(told), encoding="utf-8")


def read(private: Path) -> tuple[Grouping, ...]:
    """What `write` left; nothing where no column was asked for."""
    import numpy as np

    if not (private / _NAMES).is_file():
        return ()
    told = json.loads((private / _NAMES).read_text(encoding="utf-8"))
    codes = np.load(private / _CODES, allow_pickle=False)
    return tuple(Grouping(one["column"], tuple(one["names"]), row) for one, row in zip(told, codes, strict=True))


# ---------------------------------------------------------------- how values become groups: names, and codes (rows,)


def _labels(values: Array) -> tuple[list[str], Array]:
    """The most frequent values, and all others as one."""
    import numpy as np

    counts = Counter(values.tolist())
    ordered = sorted(counts, key=lambda text: (-counts[text], text))
    kept, rest = ordered[:VALUES], len(ordered[VALUES:])
    place = {text: code for code, text in enumerate(kept)}
    names = [*kept, *([f"({rest} other value{'s' if rest > 1 else ''})"] if rest else [])]
    return names, np.array([place.get(text, len(kept)) for text in values], dtype=np.int64)


def _numbers(values: Array, *, integer: bool) -> tuple[list[str], Array]:
    """Single numbers where they are few, else ranges of about equally many rows."""
    import numpy as np

    different = np.unique(values)
    if len(different) <= RANGES:
        return [_number(value) for value in different], np.searchsorted(different, values)
    edges = _edges(values, different, integer=integer)
    return _ranges([_number(edge) for edge in edges], [_number(edge + 1) for edge in edges] if integer else None
                   ), np.searchsorted(edges, values)  # fmt: skip


def _edges(values: Array, different: Array, *, integer: bool) -> Array:
    """Upper ends of all ranges but the last, written in few digits; no range is empty."""
    import numpy as np

    cuts = np.quantile(values, np.arange(1, RANGES) / RANGES, method="inverted_cdf")
    half = different[-1] / 2 - different[0] / 2  # the whole may be larger than a number can be
    for digits in (3 - int(np.floor(np.log10(half))), 17):  # as they are where rounding would leave one range
        edges = np.unique(np.floor(cuts) if integer else [round(float(cut), digits) for cut in cuts])
        edges = edges[(edges >= different[0]) & (edges < different[-1])]
        if len(edges):
            filled = np.unique(np.searchsorted(edges, values))
            kept: Array = edges[filled[:-1]]
            return kept
    second: Array = different[-2:-1]
    return second  # most rows have the greatest value


def _dates(values: Array) -> tuple[list[str], Array]:
    """Ranges of whole days of about equally many rows."""
    import numpy as np

    days = values.astype("datetime64[D]").astype(np.int64)
    different = np.unique(days)
    if len(different) == 1:
        return [_day(different[0])], np.zeros(len(days), dtype=np.int64)
    edges = _edges(days.astype(np.float64), different, integer=True)
    return _ranges([_day(edge) for edge in edges], [_day(edge + 1) for edge in edges]), np.searchsorted(edges, days)


def _ranges(ends: list[str], starts: list[str] | None) -> list[str]:
    """Names of ranges: `up to 33`, `34 to 51`, `from 52`, or `up to 1.5`, `1.5 to 2.7`, `above 2.7`."""
    begins = starts or ends
    between = [f"{begin} to {end}" if begin != end else end for begin, end in zip(begins, ends[1:], strict=False)]
    last = f"from {begins[-1]}" if starts else f"above {begins[-1]}"
    return [f"up to {ends[0]}", *between, last]


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else f"{value:.6g}"


def _day(days: float) -> str:
    import numpy as np

    return str(np.datetime64(int(days), "D"))
