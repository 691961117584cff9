"""How a table holds its series: which columns are time, value and series, and whether it is long or wide."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import TaskSpec
from automl_agent.tasks.base import TABLES
from automl_agent.tasks.tables.kinds import ColumnKind, find_kind
from automl_agent.tasks.tables.reading import Table, read_table
from automl_agent.tasks.tables.sources import Source
from automl_agent.tasks.tables.targets import find_column

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

PARTS = ("year", "month", "day", "hour")
TIME_NAMES = ("time", "date", "datetime", "timestamp", "ts", "ds", "t", "step", "period", "index", "week", "month",
              "year", "day", "hour", "quarter", "moment", "no")  # fmt: skip
SERIES_NAMES = re.compile(
    r"id|series|store|shop|item|sku|product|sensor|station|city|country|region|site|meter|client|customer|unit|code|name"
    r"|key|ticker|symbol|dept|warehouse|machine|line|route|category|department",
    re.IGNORECASE,
)
MONTH_FORMS = {r"(19|20)\d\d-\d\d?": "%Y-%m", r"(19|20)\d\d/\d\d?": "%Y/%m", r"\d\d?/(19|20)\d\d": "%m/%Y",
               r"[A-Za-z]{3} (19|20)\d\d": "%b %Y", r"[A-Za-z]{3,9} (19|20)\d\d": "%B %Y", r"[A-Za-z]{3}-\d\d": "%b-%y",
               r"(19|20)\d\d\.\d\d": "%Y.%m"}  # fmt: skip
"""Months as people write them, and how they are read."""
UNIQUE = 0.98
"""Share of the rows that a series and a time must tell apart."""


def series_io() -> ModuleType:
    """The family's reader, as a bundle has it."""
    from automl_agent.tasks.candidate import load_shared

    own = Path(__file__).parent / "shared"
    return load_shared(own / "series_io.py", (own, TABLES / "shared"))


@dataclass(frozen=True)
class SeriesTable:
    """A long table: a row is a moment of a series."""

    frame: pd.DataFrame
    """Raw values."""
    positions: Array
    """Where each row stands in the table as the reader gives it."""
    options: dict[str, Any]
    """What reads it again in the same way (`schema["read"]`)."""
    kinds: Mapping[str, ColumnKind]
    time: str
    form: str | None
    """strptime format of the time; `None` for ISO 8601, native dates and numbers."""
    target: str
    series: tuple[str, ...]
    findings: tuple[Any, ...]


def time_format(values: Sequence[str]) -> str | None:
    """The format of months such as 2019-04, when all of the values are such."""
    for pattern, form in MONTH_FORMS.items():
        if values and all(re.fullmatch(pattern, value.strip()) for value in values):
            return form
    return None


def read_series(task: TaskSpec, source: Source) -> SeriesTable:
    """Read a table, find its time, target and series, and make it long.

    Raises:
        InputError: it cannot be read, or the columns cannot be told; names the option that does.
    """
    import numpy as np

    table = read_table(source)
    frame, findings = table.frame, table.findings
    positions = frame.index.to_numpy().astype("int64")
    layout = _layout(task, table, source)
    options = table.options | ({"layout": layout} if layout else {})
    target = task.target
    if layout and layout["kind"] == "parts":
        frame = series_io().arranged(frame, options)
    elif layout:
        frame = series_io().read(source.path, options)
        positions, target = np.arange(len(frame)), series_io().VALUE
    names = [str(name) for name in frame.columns]
    if not target:
        raise InputError("It is not said which column is to be forecast.", hint=f"Columns: {', '.join(names[:20])}.")
    target = find_column(target, names, f"the target, in {source.name!r}")
    if target == series_io().OBSERVED:
        raise InputError(f"The target cannot be called {target!r}: that name is taken.", hint="Rename the column.")
    decimal = table.options["decimal"]
    kinds = {name: find_kind(frame[name], decimal, name) for name in names}
    if kinds[target].kind not in ("number", "constant", "id") or kinds[target].values:
        raise InputError(f"Column {target!r} holds {kinds[target].kind} values; forecast are numbers.",
                         hint="Name a numeric column as the target.")  # fmt: skip
    time, form = _time(task, frame, kinds, target, wide=bool(layout))
    series = _series(task, frame, kinds, time, target, wide=layout is not None and layout["kind"] != "parts")
    return SeriesTable(frame, positions, options, kinds, time, form, target, series, findings)


# ---------------------------------------------------------------- layout


def _layout(task: TaskSpec, table: Table, source: Source) -> dict[str, Any] | None:
    """How a table that is not long is arranged (see `series_io.arranged`)."""
    wanted = str(task.options.get("layout") or "")
    if wanted not in ("", "long", "wide"):
        raise InputError(f"There is no layout {wanted!r} (--set layout=...).", hint="It is long or wide.")
    names = [str(name) for name in table.frame.columns]
    if wanted != "long" and (stamps := moment_columns(names)) and task.target not in names:
        others = [name for name in names if name not in stamps]
        if not others:
            return {"kind": "rows", "series": "", "moments": list(stamps), "stamps": list(stamps.values())}
        first = next((name for name in others if table.frame[name].is_unique), others[0])
        return {"kind": "rows", "series": first, "moments": list(stamps), "stamps": list(stamps.values())}
    decimal = table.options["decimal"]
    kinds = {name: find_kind(table.frame[name], decimal, name) for name in names}
    time = _first_time(task, table.frame, kinds, None)
    if time is None and not task.time:
        parts = time_parts(names)
        if parts:
            return {"kind": "parts", "parts": parts}
    if wanted != "wide" and task.target:
        return None
    numbers = [
        name
        for name in names
        if name not in (time, task.time, *task.ignore) and kinds[name].kind in ("number", "constant", "id")
    ]
    if wanted == "wide" and len(numbers) < 1:
        raise InputError(f"{source.name!r} has no column of numbers beside the time.", hint="Set --set layout=long.")
    if (not task.target and len(numbers) > 1) or wanted == "wide":
        if time is None:
            raise InputError(f"{source.name!r} has no column of times.", hint="Name it with --time.")
        return {"kind": "columns", "time": time, "values": numbers}
    return None


def time_parts(names: Sequence[str]) -> list[str]:
    """Columns that give the time together: year, month, and where there are any day and hour."""
    low = {name.lower(): name for name in names}
    found = list(itertools.takewhile(lambda part: part in low, PARTS))
    return [low[part] for part in found] if len(found) >= 2 else []


def moment_columns(names: Sequence[str]) -> dict[str, str]:
    """Columns that are named for moments (dates, months, years, V1 to Vn), with what each stands for; {} when fewer
    than five are."""
    from automl_agent.tasks.tables.shared.table_values import moment

    dates = {}
    for name in names:
        form = time_format([name])
        found = moment(name, form) if form else moment(name) if re.match(r"\d{4}-\d\d-\d\d", name) else None
        if found is not None:
            dates[name] = found.isoformat()
    if len(dates) >= 5:
        return dates
    years = {name: name for name in names if re.fullmatch(r"(19|20)\d\d", name)}
    if len(years) >= 5:
        return {name: f"{name}-01-01" for name in years}
    numbered = {name: match[2] for name in names if (match := re.fullmatch(r"([VvTtYy]_?)(\d+)", name))}
    return numbered if len(numbered) >= 8 else {}


# ---------------------------------------------------------------- time


def _first_time(task: TaskSpec, frame: pd.DataFrame, kinds: Mapping[str, ColumnKind], target: str | None) -> str | None:
    """The column of times: the one given, else the first of dates, else one of numbers that is named like a time."""
    if task.time:
        return find_column(task.time, list(kinds), "the time")
    for name, kind in kinds.items():
        if name != target and (kind.kind == "date" or month_form(frame[name], kind)):
            return name
    if time_parts(list(kinds)):
        return None  # a year alone is no time where the month stands beside it
    for name, kind in kinds.items():
        if name != target and kind.kind in ("number", "id") and kind.integer and name.lower() in TIME_NAMES:
            return name
    return None


def month_form(values: pd.Series[Any], kind: ColumnKind) -> str | None:
    """The format when a column of words holds months."""
    if kind.kind not in ("category", "text", "id") or not kind.values:
        return None
    return time_format([str(value) for value in kind.values[:200]]) if len(values) else None


def _time(task: TaskSpec, frame: pd.DataFrame, kinds: Mapping[str, ColumnKind], target: str, *, wide: bool
          ) -> tuple[str, str | None]:  # fmt: skip
    name = _first_time(task, frame, kinds, target)
    if name is None and wide and series_io().TIME in kinds:
        name = series_io().TIME
    if name is None:
        raise InputError("There is no column of times: forecasting needs to know when each value was observed.",
                         hint="Name it with --time COLUMN; accepted are dates, months and numbers.")  # fmt: skip
    if name == target:
        raise InputError(f"Column {name!r} cannot be both the target and the time.")
    kind = kinds[name]
    form = kind.format if kind.kind == "date" else month_form(frame[name], kind)
    if kind.kind == "date" or form or (kind.kind in ("number", "id") and not kind.values):
        return name, form
    raise InputError(f"Column {name!r}, the time, holds {kind.kind} values.", hint="Accepted are dates and numbers.")


# ---------------------------------------------------------------- series


def _series(task: TaskSpec, frame: pd.DataFrame, kinds: Mapping[str, ColumnKind], time: str, target: str, *,
            wide: bool) -> tuple[str, ...]:  # fmt: skip
    """The columns that tell series apart; none when each time stands for one row."""
    given = str(task.options.get("series") or task.group or "")
    names = list(kinds)
    if given:
        found = tuple(find_column(name.strip(), names, "the series") for name in given.split(","))
        if time in found or target in found:
            raise InputError(f"Column {given!r} cannot be both the series and the time or the target.")
        return found
    if wide:
        return (series_io().SERIES,)
    present = frame[[time]].notna().all(axis=1)
    rows = frame[present]
    if not rows.duplicated([time]).any() or rows[time].nunique() >= UNIQUE * len(rows):
        return ()
    choices = [
        name for name in names if name not in (time, target, *task.ignore) and _may_name(kinds[name], len(frame))
    ]
    choices.sort(key=lambda name: (not SERIES_NAMES.search(name), kinds[name].distinct))
    for count in (1, 2, 3):
        for columns in itertools.combinations(choices[:8], count):
            if rows.duplicated([*columns, time]).mean() <= 1 - UNIQUE:
                return columns
    raise InputError(
        f"Times in {time!r} repeat, and no column tells the series apart.",
        hint="Name it with --set series=COLUMN (several with commas), or leave one row for each time.",
    )


def _may_name(kind: ColumnKind, rows: int) -> bool:
    """Whether a column could name a series: labels, or whole numbers of which each stands in many rows."""
    if kind.kind in ("category", "boolean", "id", "text"):
        return kind.distinct <= rows // 3
    return kind.kind == "number" and kind.integer and kind.distinct <= max(2, rows // 10)
