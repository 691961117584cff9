"""Reads tables of time series and gives their columns types: one code for training, prediction and serving.

A row is a moment of a series, with what is known of it in advance. Wide tables, which hold a series a column (or a
row), are turned into long ones on reading. This file travels with a bundle, so it imports public libraries only.

`schema["time_series"]` says what the columns are for: `time`, `series` (columns that name a series), `known` (columns
whose values are known in advance), `grid`, `horizon`, `season`, `seasons`, `ends` (series -> its last step and its
scale: the mean change from one season to the next, by which errors of different series are compared).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import table_io
import table_values
from calendars import LOST, ticks, times
from table_io import encode_target as encode_target

Array = npt.NDArray[Any]

OBSERVED = "observed"
"""Column of rows to predict: values that came in since the model was fitted. They continue the history."""
SERIES = "series"
VALUE = "value"
TIME = "time"
"""Names of the columns of a wide table that was made long."""
WINDOWS = 5
"""Backtest windows at most."""
FORECASTS = 12
"""Forecasts of each backtest window, over all series, where the series are long enough."""
TESTED = 0.4
"""Share of a series' steps that its backtest windows may cover for that."""


# ---------------------------------------------------------------- reading


def read(path: str | Path, options: dict[str, Any] | None = None, limit: int | None = None) -> pd.DataFrame:
    """Read a table as `table_io.read` does; a wide one is made long.

    Raises:
        ValueError: the content is not a table that can be read.
        OSError: the file cannot be opened.
    """
    return arranged(table_io.read(path, options, limit), options or {})


def arranged(frame: pd.DataFrame, options: dict[str, Any]) -> pd.DataFrame:
    """A raw table with one row for each moment of each series, as `options["layout"]` says; others stay as they are.

    Layouts: `{"kind": "columns", "time": name}`, a series a column; `{"kind": "rows", "series": name, "moments":
    [column, ...], "stamps": [time, ...]}`, a series a row; `{"kind": "parts", "parts": [year, month, day, hour]}`, a
    time that is spread over several columns.
    """
    layout = options.get("layout")
    if not layout:
        return frame
    if layout["kind"] == "parts":
        parts = layout["parts"]
        if TIME in frame.columns or any(name not in frame.columns for name in parts):
            return frame
        return frame.assign(**{TIME: _assembled(frame, parts)})
    if VALUE in frame.columns or {SERIES, OBSERVED} & set(frame.columns):
        return frame  # long already: rows to predict
    if layout["kind"] == "columns":
        time, names = layout["time"], [name for name in layout["values"] if name in frame.columns]
        if time not in frame.columns or not names:
            return frame
        columns = [frame[name].astype(object).to_numpy() for name in names]
        return pd.DataFrame(
            {
                time: np.repeat(frame[time].astype(object).to_numpy(), len(names)),
                SERIES: np.tile(np.asarray(names, dtype=object), len(frame)),
                VALUE: np.stack(columns, axis=1).reshape(-1) if len(frame) else np.zeros(0, dtype=object),
            }
        )
    names = [name for name in layout["moments"] if name in frame.columns]
    stamps = dict(zip(layout["moments"], layout["stamps"], strict=True))
    if not names:
        return frame
    cells = frame[names].astype(object).to_numpy()
    series = frame[layout["series"]] if layout["series"] in frame.columns else pd.Series(np.arange(1, len(frame) + 1))
    return pd.DataFrame(
        {
            SERIES: np.repeat(series.astype(object).to_numpy(), len(names)),
            TIME: np.tile(np.asarray([stamps[name] for name in names], dtype=object), len(frame)),
            VALUE: cells.reshape(-1),
        }
    )


def _assembled(frame: pd.DataFrame, parts: list[str]) -> Array:
    """ISO times from columns of years, months, days and hours."""
    filled = [table_values.numbers(frame[name])[0] for name in parts]
    filled += [np.full(len(frame), start) for start in (1.0, 1.0, 1.0, 0.0)[len(parts) :]]
    whole = np.isfinite(np.stack(filled)).all(axis=0)
    result = np.full(len(frame), None, dtype=object)
    for row in np.flatnonzero(whole):
        year, month, day, hour = (int(part[row]) for part in filled)
        result[row] = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:00:00"
    return result


def typed(frame: pd.DataFrame, schema: dict[str, Any]) -> pd.DataFrame:
    """The schema's columns with their types, as `table_io.typed`."""
    return table_io.typed(arranged(frame, schema["read"]), schema)


# ---------------------------------------------------------------- series, steps, windows


def keys(frame: pd.DataFrame, told: dict[str, Any]) -> Array:
    """The name of each row's series (object of str); "" where there is one series only."""
    names = told["series"]
    if not names:
        return np.full(len(frame), "", dtype=object)
    if len(names) == 1:
        return np.asarray([value or "" for value in frame[names[0]]], dtype=object)
    columns = [[value or "" for value in frame[name]] for name in names]
    return np.asarray([" | ".join(row) for row in zip(*columns, strict=True)], dtype=object)


def steps_of(frame: pd.DataFrame, told: dict[str, Any]) -> Array:
    """The step of the grid that each row belongs to."""
    return ticks(frame[told["time"]].to_numpy(), told["grid"])


def origins(length: float, series: int, told: dict[str, Any]) -> int:
    """From how many origins, a horizon apart, each backtest window is forecast.

    One is enough of many series. Of one series, what was best for a few days around a holiday says little of a year.

    Args:
        length: steps of a usual series.
        series: how many there are.
    """
    room = int(TESTED * length / (WINDOWS * told["horizon"]))
    return max(1, min(room, -(-FORECASTS // series)))


def rounds(frame: pd.DataFrame, target: Array, told: dict[str, Any]) -> list[tuple[pd.DataFrame, Array]]:
    """The rows of a backtest window as they are asked for, origin by origin.

    Returns:
        For each origin a frame and the places (in `frame`) of its last rows, which are asked for; before them come the
        rows that have been observed by then. Nothing that lies behind an origin stands in its frame.
    """
    names, steps = keys(frame, told), steps_of(frame, told)
    codes, _ = pd.factorize(names)
    last = np.full(codes.max(initial=-1) + 1, LOST)
    np.maximum.at(last, codes, steps)
    back = (last[codes] - steps) // told["horizon"]
    found = []
    for number in range(int(back.max(initial=0)), -1, -1):
        before, asked = np.flatnonzero(back > number), np.flatnonzero(back == number)
        if not len(asked):  # a gap
            continue
        seen = frame.iloc[before].assign(**{OBSERVED: target[before]})
        found.append((pd.concat([seen, frame.iloc[asked]], ignore_index=True), asked))
    return found


def windows(names: Array, steps: Array, *, horizon: int, least: int, count: int = WINDOWS) -> tuple[Array, Array]:
    """Backtest windows of `horizon` steps, counted back from the end of each series.

    Args:
        names: series of each row.
        steps: step of each row.
        least: steps that a series must have before its first window.
        count: windows at most.

    Returns:
        The window of each row, the earliest 0, -1 for rows before them, and the steps that each row's series has. A
        series that is too short for some windows is left out of the earlier ones.
    """
    codes, _ = pd.factorize(names)
    last = np.full(codes.max(initial=-1) + 1, LOST)
    first = np.full(len(last), np.iinfo(np.int64).max)
    np.maximum.at(last, codes, steps)
    np.minimum.at(first, codes, steps)
    length = last - first + 1
    most = np.clip((length - least) // horizon, 0, count)
    total = int(most.max(initial=0))
    back = (last[codes] - steps) // horizon
    found = np.where(back < most[codes], total - 1 - back, -1).astype(np.int16)
    return found, length[codes]


def least_history(told: dict[str, Any]) -> int:
    """Steps that a series must have before its first window: two seasons where they are short, a few otherwise."""
    return int(max(4, min(2 * told["season"], 3 * told["horizon"])))


def new_folds(frame: pd.DataFrame, target: Array, schema: dict[str, Any], solution: dict[str, Any]) -> Array:
    """The windows of new data: as many as in the first training.

    Raises:
        ValueError: the series are too short.
    """
    del target
    told = schema["time_series"]
    width = told["horizon"] * told.get("origins", 1)
    found, _ = windows(keys(frame, told), steps_of(frame, told), horizon=width, least=least_history(told),
                       count=solution["folds"])  # fmt: skip
    count = int(found.max(initial=-1)) + 1
    if count < solution["folds"] or not (found < 0).any():
        needed = solution["folds"] * width + least_history(told)
        raise ValueError(f"no series has the {needed} steps that it takes to train and to validate again")
    return found


def ends_of(frame: pd.DataFrame, target: Array, told: dict[str, Any]) -> dict[str, list[float]]:
    """For each series its last step and its scale: the mean absolute change over a season, in sample (the scale of
    MASE; Hyndman & Koehler 2006). 0 for a constant series."""
    names, steps = keys(frame, told), steps_of(frame, told)
    codes, found = pd.factorize(names)
    order = np.lexsort((steps, codes))
    starts = np.searchsorted(codes[order], np.arange(len(found) + 1))
    result: dict[str, list[float]] = {}
    for place, name in enumerate(found):
        rows = order[starts[place] : starts[place + 1]]
        result[str(name)] = [int(steps[rows].max()), scale_of(steps[rows], target[rows], told["season"])]
    return result


def scale_of(steps: Array, values: Array, season: int) -> float:
    """Mean absolute change of a series over a season; over one step where it is shorter than a season."""
    line = np.full(int(steps[-1] - steps[0]) + 1, np.nan)
    line[steps - steps[0]] = values
    for lag in (season, 1):
        if len(line) > lag:
            change = np.abs(line[lag:] - line[:-lag])
            if np.isfinite(change).any():
                return float(np.nanmean(change))
    return 0.0


def refreshed(schema: dict[str, Any], frame: pd.DataFrame, target: Array) -> dict[str, Any]:
    """The schema with the ends of other training rows."""
    told = schema["time_series"]
    return schema | {"time_series": told | {"ends": ends_of(frame, target, told)}}


def score(metric: str, frame: pd.DataFrame, target: Array, prediction: Array, schema: dict[str, Any]) -> float | None:
    """MASE of predicted rows, for a training program that knows no such metric; `None` for others."""
    told = schema["time_series"]
    ends = ends_of(frame, target, told)
    scale = np.array([told["ends"].get(name, ends[name])[1] for name in keys(frame, told)])
    known = scale > 0
    if metric != "mase" or not known.any():
        return None
    return float((np.abs(target - prediction)[known] / scale[known]).mean())


def ahead(frame: pd.DataFrame, schema: dict[str, Any]) -> tuple[Array, Array]:
    """How many steps each row lies behind the last known value of its series, and the scale of the series.

    Rows with a value in `observed` move the end of their series. Unknown series get the median of both.
    """
    told = schema["time_series"]
    names, steps = keys(frame, told), steps_of(frame, told)
    known = told["ends"]
    usual = [float(np.median([entry[place] for entry in known.values()])) for place in (0, 1)]
    codes, found = pd.factorize(names)
    entries = np.array([known.get(str(name), usual) for name in found], dtype=np.float64).reshape(-1, 2)
    last = entries[:, 0].astype(np.int64)
    news = frame[OBSERVED].notna().to_numpy()
    np.maximum.at(last, codes[news], steps[news])
    return steps - last[codes], entries[codes, 1]


# ---------------------------------------------------------------- serving


def examples(frame: pd.DataFrame, schema: dict[str, Any]) -> pd.DataFrame:
    """Rows as users ask for them: the next steps of some of the series in `frame` (training rows)."""
    told = schema["time_series"]
    names = keys(frame, told)
    known = list(told["ends"])
    chosen = known[:: max(1, len(known) // 25)][:25]
    each = min(told["horizon"], max(1, 50 // len(chosen)))
    parts = []
    for name in chosen:
        rows = np.flatnonzero(names == name)
        if not len(rows):
            continue
        part = frame.iloc[np.repeat(rows[-1], each)].reset_index(drop=True)
        steps = int(told["ends"][name][0]) + np.arange(1, each + 1)
        part[told["time"]] = times(steps, told["grid"])
        part[OBSERVED] = np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else frame


def bounds(frame: pd.DataFrame, scores: Array, spread: Any, schema: dict[str, Any]) -> tuple[Array, Array]:
    """Ends of 90 % prediction intervals. `spread` has a half-width for each step ahead, in scales of the series."""
    distance, scale = ahead(frame, schema)
    widths = np.asarray(spread["steps"], dtype=np.float64)
    half = widths[np.clip(distance, 1, len(widths)) - 1] * scale
    lower = scores - half
    if schema["time_series"]["nonnegative"]:
        lower = np.maximum(lower, np.minimum(scores, 0.0))
    return lower, scores + half


def inspect(frame: pd.DataFrame, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What in these rows cannot be forecast, or only badly: `{"column", "problem", "count", "examples"}`.

    Problems: `missing_column`, `times_without_a_meaning`, `unknown_series`, `times_in_the_past` (what is answered is
    what was observed), `times_beyond_the_horizon` (further ahead than was ever tested), and those of `table_io.inspect`
    for columns that are known in advance.
    """
    told = schema["time_series"]
    frame = arranged(frame, schema["read"])
    roles = {told["time"], *told["series"], OBSERVED}
    rest = schema | {"columns": [column for column in schema["columns"] if column["name"] not in roles]}
    shown = frame.drop(columns=[name for name in (*roles, schema["target"]) if name in frame.columns])
    found = [problem for problem in table_io.inspect(shown, rest) if problem["column"] not in roles]
    for name in (told["time"], *told["series"]):
        if name not in frame.columns:
            found.append({"column": name, "problem": "missing_column", "count": len(frame), "examples": []})
    ready = typed(frame, schema)
    names, steps = keys(ready, told), steps_of(ready, told)
    distance, _ = ahead(ready, schema)
    lost, asked = steps == LOST, ready[OBSERVED].isna().to_numpy()
    strange = ~np.isin(names.astype(str), list(told["ends"]))
    late = ~lost & ~strange & asked
    column = told["series"][0] if told["series"] else told["time"]
    for place, problem, rows in (
        (told["time"], "times_without_a_meaning", lost & (told["time"] in frame.columns)),
        (
            column,
            "unknown_series",
            strange & (column in frame.columns) if told["series"] else np.zeros(len(lost), bool),
        ),
        (told["time"], "times_in_the_past", late & (distance < 1)),
        (told["time"], "times_beyond_the_horizon", late & (distance > told["horizon"])),
    ):
        if rows.any():
            values = frame[place].iloc[np.flatnonzero(rows)[:50]].dropna()
            some = list(dict.fromkeys(str(value)[:80] for value in values))[:3]
            found.append({"column": place, "problem": problem, "count": int(rows.sum()), "examples": some})
    return found
