"""Number columns: dates to parts, arithmetic pairs, scaling, splines.

Every block learns from training rows, holds only plain values and arrays (`plain_state.py` stores them), and avoids
loops over columns in `transform`, so that one row is fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SAMPLE = 5_000
"""Rows that choices between columns are made on."""
BINS = 16
PARENTS = 8
"""Number columns that arithmetic pairs are built from."""
PAIRS = 12
"""Arithmetic pairs kept."""
OPERATIONS = ("+", "-", "*", "/")
KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)
REFERENCES = 101
FAR = 20.0
"""Robust deviations beyond which a scaled value is cut: no model should extrapolate further."""


# ---------------------------------------------------------------- relevance


def centred_target(target: Array, kind: str) -> Array:
    """The target as centred columns whose variance can be explained: (rows, classes), or ranks (rows, 1)."""
    if kind == "classification":
        columns = np.eye(int(target.max()) + 1)[target.astype(np.int64)]
    else:
        columns = np.argsort(np.argsort(target, kind="stable"), kind="stable")[:, None].astype(np.float64)
    return np.asarray(columns - columns.mean(axis=0))


def relevance(codes: Array, target: Array) -> float:
    """Share of the target's variance that groups explain, less what they would explain by chance.

    Args:
        codes: group of every row, integers >= 0.
        target: columns of `centred_target`.
    """
    counts = np.bincount(codes)
    sums = np.stack([np.bincount(codes, weights=column) for column in target.T])
    between = float((sums**2 / np.maximum(counts, 1)).sum())
    total = float((target**2).sum()) or 1.0
    rows, groups = len(codes), int((counts > 0).sum())
    if rows <= groups:
        return 0.0
    return 1 - (1 - between / total) * (rows - 1) / (rows - groups)


def binned(values: Array) -> Array:
    """Quantile bins of a number column; missing values are a bin of their own."""
    missing = np.isnan(values)
    if missing.all():
        return np.zeros(len(values), dtype=np.int64)
    edges = np.quantile(values[~missing], np.linspace(0, 1, BINS + 1)[1:-1])
    return np.where(missing, BINS, np.searchsorted(edges, values, side="left"))


def sample_rows(rows: int, seed: int) -> Array:
    if rows <= SAMPLE:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, SAMPLE, replace=False))


# ---------------------------------------------------------------- dates


def date_parts(dates: Array) -> Array:
    """Year, month, day, weekday (Monday 0), hour with fraction, and days since 1970; NaN where the date is missing.

    Args:
        dates: (rows,) datetime64 of any unit.

    Returns:
        (rows, 6) float64.
    """
    seconds = dates.astype("datetime64[s]")
    missing = np.isnat(seconds)
    seconds = np.where(missing, np.datetime64(0, "s"), seconds)
    days = seconds.astype("datetime64[D]")
    months = seconds.astype("datetime64[M]")
    number = days.astype(np.int64)
    elapsed = seconds.astype(np.int64)
    parts = np.stack(
        [
            seconds.astype("datetime64[Y]").astype(np.int64) + 1970,
            months.astype(np.int64) % 12 + 1,
            (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
            (number + 3) % 7,
            elapsed % 86_400 / 3_600,
            elapsed / 86_400,
        ],
        axis=1,
    ).astype(np.float64)
    parts[missing] = np.nan
    return parts


# ---------------------------------------------------------------- arithmetic pairs


class Arithmetic:
    """Sums, differences, products and ratios of the most relevant numbers that tell more than their parents."""

    def __init__(self) -> None:
        self.left: Array = np.zeros(0, dtype=np.int64)
        self.right: Array = np.zeros(0, dtype=np.int64)
        self.operation: Array = np.zeros(0, dtype=np.int64)

    def fit(self, numbers: Array, target: Array, kind: str, seed: int) -> Arithmetic:
        rows = sample_rows(len(numbers), seed)
        values, truth = numbers[rows], centred_target(target[rows], kind)
        single = np.array([relevance(binned(column), truth) for column in values.T])
        parents = np.argsort(-single, kind="stable")[:PARENTS]
        found: list[tuple[float, int, int, int]] = []
        for place, left in enumerate(parents):
            for right in parents[place + 1 :]:
                for operation in range(len(OPERATIONS)):
                    column = _combine(values[:, [left]], values[:, [right]], np.array([operation]))[:, 0]
                    gain = relevance(binned(column), truth) - max(single[left], single[right])
                    if gain > 0:
                        found.append((-gain, int(left), int(right), operation))
        chosen = sorted(found)[:PAIRS]
        self.left = np.array([pair[1] for pair in chosen], dtype=np.int64)
        self.right = np.array([pair[2] for pair in chosen], dtype=np.int64)
        self.operation = np.array([pair[3] for pair in chosen], dtype=np.int64)
        return self

    def transform(self, numbers: Array) -> Array:
        return _combine(numbers[:, self.left], numbers[:, self.right], self.operation)


def _combine(left: Array, right: Array, operation: Array) -> Array:
    """Column-wise arithmetic; what overflows or divides by zero is missing."""
    with np.errstate(all="ignore"):
        result = np.choose(operation[None, :], [left + right, left - right, left * right, left / right])
    result[~np.isfinite(result)] = np.nan
    return np.asarray(result)


# ---------------------------------------------------------------- scaling


class Scaler:
    """Median imputation with flags, then robust scaling or quantiles of the normal distribution, then splines."""

    def __init__(self, quantiles: bool = False, splines: bool = False) -> None:
        self.quantiles = quantiles
        self.splines = splines

    def fit(self, numbers: Array) -> Scaler:
        width = numbers.shape[1]
        self.flagged = np.flatnonzero(np.isnan(numbers).any(axis=0))
        self.centre = np.zeros(width)
        self.scale = np.ones(width)
        self.references = np.zeros((width, REFERENCES))
        for place in range(width):
            known = numbers[:, place][~np.isnan(numbers[:, place])]
            if not len(known):
                continue
            low, self.centre[place], high = np.quantile(known, [0.25, 0.5, 0.75])
            self.scale[place] = _spread(known, low, high)
            self.references[place] = np.quantile(known, np.linspace(0, 1, REFERENCES))
        self.bent = np.zeros(0, dtype=np.int64)
        self.knots = np.zeros(0)
        if self.splines:
            self._fit_splines(self._scaled(numbers))
        return self

    def _fit_splines(self, scaled: Array) -> None:
        places: list[int] = []
        knots: list[float] = []
        for place in range(scaled.shape[1]):
            inner = np.unique(np.quantile(scaled[:, place], KNOTS))
            if len(inner) == len(KNOTS):  # fewer: too few distinct values to bend at
                places += [place] * len(inner)
                knots += inner.tolist()
        self.bent, self.knots = np.array(places, dtype=np.int64), np.array(knots)

    def _scaled(self, numbers: Array) -> Array:
        filled = np.where(np.isnan(numbers), self.centre, numbers)
        if self.quantiles:
            scores = _normal_scores()
            columns = [np.interp(filled[:, place], self.references[place], scores) for place in range(filled.shape[1])]
            return np.stack(columns, axis=1) if columns else filled
        with np.errstate(over="ignore"):
            return np.asarray(np.clip((filled - self.centre) / self.scale, -FAR, FAR))

    def transform(self, numbers: Array) -> Array:
        """(rows, columns) with NaN -> (rows, columns + flags + spline pieces) without."""
        scaled = self._scaled(numbers)
        parts = [scaled]
        if len(self.flagged):
            parts.append(np.isnan(numbers[:, self.flagged]).astype(np.float64))
        if len(self.bent):
            parts.append(np.maximum(scaled[:, self.bent] - self.knots, 0))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else scaled


def _spread(known: Array, low: float, high: float) -> float:
    """A standard deviation that outliers do not move: from the quartiles, or the plain one where they coincide."""
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(high - low) / 1.35
        if not 0 < spread < np.inf:
            largest = float(np.abs(known).max()) or 1.0
            spread = float((known / largest).std()) * largest  # scaled first: squares of huge values overflow
    return spread if 0 < spread < np.inf else 1.0


def _normal_scores() -> Array:
    """Normal quantiles of an even grid, the ends at -3 and 3."""
    from scipy.special import ndtri

    edge = 0.00135
    return np.asarray(ndtri(np.linspace(edge, 1 - edge, REFERENCES)))
