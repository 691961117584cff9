"""How often series are observed, how far ahead to forecast, and which seasons repeat: from the data or from words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

DAY = 86_400
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": DAY, "week": 7 * DAY}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
MONTH = 30.436875 * DAY
STEPS = ("step", "period", "observation", "value", "point", "row")
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
           "nine": 9, "ten": 10, "twelve": 12, "fourteen": 14, "twenty": 20, "thirty": 30}  # fmt: skip
FORMS = "Such as h, 15min, D, W, M, Q, Y, or words: hourly, daily, business days, weekly, monthly, quarterly, yearly."
_FREQUENCIES = {
    "s": "second", "sec": "second", "min": "minute", "t": "minute", "h": "hour", "hourly": "hour", "d": "day",
    "daily": "day", "w": "week", "weekly": "week", "m": "month", "ms": "month", "me": "month", "monthly": "month",
    "q": "quarter", "qs": "quarter", "qe": "quarter", "quarterly": "quarter", "y": "year", "ys": "year", "ye": "year",
    "a": "year", "yearly": "year", "annual": "year", "b": "weekday", "business day": "weekday", "weekday": "weekday",
}  # fmt: skip
ODD = 0.02
"""Share of the moments that may lie off the grid before time counts as irregular."""
THIN = 0.2
"""Share of the steps that must be observed: fewer is a list of events, not a series."""


# ---------------------------------------------------------------- grid


def find_grid(times: Array, series: Array, column: str, given: str | None) -> tuple[dict[str, Any], list[Finding]]:
    """The grid on which the series lie, and what had to be repaired.

    Args:
        times: datetime64[ns] or float64 of each row, none missing.
        series: number of each row's series.
        column: name of the time column, for messages.
        given: a frequency of the user.

    Raises:
        InputError: the moments are not regular, or there are too few.
    """
    import numpy as np

    order = np.lexsort((times, series))
    apart = np.diff(times[order])
    apart = apart[series[order][1:] == series[order][:-1]]
    apart = apart[apart > np.zeros(1, apart.dtype)[0]]
    if len(apart) < 2:
        raise InputError(
            f"Column {column!r}, the time, has too few different moments to see how often it was observed."
        )
    if times.dtype.kind != "M":
        return _numbered(times, apart, column)
    grid = _given_grid(given, times) if given else _measured_grid(times, apart)
    return grid, _checked(times, apart, grid, column, given)


def _numbered(times: Array, apart: Array, column: str) -> tuple[dict[str, Any], list[Finding]]:
    import numpy as np

    every = float(_most_frequent(np.round(apart, 9)))
    grid = {"unit": "numbers", "every": every, "origin": float(times.min())}
    steps = (times - grid["origin"]) / every
    odd = float((np.abs(steps - np.rint(steps)) > 0.01).mean())
    if odd > ODD:
        raise _irregular(column, f"{every:g}", odd)
    return grid, []


def _most_frequent(values: Array) -> Any:
    import numpy as np

    found, counts = np.unique(values, return_counts=True)
    return found[counts.argmax()]


def _measured_grid(times: Array, apart: Array) -> dict[str, Any]:
    """The grid that the distances suggest: calendar months where days of the month agree, else fixed seconds."""
    import numpy as np

    usual = _most_frequent(apart).astype("timedelta64[ns]").astype(np.int64) / 1e9
    days = times.astype("datetime64[D]")
    of_month = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    last = (days + 1).astype("datetime64[M]") != days.astype("datetime64[M]")
    same_day = len(np.unique(of_month)) == 1 or bool(last.all())
    if usual >= 27.5 * DAY and same_day:
        months = days.astype("datetime64[M]").astype(np.int64)
        gaps = np.rint(apart.astype("timedelta64[ns]").astype(np.int64) / 1e9 / MONTH).astype(np.int64)
        every = int(_most_frequent(gaps[gaps > 0]))
        return _monthly(times, every, int(months.min()))
    weekday = (days.astype(np.int64) + 3) % 7
    if usual == DAY and len(times) >= 15 and not (weekday >= 5).any():
        return {"unit": "weekdays", "every": 1, "origin": 0, "clock": _clock(times)}
    return {"unit": "seconds", "every": usual, "origin": str(times.min())}


def _monthly(times: Array, every: int, first: int) -> dict[str, Any]:
    import numpy as np

    days = times.astype("datetime64[D]")
    of_month = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    last = (days + 1).astype("datetime64[M]") != days.astype("datetime64[M]")
    day = 31 if last.all() else int(_most_frequent(of_month))
    return {"unit": "months", "every": every, "origin": first % every, "day": day, "clock": _clock(times)}


def _clock(times: Array) -> int:
    """Seconds after midnight at which things were observed."""
    import numpy as np

    return int(_most_frequent((times - times.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.int64)))


def _given_grid(given: str, times: Array) -> dict[str, Any]:
    import numpy as np

    count, unit = _frequency(given)
    if unit in MONTHS:
        first = int(times.min().astype("datetime64[M]").astype(np.int64))
        return _monthly(times, count * MONTHS[unit], first)
    if unit == "weekday":
        return {"unit": "weekdays", "every": 1, "origin": 0, "clock": _clock(times)}
    return {"unit": "seconds", "every": float(count * SECONDS[unit]), "origin": str(times.min())}


def _frequency(text: str) -> tuple[int, str]:
    """Number and unit of a frequency such as `15min`, `h`, `weekly`, `2 hours`.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(r"\s*(\d*)\s*-?([a-z][a-z ]*?)\s*(?:-[a-z]{3})?\s*", text.strip().lower())
    if match:
        count, word = int(match[1] or 1), match[2]
        known = _FREQUENCIES.get(word) or _FREQUENCIES.get(word.removesuffix("s"))
        unit = known or word.removesuffix("s")
        if count and (unit in SECONDS or unit in MONTHS or unit == "weekday"):
            return count, unit
    raise InputError(f"The frequency {text!r} is not understood (--set frequency=...).", hint=FORMS)


def _checked(times: Array, apart: Array, grid: dict[str, Any], column: str, given: str | None) -> list[Finding]:
    """Moments off the grid are moved to the nearest step; too many of them mean that time is irregular."""
    import numpy as np

    from automl_agent.tasks.forecasting.shared.calendars import ticks
    from automl_agent.tasks.forecasting.shared.calendars import times as moments

    steps = ticks(times, grid)
    if grid["unit"] != "seconds":
        return []
    distance = np.abs((times - moments(steps, grid)).astype("timedelta64[ns]").astype(np.int64)) / 1e9
    odd = distance > 0.01 * grid["every"]
    share = float(odd.mean())
    if share > ODD and not given:
        raise _irregular(column, spoken(grid), share)
    usual = float((apart.astype("timedelta64[ns]").astype(np.int64) / 1e9 == grid["every"]).mean())
    if usual < 0.3 and not given:
        raise _irregular(column, spoken(grid), 1 - usual)
    if not odd.any():
        return []
    text = (
        f"{int(odd.sum())} times of {column!r} lie between two steps ({spoken(grid)}); they were moved to the nearest"
    )
    return [Finding(kind="irregular_time", columns=(column,), count=int(odd.sum()), text=text, action="moved")]


def _irregular(column: str, every: str, share: float) -> InputError:
    return InputError(
        f"Column {column!r}, the time, is not regular: {share:.0%} of its moments do not follow the most frequent step"
        f" ({every}).",
        hint=f"Bring the data to equal steps, or say which they are with --set frequency=... {FORMS}",
    )


def spoken(grid: dict[str, Any]) -> str:
    """How often things were observed, in words."""
    unit, every = grid["unit"], grid["every"]
    if unit == "numbers":
        return f"steps of {every:g}"
    if unit == "weekdays":
        return "business days"
    if unit == "months":
        return {1: "monthly", 3: "quarterly", 12: "yearly"}.get(int(every), f"every {int(every)} months")
    names = {3600.0: "hourly", float(DAY): "daily", 7.0 * DAY: "weekly"}
    if every in names:
        return names[every]
    for name, seconds in reversed(SECONDS.items()):
        if every % seconds == 0:
            return f"every {int(every // seconds)} {name}s"
    return f"every {every:g} seconds"


# ---------------------------------------------------------------- season


def find_seasons(grid: dict[str, Any], given: int | None, line: Array) -> list[int]:
    """Lengths of the seasons in steps, the main one first; 1 where nothing repeats.

    Args:
        line: the longest series.
    """
    if given is not None:
        return [given]
    every = float(grid["every"])
    if grid["unit"] == "numbers":
        return [_repeating(line)]
    if grid["unit"] == "weekdays":
        return [5]
    if grid["unit"] == "months":
        return [max(1, round(12 / every))]
    if every >= 6 * DAY:
        year = round(365.25 * DAY / every)
        return [year if len(line) > 2.5 * year else 1]
    if every >= DAY:
        return [max(1, round(7 * DAY / every))]
    day, week = round(DAY / every), round(7 * DAY / every)
    if every < 300:
        return [max(1, round(3600 / every))]
    return [day, week] if len(line) > 3 * week else [day]


def _repeating(line: Array) -> int:
    """The season that the changes of a series repeat with, among the usual ones."""
    import numpy as np

    change = np.diff(line)
    change = change - change.mean()
    total = float(change @ change)
    found = {
        lag: float(change[lag:] @ change[:-lag]) / total for lag in (4, 7, 12, 24, 52) if total and len(line) > 4 * lag
    }
    best = max(found, key=lambda lag: found[lag], default=1)
    return best if found.get(best, 0.0) > 0.3 else 1


# ---------------------------------------------------------------- horizon

_NUMBER = rf"(\d+|{'|'.join(NUMBERS)})"
_UNIT = rf"({'|'.join((*SECONDS, *MONTHS, *STEPS))})s?\b"
_HORIZON = (
    re.compile(rf"\b(?:next|coming|following|upcoming)\s+(?:{_NUMBER}\s+(?:of\s+)?)?(?:business |working |calendar )?"
               rf"{_UNIT}"),
    re.compile(rf"\b{_NUMBER}[- ]+{_UNIT}[- ]*(?:ahead|in advance|into the future|out\b)"),
    re.compile(rf"\bhorizon\s*(?:of|is|=|:|must be|should be)?\s*{_NUMBER}\s*(?:{_UNIT})?"),
    re.compile(rf"\bforecast\w*[^.;!?]*?\b(?:for|over)\s+{_NUMBER}\s+{_UNIT}"),
)  # fmt: skip


def said_horizon(words: str) -> tuple[str, str] | None:
    """The horizon that words ask for, such as "24 hours" or "12 steps", and the phrase; `None` when there is none."""
    flat = words.lower()
    for pattern in _HORIZON:
        match = pattern.search(flat)
        if match:
            count = match[1] or "1"
            return f"{NUMBERS.get(count, count)} {match[2] or 'step'}s", match.group().strip()
    if match := re.search(r"\btomorrow\b", flat):
        return "1 days", match.group()
    return None


def horizon_steps(text: str, grid: dict[str, Any]) -> int:
    """A horizon in steps of the grid.

    Raises:
        InputError: it is not a number of steps or of units of time, or less than a step.
    """
    match = re.fullmatch(rf"\s*(\d+)\s*(?:{_UNIT})?\s*", text.lower())
    if not match:
        raise InputError(
            f"The horizon {text!r} is not understood (--set horizon=...).", hint="Such as 24, 14 days, 6 months."
        )
    count, unit = int(match[1]), match[2] or "step"
    steps: float
    if unit in STEPS:
        steps = count
    elif grid["unit"] == "numbers":
        steps = count  # nobody says how long a step is
    elif grid["unit"] == "months":
        months = count * MONTHS[unit] if unit in MONTHS else count * SECONDS[unit] / MONTH
        steps = months / grid["every"]
    else:
        seconds = count * (MONTHS[unit] * MONTH if unit in MONTHS else SECONDS[unit])
        steps = seconds / (grid["every"] if grid["unit"] == "seconds" else DAY)
        if grid["unit"] == "weekdays" and unit not in ("day",):
            steps *= 5 / 7
    if round(steps) < 1:
        raise InputError(
            f"The horizon of {count} {unit}s is less than one step: the data are {spoken(grid)}.",
            hint="Ask for at least one step: --set horizon=1.",
        )
    return round(steps)


def usual_horizon(grid: dict[str, Any], season: int, longest: int) -> int:
    """The horizon when nobody says one: a season, two where it is short, and never more than a tenth of the series."""
    wanted = {"months": 12 if season > 1 else 4, "weekdays": 10}.get(
        grid["unit"], season if season >= 12 else 2 * season
    )
    if grid["unit"] == "seconds" and grid["every"] >= DAY:
        wanted = 14 if grid["every"] < 6 * DAY else 8
    return max(1, min(wanted if wanted > 2 else 8, longest // 10))
