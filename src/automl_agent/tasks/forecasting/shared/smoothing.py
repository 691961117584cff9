"""Statistical forecasters of single series: seasonal naive, Theta, exponential smoothing. Plain numpy.

Theta: Assimakopoulos & Nikolopoulos (2000), in the form of Hyndman & Billah (2003). Exponential smoothing: additive
errors, damped trend, additive or multiplicative season (Hyndman et al. 2008); many parameter sets run at once over many
series, and forecasts are averaged with Akaike weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from panel import padded
from scipy.signal import lfilter

Array = npt.NDArray[Any]

SEASONS_KEPT = 20
LEAST_KEPT = 200
"""Series are looked at for their last twenty seasons, at least 200 steps: older ones say little."""
ALPHAS = np.concatenate([[0.01, 0.03], np.linspace(0.06, 0.98, 24)])


def kept(line: Array, season: int) -> Array:
    return line[-max(LEAST_KEPT, SEASONS_KEPT * season) :]


def seasonal_naive(line: Array, steps: int, season: int) -> Array:
    """The last season again; the last value where there is not a whole one."""
    if len(line) < season:
        return np.full(steps, line[-1])
    return line[len(line) - season + np.arange(steps) % season]


# ---------------------------------------------------------------- season


def is_seasonal(line: Array, season: int) -> bool:
    """Whether the autocorrelation at the season's lag is larger than chance, as in the M competitions (90 %)."""
    if season < 2 or len(line) < 3 * season:
        return False
    centred = line - line.mean()
    total = float(centred @ centred)
    if total <= 0:
        return False
    lags = np.array([centred[lag:] @ centred[:-lag] for lag in range(1, season + 1)]) / total
    limit = 1.645 * np.sqrt((1 + 2 * float(lags[:-1] @ lags[:-1])) / len(line))
    return bool(abs(lags[-1]) > limit)


def moving_average(line: Array, season: int) -> Array:
    """Centred moving average over a season; NaN for half a season at both ends."""
    weights = np.full(season, 1.0 / season)
    if season % 2 == 0:
        weights = np.concatenate([[0.5], np.ones(season - 1), [0.5]]) / season
    result = np.full(len(line), np.nan)
    half = len(weights) // 2
    result[half : len(line) - half] = np.convolve(line, weights, mode="valid")
    return result


def seasonal_indices(line: Array, season: int, *, multiply: bool) -> Array:
    """Index of each of a season's places, the first one for the line's first step (classical decomposition)."""
    trend = moving_average(line, season)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = line / trend if multiply else line - trend
    full = np.full(-(-len(line) // season) * season, np.nan)
    full[: len(line)] = np.where(np.isfinite(rest), rest, np.nan)
    table = full.reshape(-1, season)
    filled = np.isfinite(table).any(axis=0)
    indices = np.full(season, 1.0 if multiply else 0.0)
    indices[filled] = np.nanmean(table[:, filled], axis=0)
    if multiply:
        return np.maximum(indices / indices.mean(), 0.01)
    return indices - indices.mean()


# ---------------------------------------------------------------- Theta


def theta(line: Array, steps: int, season: int, *, share: float = 0.5, damp: float = 1.0, log: bool = False) -> Array:
    """Theta forecast: the straight line's and that of the line with doubled curvature, smoothed; both weigh half.

    Args:
        share: weight of the straight line.
        damp: factor by which the trend's growth shrinks with each step.
        log: whether positive series are forecast in logarithms: trend and season in percent.
    """
    line = kept(line, season)
    positive = bool(line.min() > 0)
    if log and positive:
        return np.exp(np.minimum(_theta(np.log(line), steps, season, share, damp, multiply=False), 700.0))
    return _theta(line, steps, season, share, damp, multiply=positive)


def _theta(line: Array, steps: int, season: int, share: float, damp: float, *, multiply: bool) -> Array:
    if is_seasonal(line, season):
        indices = seasonal_indices(line, season, multiply=multiply)
        places = np.arange(len(line) + steps) % season
        before, after = indices[places[: len(line)]], indices[places[len(line) :]]
        adjusted = line / before if multiply else line - before
    else:
        before = after = None
        adjusted = line
    flat = _theta_flat(adjusted, steps, share, damp)
    if after is None:
        return flat
    return flat * after if multiply else flat + after


def _theta_flat(line: Array, steps: int, share: float, damp: float) -> Array:
    n = len(line)
    if n < 3:
        return np.full(steps, line[-1])
    moments = np.arange(n)
    slope, start = np.polyfit(moments, line, 1)
    straight = start + slope * moments
    level = smooth(line / (1 - share) - straight * share / (1 - share)) if share < 1 else straight[-1]
    grown = np.cumsum(damp ** np.arange(1, steps + 1)) if damp < 1 else np.arange(1, steps + 1)
    return share * (straight[-1] + slope * grown) + (1 - share) * level


def smooth(line: Array) -> float:
    """Last level of simple exponential smoothing, with the weight that forecasts the line best one step ahead."""
    best, level = np.inf, float(line[-1])
    for alpha in ALPHAS:
        levels, _ = lfilter([alpha], [1.0, alpha - 1.0], line[1:], zi=[(1 - alpha) * line[0]])
        error = line[1:] - np.concatenate([line[:1], levels[:-1]])
        loss = float(error @ error)
        if loss < best:
            best, level = loss, float(levels[-1])
    return level


# ---------------------------------------------------------------- exponential smoothing


def parameter_sets(*, trend: bool, seasonal: bool) -> Array:
    """(sets, 4): weight of level, trend and season, and the damping of the trend."""
    alphas = (0.05, 0.15, 0.3, 0.5, 0.7, 0.9)
    betas = (0.0, 0.05, 0.2, 0.5) if trend else (0.0,)
    gammas = (0.02, 0.1, 0.3) if seasonal else (0.0,)
    dampings = (0.8, 0.9, 0.98) if trend else (1.0,)
    sets = [
        (alpha, alpha * beta, gamma * (1 - alpha), damping if beta > 0 else 0.0)
        for alpha, beta, gamma, damping in itertools.product(alphas, betas, gammas, dampings)
        if beta > 0 or damping == dampings[0]
    ]
    return np.array(sets)


def exponential_smoothing(lines: Sequence[Array], steps: int, season: int, *, trend: bool = True) -> Array:
    """Forecasts (series, steps); each series with a season or without, as its autocorrelation says."""
    lines = [kept(line, season) for line in lines]
    groups: dict[tuple[bool, bool], list[int]] = {}
    for place, line in enumerate(lines):
        seasonal = is_seasonal(line, season)
        groups.setdefault((seasonal, seasonal and bool(line.min() > 0)), []).append(place)
    result = np.empty((len(lines), steps))
    for (seasonal, multiply), places in groups.items():
        sets = parameter_sets(trend=trend, seasonal=seasonal)
        m = season if seasonal else 1
        size = max(1, 4_000_000 // (len(sets) * (m + steps)))
        for start in range(0, len(places), size):
            some = places[start : start + size]
            result[some] = _smoothed([lines[i] for i in some], steps, m, sets, multiply=multiply)
    return result


def _smoothed(lines: list[Array], steps: int, season: int, sets: Array, *, multiply: bool) -> Array:
    """Run every parameter set over every series; series are right-aligned, the longest first."""
    order = np.argsort([-len(line) for line in lines], kind="stable")
    table = padded([lines[i] for i in order], max(map(len, lines)))
    count, width = table.shape
    start = width - np.array([len(lines[i]) for i in order])
    unit = np.array([np.abs(lines[i]).mean() or 1.0 for i in order])
    table = table / unit[:, None]
    level, slope, round_ = _initial(table, start, season, multiply=multiply)
    shape = (count, len(sets))
    level, slope = (np.repeat(part[:, None], len(sets), axis=1) for part in (level, slope))
    round_ = np.repeat(round_[:, None, :], len(sets), axis=1)
    loss = np.zeros(shape)
    alpha, beta, gamma, phi = sets.T
    for moment in range(width):
        active = int(np.searchsorted(start, moment, side="right"))  # the longest come first
        value, place = table[:active, moment, None], moment % season
        index = round_[:active, :, place]
        damped = phi * slope[:active]
        base = level[:active] + damped
        adjusted = value / index if multiply else value - index
        error = value - (base * index if multiply else base + index)
        loss[:active] += error * error
        new = base + alpha * (adjusted - base)
        slope[:active] = damped + beta * (adjusted - base)
        level[:active] = new
        if season > 1:
            rest = value / np.where(np.abs(base) > 1e-6, base, 1e-6) if multiply else value - base
            seen = index + gamma * (rest - index)
            round_[:active, :, place] = np.clip(seen, 0.01, 100.0) if multiply else seen
    n = (width - start)[:, None].astype(np.float64)
    weights = _akaike(loss, n, sets)
    grown = np.cumsum(phi[:, None] ** np.arange(1, steps + 1), axis=1)
    flat = level[:, :, None] + slope[:, :, None] * grown
    seasons = round_[:, :, (width + np.arange(steps)) % season]
    ahead = flat * seasons if multiply else flat + seasons
    mean = np.einsum("sp,sph->sh", weights, ahead) * unit[:, None]
    result = np.empty_like(mean)
    result[order] = mean
    return result


def _akaike(loss: Array, n: Array, sets: Array) -> Array:
    """Weights of the parameter sets of each series, (series, sets)."""
    free = 2.0 + 2.0 * (sets[:, 1] > 0)
    information = n * np.log(loss / n + 1e-12) + 2 * free * n / np.maximum(n - free - 1, 1.0)
    least = information.min(axis=1, keepdims=True)
    weights = np.exp(-0.5 * np.minimum(information - least, 200.0))
    return weights / weights.sum(axis=1, keepdims=True)


def _initial(table: Array, start: Array, season: int, *, multiply: bool) -> tuple[Array, Array, Array]:
    """Level, slope and season that each series begins with."""
    count = len(table)
    level, slope, round_ = np.empty(count), np.zeros(count), np.full((count, season), 1.0 if multiply else 0.0)
    for place in range(count):
        line = table[place, start[place] :]
        if season > 1:
            indices = np.roll(seasonal_indices(line, season, multiply=multiply), start[place] % season)
            round_[place] = indices
            at = indices[(start[place] + np.arange(len(line))) % season]
            line = line / at if multiply else line - at
        part = line[: max(2, min(10, len(line)))]
        level[place] = part[0]
        if len(part) > 2:
            slope[place] = (part[-1] - part[0]) / (len(part) - 1)
            level[place] = part.mean() - slope[place] * (len(part) + 1) / 2
    return level, slope, round_
