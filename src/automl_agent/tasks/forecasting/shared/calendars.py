"""Regular time: time stamps as whole steps of a grid, and back.

A grid is plain data: `{"unit": "seconds" | "months" | "weekdays" | "numbers", "every": n, "origin": ...}`. Its steps
("ticks") are whole numbers that grow by one from one observation to the next, whatever a month's length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Grid = dict[str, Any]

LOST = np.iinfo(np.int64).min // 4
"""Tick of a missing time."""
_NANO = 1_000_000_000


def ticks(times: Array, grid: Grid) -> Array:
    """The step of the grid that is nearest to each time, as int64; `LOST` where it is missing.

    Args:
        times: datetime64[ns], or float64 where the unit is `numbers`.
    """
    lost = np.isnat(times) if times.dtype.kind == "M" else ~np.isfinite(times)
    if grid["unit"] == "numbers":
        steps = (np.where(lost, 0.0, times) - grid["origin"]) / grid["every"]
        return np.where(lost, LOST, np.rint(steps).astype(np.int64))
    safe = np.where(lost, np.datetime64(0, "ns"), times.astype("datetime64[ns]"))
    if grid["unit"] == "months":
        months = safe.astype("datetime64[M]").astype(np.int64)
        found = (months - grid["origin"]) // grid["every"]
    elif grid["unit"] == "weekdays":
        found = np.busday_count(np.datetime64(0, "D"), safe.astype("datetime64[D]"))
    else:
        origin = np.datetime64(grid["origin"], "ns")
        found = np.rint((safe - origin).astype(np.int64) / (grid["every"] * _NANO)).astype(np.int64)
    return np.where(lost, LOST, found)


def times(steps: Array, grid: Grid) -> Array:
    """The time of each step: datetime64[ns], or float64 where the unit is `numbers`."""
    if grid["unit"] == "numbers":
        return grid["origin"] + steps * float(grid["every"])
    if grid["unit"] == "weekdays":
        days = np.busday_offset(np.datetime64(0, "D"), steps, roll="forward")
        return days.astype("datetime64[ns]") + np.timedelta64(grid.get("clock", 0), "s")
    if grid["unit"] == "seconds":
        shift = np.rint(steps * (grid["every"] * _NANO)).astype(np.int64).astype("timedelta64[ns]")
        return np.datetime64(grid["origin"], "ns") + shift
    months = (steps * grid["every"] + grid["origin"]).astype("datetime64[M]")
    last = (months + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    wanted = months.astype("datetime64[D]") + np.timedelta64(grid.get("day", 1) - 1, "D")
    return np.minimum(wanted, last).astype("datetime64[ns]") + np.timedelta64(grid.get("clock", 0), "s")


def calendar(steps: Array, grid: Grid) -> Array:
    """What the calendar says of each step, for models: (steps, 5) with the hour of the day (0 to 24), the day of the
    week (0 is Monday), the day of the month, the month (0 is January) and the part of the year that has passed (0 to
    1). Zeros without dates."""
    if grid["unit"] == "numbers":
        return np.zeros((len(steps), 5))
    moments = times(steps, grid)
    days = moments.astype("datetime64[D]")
    hour = (moments - days).astype("timedelta64[s]").astype(np.int64) / 3600
    weekday = (days.astype(np.int64) + 3) % 7
    day = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    year = (days - days.astype("datetime64[Y]")).astype(np.int64) / 365.25
    return np.stack([hour, weekday, day, month, year], axis=1).astype(np.float64)
