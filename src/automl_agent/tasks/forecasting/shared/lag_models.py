"""Forecasters that learn from lags, over all series at once: each window of the past gives all steps ahead directly.

Windows are made comparable between series: the mean of the last season is taken off, and what is left is divided by how
far the series strays from its mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from calendars import Grid, calendar
from panel import Panel

Array = npt.NDArray[Any]

MAX_WINDOWS = 20_000
MAX_LAGS = 400
PENALTIES = 10.0 ** np.arange(-1, 6)
PROFILE = 6
"""Seasons whose mean at the target is a feature."""
MAX_DUMMIES = 200
MAX_PLACES, ENOUGH, PLACE_PENALTY = 48, 200, 100.0
"""Places of a season get coefficients of their own when there are so many windows for each."""
LEARNED = ("effect", "centre", "width", "offset", "coefficients", "places")
HELD_OUT = 0.2
"""Share of the windows, the latest, on which the penalty is chosen."""


def scale_of(line: Array) -> float:
    """How far a series strays from its mean, on average; 1 where it never changes.

    Changes from step to step would make smooth series with a trend outweigh all others.
    """
    return float(np.abs(line - line.mean()).mean()) or float(np.abs(line).mean()) or 1.0


def stretched(line: Array, length: int, season: int) -> Array:
    """A series with at least `length` values: its first season is repeated before its beginning."""
    missing = length - len(line)
    if missing <= 0:
        return line
    season = min(season, len(line))
    before = line[(np.arange(-missing, 0)) % season]
    return np.concatenate([before, line])


def calendar_columns(steps: Array, grid: Grid) -> Array:
    """The calendar as columns for linear models: hour, weekday and month one by one, the year as two waves."""
    if grid["unit"] == "numbers":
        return np.zeros((len(steps), 0))
    hour, weekday, _, month, year = calendar(steps, grid).T
    parts = []
    if grid["unit"] == "months":
        return (month[:, None] == np.arange(12)).astype(np.float64)
    every = float(grid["every"]) if grid["unit"] == "seconds" else 86_400.0
    if every < 86_400:
        parts.append((np.floor(hour)[:, None] == np.arange(24)).astype(np.float64))
    if every <= 86_400:
        parts.append((weekday[:, None] == np.arange(7)).astype(np.float64))
    waves = 2 * np.pi * year[:, None] * np.arange(1, 3)
    parts += [np.sin(waves), np.cos(waves)]
    return np.concatenate(parts, axis=1)


class RidgeLags:
    """Ridge regression of all steps ahead on the lags of a window, the calendar of its end, and the mean of the last
    seasons at the target; then, where there are windows enough, what each place in the season does differently."""

    def __init__(self, *, horizon: int, season: int, longest: int, grid: Grid, seasons_back: float = 2.0,
                 log: bool = False) -> None:  # fmt: skip
        self.horizon, self.season, self.longest, self.grid = horizon, season, longest, grid
        self.seasons_back, self.log = seasons_back, log
        self.lags, self.reach = 1, 0
        self.dummies = False
        self.effect: Array = np.zeros(0)
        self.centre: Array = np.zeros(0)
        self.width: Array = np.ones(0)
        self.offset: Array = np.zeros(horizon)
        self.coefficients: Array = np.zeros((0, horizon))
        self.places: Array = np.zeros((0, 0, horizon), np.float32)

    def learn(self, panel: Panel) -> None:
        panel = self._transformed(panel)
        lengths = np.array([len(line) for line in panel.values])
        self.lags = self._lags(lengths)
        reach = self.longest * (PROFILE + -(-self.horizon // self.longest))
        self.reach = reach if self.longest > 1 and np.median(lengths) >= 2 * reach + self.horizon else 0
        windows = int(np.maximum(lengths - self._past() - self.horizon + 1, 0).sum())
        self.dummies = 2 <= self.longest <= MAX_DUMMIES and windows >= 20 * self.longest
        # What is known in advance moves the value at once: its effect is taken off first, and added again.
        self.effect = _effect(panel, self.season) if panel.known[0].shape[1] else np.zeros(0)
        rows, targets, ends, ages = self._windows(self._without_effect(panel))
        if not len(rows):
            return
        self.centre, self.width = rows.mean(axis=0), rows.std(axis=0)
        self.width[self.width < 1e-9] = 1.0
        rows = (rows - self.centre) / self.width
        self.coefficients, self.offset = _ridge(rows, targets, ages)
        if 2 <= self.season <= MAX_PLACES and len(rows) >= ENOUGH * self.season:
            rest = targets - rows @ self.coefficients - self.offset
            self.places = np.stack([_solved(rows[at], rest[at]) for at in _places(ends, self.season)])

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        plain = self._without_effect(self._transformed(panel))
        scales = np.array([scale_of(line) for line in plain.values])
        past = np.stack([stretched(line, self._past(), self.season)[-self._past() :] for line in plain.values])
        level = past[:, -min(self.season, self.lags) :].mean(axis=1)
        ahead = np.tile(self.offset, (len(past), 1))
        if len(self.coefficients):
            rows = (self._features(past, plain.ends, level, scales) - self.centre) / self.width
            ahead += rows @ self.coefficients
            if len(self.places):
                ahead += np.einsum("rf,rfh->rh", rows, self.places[plain.ends % self.season])
        values = level[:, None] + ahead[:, :steps] * scales[:, None]
        if len(self.effect):
            values = values + (known[:, :steps] @ self.effect) * scales[:, None]
        return np.exp(np.minimum(values, 700.0)) if self.log else values

    def arrays(self) -> dict[str, Array]:
        sizes = np.array([self.lags, self.reach, int(self.dummies)], np.int64)
        return {"sizes": sizes} | {name: getattr(self, name) for name in LEARNED}

    def restore(self, arrays: dict[str, Array]) -> None:
        self.lags, self.reach, self.dummies = (int(size) for size in arrays["sizes"])
        for name in LEARNED:
            setattr(self, name, arrays[name])

    def _past(self) -> int:
        return max(self.lags, self.reach)

    def _transformed(self, panel: Panel) -> Panel:
        if not self.log:
            return panel
        lines = tuple(np.log(np.maximum(line, 1e-9)) for line in panel.values)
        return Panel(panel.names, lines, panel.ends, panel.known)

    def _without_effect(self, panel: Panel) -> Panel:
        if not len(self.effect):
            return panel
        pairs = zip(panel.values, panel.known, strict=True)
        lines = tuple(line - (columns @ self.effect) * scale_of(line) for line, columns in pairs)
        return Panel(panel.names, lines, panel.ends, panel.known)

    def _lags(self, lengths: Array) -> int:
        """As many lags as there are windows enough to weigh them, in whole seasons where possible."""
        wanted = min(int(self.seasons_back * self.longest), MAX_LAGS)
        extra = calendar_columns(np.zeros(1, np.int64), self.grid).shape[1]
        for lags in (wanted, self.longest, int(self.seasons_back * self.season), self.season, self.season // 2, 8, 4):
            windows = np.maximum(lengths - lags - self.horizon + 1, 0).sum()
            if 0 < lags <= wanted and windows >= 3 * (lags + extra):
                return lags
        return max(1, min(4, int(lengths.max()) // 3))

    def _features(self, past: Array, ends: Array, level: Array, scale: Array) -> Array:
        """(windows, n): `past` holds the values up to each window's end, `ends` the step of it."""
        parts = [past[:, -self.lags :]]
        if self.reach:
            steps = np.arange(1, self.horizon + 1, max(1, self.horizon // 24))
            nearest = past.shape[1] - 1 + steps - -(-steps // self.longest) * self.longest
            parts.append(np.mean([past[:, nearest - number * self.longest] for number in range(PROFILE)], axis=0))
        parts = [(part - level[:, None]) / scale[:, None] for part in parts]
        parts.append(calendar_columns(ends, self.grid))
        if self.dummies:
            parts.append((ends % self.longest)[:, None] == np.arange(self.longest))
        return np.concatenate(parts, axis=1)

    def _windows(self, panel: Panel) -> tuple[Array, Array, Array, Array]:
        """Features and targets (windows, horizon), the step that each window ends with, and how long ago that is."""
        each, length = max(1, MAX_WINDOWS // len(panel.values)), self._past()
        rows, targets, stops, ages = [], [], [], []
        for line, end in zip(panel.values, panel.ends, strict=True):
            count = len(line) - length - self.horizon + 1
            if count < 1:
                continue
            first = max(0, count - each)
            views = np.lib.stride_tricks.sliding_window_view(line, length + self.horizon)[first:]
            past, future = views[:, :length], views[:, length:]
            level = past[:, -min(self.season, self.lags) :].mean(axis=1)
            scale = scale_of(line)
            ends = end - len(line) + length + np.arange(first, count)
            rows.append(self._features(past, ends, level, np.full(len(ends), scale)))
            targets.append((future - level[:, None]) / scale)
            stops.append(ends)
            ages.append(np.arange(count - first)[::-1])
        if not rows:
            return np.zeros((0, 1)), np.zeros((0, self.horizon)), np.zeros(0, np.int64), np.zeros(0)
        return np.concatenate(rows), np.concatenate(targets), np.concatenate(stops), np.concatenate(ages)


def _places(ends: Array, season: int) -> list[Array]:
    """Which windows end at each place of the season."""
    return [np.flatnonzero(ends % season == place) for place in range(season)]


def _solved(rows: Array, targets: Array) -> Array:
    gram = rows.T @ rows
    gram.flat[:: len(gram) + 1] += PLACE_PENALTY
    solved: Array = np.linalg.solve(gram, rows.T @ targets).astype(np.float32)
    return solved


def _ridge(rows: Array, targets: Array, ages: Array) -> tuple[Array, Array]:
    """Coefficients and offset; the penalty is the one that is best on the latest windows, by absolute error."""
    horizon = targets.shape[1]
    border = np.quantile(ages, HELD_OUT)
    early, late = ages >= border + horizon, ages < border
    penalty = 10.0
    if early.sum() > 20 and late.any():
        values, vectors, product, offset = _decomposed(rows[early], targets[early])
        turned = rows[late][-4000:] @ vectors
        losses = []
        for candidate in PENALTIES:
            ahead = turned @ (product / (values + candidate)[:, None]) + offset
            losses.append(float(np.abs(targets[late][-4000:] - ahead).mean()))
        penalty = float(PENALTIES[int(np.argmin(losses))])
    values, vectors, product, offset = _decomposed(rows, targets)
    return vectors @ (product / (values + penalty)[:, None]), offset


def _decomposed(rows: Array, targets: Array) -> tuple[Array, Array, Array, Array]:
    offset = targets.mean(axis=0)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    return np.maximum(values, 0.0), vectors, vectors.T @ (rows.T @ (targets - offset)), offset


def _effect(panel: Panel, season: int) -> Array:
    """How much the known columns move a series, in its scale: ridge of seasonal changes on their changes."""
    changes, causes = [], []
    for line, columns in zip(panel.values, panel.known, strict=True):
        lag = season if len(line) > 2 * season else 1
        if len(line) > lag:
            changes.append((line[lag:] - line[:-lag]) / scale_of(line))
            causes.append(columns[lag:] - columns[:-lag])
    if not changes:
        return np.zeros(panel.known[0].shape[1])
    change, cause = np.concatenate(changes), np.concatenate(causes)
    size = np.maximum((cause**2).mean(axis=0), 1e-12)
    gram = cause.T @ cause + np.diag(size * max(10.0, 0.001 * len(cause)))
    effect: Array = np.linalg.solve(gram, cause.T @ (change - change.mean()))
    return effect


# ---------------------------------------------------------------- features of single steps


def step_features(line: Array, origins: Array, ahead: Array, end: int, *, seasons: list[int], grid: Grid,
                  code: int) -> tuple[Array, Array, Array]:  # fmt: skip
    """Features (rows, n) of the steps `ahead` of `origins` (places in the line), with the level (rows,) and the scale
    (rows,) that predictions are made comparable with. But for the scale, nothing after an origin is looked at.

    Args:
        line: the series. end: its last step.
    """
    season = seasons[0]
    total = np.concatenate([[0.0], np.cumsum(line)])

    def mean(upto: Array, width: int) -> Array:
        first = np.maximum(upto + 1 - width, 0)
        return (total[upto + 1] - total[first]) / (upto + 1 - first)

    def at(places: Array) -> Array:
        return line[np.clip(places, 0, None)]

    level, scale = mean(origins, season), scale_of(line)
    before = mean(np.maximum(origins - season, 0), season)
    columns = [ahead.astype(np.float64)]
    values = [at(origins - lag) for lag in range(3)]
    values += [mean(origins, 3), mean(origins, 2 * season), 2 * level - before]
    target = origins + ahead
    for length in seasons:
        nearest = target - -(-ahead // length) * length
        values += [at(nearest - number * length) for number in range(3)]
        values.append(np.mean([at(nearest - number * length) for number in range(PROFILE)], axis=0))
        values.append(mean(np.maximum(nearest, 0), 3))
    columns += [(value - level) / scale for value in values]
    columns += list(calendar(end - len(line) + 1 + target, grid).T)
    columns.append(np.full(len(origins), float(code)))
    columns.append(np.full(len(origins), float(np.log(np.abs(line).mean() / scale + 1e-9))))
    return np.stack(columns, axis=1), level, np.full(len(origins), scale)
