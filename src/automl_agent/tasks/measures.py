"""Formulas of the metrics, in plain numpy.

This file travels with a bundle: `train.py` scores with the formulas that chose the model. Metrics on labels are
functions of the confusion table, so that one formula serves a single score and, stacked, all thresholds at once. Not
for import at start-up: `metrics.py` imports this module where a score is needed.

Rows may count differently: `weights` (rows,) are what each counts, all above 0; only their proportions matter. A
formula without that argument has no weighted form.

Some names hold numbers: `precision@100`, `recall@5%` (of the rows that are likeliest positive) and `cost(10:1)` (mean
cost of a row when a missed positive costs 10 and a false alarm 1).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Threshold = float | tuple[float, ...] | None
"""How answers are taken from probabilities, see `answers`."""

_TINY = float(np.finfo(np.float64).eps)


class UndefinedMetric(ValueError):
    """The metric has no value on these targets."""


def known(metric: str) -> bool:
    """Whether there is a formula of this name."""
    return metric in VALUES or on_labels(metric) is not None or on_probabilities(metric) is not None


def weighable(metric: str) -> bool:
    """Whether there is a form of the metric in which rows count differently."""
    formula = VALUES.get(metric) or on_probabilities(metric)
    return on_labels(metric) is not None if formula is None else "weights" in inspect.signature(formula).parameters


def score(metric: str, truth: Array, prediction: Array, positive: int = 1, threshold: Threshold = None,
          weights: Array | None = None) -> float:  # fmt: skip
    """The metric's value.

    Args:
        truth: class codes (rows,) or values (rows,).
        prediction: probabilities (rows, classes), or values (rows,).
        positive: code of the positive class of a binary task.
        threshold: for metrics on labels, see `answers`.
        weights: what each row counts, above 0 (rows,); all the same where it is left out.

    Raises:
        KeyError: there is no such metric.
        ValueError: there are no rows, or a prediction is missing or infinite.
        UndefinedMetric: the metric is not defined on these targets (RMSLE, Poisson deviance of negative values; costs
            and shares of the top rows where there are more than two classes), or has no weighted form.
    """
    if len(truth) == 0:
        raise ValueError("There are no rows to score.")
    if not np.isfinite(prediction).all():
        raise ValueError("Predictions hold missing or infinite values.")
    if weights is not None and known(metric) and not weighable(metric):
        raise UndefinedMetric(f"The metric {metric!r} has no form in which rows count differently.")
    weighted = () if weights is None else (weights,)
    if metric in VALUES:
        with np.errstate(over="ignore", invalid="ignore"):  # an absurd prediction has an infinite error
            return float(VALUES[metric](truth, prediction, *weighted))
    if (on_chances := on_probabilities(metric)) is not None:
        return float(on_chances(truth, prediction, positive, *weighted))
    if (on_tables := on_labels(metric)) is None:
        raise KeyError(metric)
    table = confusion(truth, answers(prediction, positive, threshold), prediction.shape[1], weights)
    return float(on_tables(table, positive))


def answers(prediction: Array, positive: int, threshold: Threshold) -> Array:
    """Class codes (rows,) answered for probabilities (rows, classes): the likeliest class, but for a threshold.

    Args:
        threshold: of two classes, the probability from which on the positive one is answered. Of more, as many numbers
            as classes weigh their probabilities; one less (ascending) cut the mean class code of ordered classes.
    """
    classes = prediction.shape[1]
    if threshold is None:
        likeliest = prediction.argmax(axis=1) if classes != 2 else prediction[:, 1] > prediction[:, 0]
        return np.asarray(likeliest, dtype=np.int64)
    if isinstance(threshold, float | int):
        return np.where(prediction[:, positive] >= threshold, positive, 1 - positive)
    numbers = np.asarray(threshold, dtype=np.float64)
    if len(numbers) == classes:
        return np.asarray((prediction * numbers).argmax(axis=1), dtype=np.int64)
    # Rounded first: in the middle between two classes the last bit must not decide.
    return np.searchsorted(np.round(numbers, 9), mean_code(prediction), side="left")


def tempered(prediction: Array, temperature: float) -> Array:
    """Probabilities (rows, classes) made bolder (below 1) or more cautious: the softmax of their logarithms divided by
    the temperature. The order of classes in a row, and of two classes' rows, stays."""
    if temperature == 1.0:
        return prediction
    logarithms = np.log(np.maximum(prediction, _TINY)) / temperature
    powers = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def mean_code(prediction: Array) -> Array:
    """Expected class code (rows,) under probabilities (rows, classes) of ordered classes."""
    total = np.maximum(np.einsum("ij->i", prediction), _TINY)
    return np.asarray(np.round(prediction @ np.arange(prediction.shape[1]) / total, 9))


def confusion(truth: Array, answers: Array, classes: int, weights: Array | None = None) -> Array:
    """Confusion table (classes, classes) as float64: truth in rows, answers in columns."""
    counts = np.bincount(truth * classes + answers, weights, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.float64)


def cuts(hits: Array, chance: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """All thresholds that answer differently, and their confusion tables.

    Args:
        hits: whether a row is of the positive class, bool (rows,).
        chance: probability of the positive class (rows,).
        weights: what each row counts (rows,).

    Returns:
        thresholds (cuts,), and tables (cuts, 2, 2) in which the positive class has code 1.
    """
    ordered, found, taken = _from_the_top(hits, chance, weights)
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # the last row that each cut answers positive
    below = np.append(ordered[last[:-1] + 1], 0.0)
    thresholds = (ordered[last] + below) / 2
    true_positive, answered = found[last], taken[last]
    if ordered[0] < 1.0:  # the cut above all rows
        thresholds = np.append(thresholds, (ordered[0] + 1.0) / 2)
        true_positive, answered = np.append(true_positive, 0.0), np.append(answered, 0.0)
    total, rows = float(found[-1]), float(taken[-1])
    tables = np.empty((len(thresholds), 2, 2))
    tables[:, 1, 1] = true_positive
    tables[:, 1, 0] = total - true_positive
    tables[:, 0, 1] = answered - true_positive
    tables[:, 0, 0] = rows - total - answered + true_positive
    return thresholds, np.maximum(tables, 0.0)  # sums of weights are rounded: no cell may be below 0 for that


def _from_the_top(hits: Array, chance: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Probabilities from the highest down, and the weight so far: of the positive rows, and of all."""
    order = np.argsort(chance, kind="stable")[::-1]
    each = np.ones(len(hits)) if weights is None else weights[order]
    return chance[order], np.cumsum(each * hits[order]), np.cumsum(each)


# ---------------------------------------------------------------- on labels: tables (..., classes, classes) -> (...)


def _share(part: Array, whole: Array) -> Array:
    """Part of the whole; 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _right(table: Array) -> Array:
    return np.diagonal(table, axis1=-2, axis2=-1)


def _true(table: Array) -> Array:
    return np.asarray(table.sum(axis=-1))


def _answered(table: Array) -> Array:
    return np.asarray(table.sum(axis=-2))


def _each_f1(table: Array) -> Array:
    return _share(2 * _right(table), _true(table) + _answered(table))


def _each_precision(table: Array) -> Array:
    return _share(_right(table), _answered(table))


def _each_recall(table: Array) -> Array:
    return _share(_right(table), _true(table))


def _each_specificity(table: Array) -> Array:
    rows = table.sum(axis=(-2, -1))[..., None]
    negative = rows - _true(table)
    return _share(negative - _answered(table) + _right(table), negative)


def _macro(values: Array, table: Array) -> Array:
    """Mean over the classes that occur, as truth or as answer."""
    there = (_true(table) + _answered(table)) > 0
    return _share((values * there).sum(axis=-1), there.sum(axis=-1).astype(np.float64))


def _of(each: Callable[[Array], Array]) -> Callable[[Array, int], Array]:
    """Of the positive class when there are two classes, else the mean over classes."""

    def measure(table: Array, positive: int) -> Array:
        values = each(table)
        return values[..., positive] if table.shape[-1] == 2 else _macro(values, table)

    return measure


def _accuracy(table: Array, _: int) -> Array:
    return _share(_right(table).sum(axis=-1), table.sum(axis=(-2, -1)))


def _balanced_accuracy(table: Array, _: int) -> Array:
    """Mean recall over the classes that occur in the truth."""
    there = _true(table) > 0
    return _share((_each_recall(table) * there).sum(axis=-1), there.sum(axis=-1).astype(np.float64))


def _f1_weighted(table: Array, _: int) -> Array:
    return _share((_each_f1(table) * _true(table)).sum(axis=-1), table.sum(axis=(-2, -1)))


def _mcc(table: Array, _: int) -> Array:
    """0 when the truth or the answers are of one class."""
    rows = table.sum(axis=(-2, -1))
    true, answered, right = _true(table), _answered(table), _right(table).sum(axis=-1)
    joint = right * rows - (true * answered).sum(axis=-1)
    spread = (rows**2 - (true**2).sum(axis=-1)) * (rows**2 - (answered**2).sum(axis=-1))
    return _share(joint, np.sqrt(spread))


def _kappa(table: Array, _: int) -> Array:
    """0 when chance alone agrees on every row."""
    rows = table.sum(axis=(-2, -1))
    chance = (_true(table) * _answered(table)).sum(axis=-1)
    return _share(_right(table).sum(axis=-1) * rows - chance, rows**2 - chance)


def _qwk(table: Array, _: int) -> Array:
    """Cohen's kappa with squared distances of class codes as weights (Cohen 1968); 0 when chance alone agrees."""
    codes = np.arange(table.shape[-1])
    cost = (codes[:, None] - codes) ** 2.0
    seen = (table * cost).sum(axis=(-2, -1)) * table.sum(axis=(-2, -1))
    by_chance = np.einsum("...i,...j,ij->...", _true(table), _answered(table), cost)
    return _share(by_chance - seen, by_chance)


LABELS: dict[str, Callable[[Array, int], Array]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _of(_each_f1),
    "f1_macro": lambda table, _: _macro(_each_f1(table), table),
    "f1_micro": _accuracy,
    "f1_weighted": _f1_weighted,
    "precision": _of(_each_precision),
    "precision_macro": lambda table, _: _macro(_each_precision(table), table),
    "recall": _of(_each_recall),
    "recall_macro": lambda table, _: _macro(_each_recall(table), table),
    "specificity": _of(_each_specificity),
    "mcc": _mcc,
    "kappa": _kappa,
    "qwk": _qwk,
}


# ---------------------------------------------------------------- on probabilities: (rows, classes) -> float


def _mean(values: Array, weights: Array | None) -> float:
    return float(values.mean() if weights is None else np.average(values, weights=weights))


def _auc(hits: Array, chance: Array, weights: Array | None) -> float:
    """Share of (positive, negative) pairs in the right order, ties counting half; 0.5 when there is no pair. A pair
    counts the product of its rows' weights."""
    if hits.all():
        return 0.5
    yes, no = chance[hits], chance[~hits]
    up, order = np.argsort(yes), np.argsort(no)  # sorted values are found in sorted ones eight times as fast
    yes, no, count = yes[up], no[order], np.ones(len(hits)) if weights is None else weights
    each, others = count[hits][up], count[~hits][order]
    before = np.concatenate([[0.0], np.cumsum(others)])
    below = before[np.searchsorted(no, yes, "left")] + before[np.searchsorted(no, yes, "right")]
    return float(np.dot(each, below)) / (2.0 * float(each.sum()) * float(before[-1]))


def _average_precision(hits: Array, chance: Array, weights: Array | None) -> float:
    """Sum over the distinct probabilities of precision times the recall gained."""
    ordered, found, taken = _from_the_top(hits, chance, weights)
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    gained = np.diff(found[last], prepend=0)
    return float((gained * found[last] / taken[last]).sum() / found[-1])


def _per_class(measure: Callable[[Array, Array, Array | None], float], empty: float) -> Callable[..., float]:
    """Of the positive class when there are two, else the mean over the classes that occur, each against the rest;
    `empty` when none of them occurs."""

    def whole(truth: Array, prediction: Array, positive: int, weights: Array | None = None) -> float:
        codes = [positive] if prediction.shape[1] == 2 else range(prediction.shape[1])
        masks = [(code, truth == code) for code in codes]
        parts = [measure(hits, prediction[:, code], weights) for code, hits in masks if hits.any()]
        return sum(parts) / len(parts) if parts else empty

    return whole


def _log_loss(truth: Array, prediction: Array, _: int, weights: Array | None = None) -> float:
    """Rows are scaled to sum to one, so that inflated probabilities bring nothing."""
    chance = prediction[np.arange(len(truth)), truth]
    total = np.einsum("ij->i", prediction)
    return -_mean(np.log(np.clip(chance / np.maximum(total, _TINY), _TINY, 1.0)), weights)


def _brier(truth: Array, prediction: Array, positive: int, weights: Array | None = None) -> float:
    """Two classes: squared error of the positive class, 0 to 1. More: summed over the classes, 0 to 2."""
    if prediction.shape[1] == 2:
        return _mean((prediction[:, positive] - (truth == positive)) ** 2, weights)
    chance = prediction[np.arange(len(truth)), truth]
    return _mean(np.einsum("ij,ij->i", prediction, prediction) - 2 * chance + 1, weights)


PROBABILITIES: dict[str, Callable[..., float]] = {
    "roc_auc": _per_class(_auc, empty=0.5),
    "average_precision": _per_class(_average_precision, empty=0.0),
    "log_loss": _log_loss,
    "brier": _brier,
}


# ---------------------------------------------------------------- with numbers in their names


def costs(metric: str) -> tuple[float, float] | None:
    """Cost of a missed positive and of a false alarm, from a name like `cost(10:1)`."""
    if not metric.startswith("cost("):
        return None
    miss, _, alarm = metric[len("cost(") : -1].partition(":")
    return float(miss), float(alarm)


def on_labels(metric: str) -> Callable[[Array, int], Array] | None:
    """The formula of a metric on labels."""
    if metric in LABELS:
        return LABELS[metric]
    prices = costs(metric)
    return None if prices is None else _cost(*prices)


def on_probabilities(metric: str) -> Callable[..., float] | None:
    """The formula of a metric on probabilities."""
    if metric in PROBABILITIES:
        return PROBABILITIES[metric]
    kind, at, size = metric.partition("@")
    return _at_the_top(kind, size) if at else None


def _two_classes(count: int, what: str) -> None:
    if count != 2:
        raise UndefinedMetric(f"{what} is defined for two classes; here there are {count}.")


def _cost(miss: float, alarm: float) -> Callable[[Array, int], Array]:
    """Mean cost of a row (Elkan 2001, The Foundations of Cost-Sensitive Learning; right answers cost nothing)."""

    def measure(table: Array, positive: int) -> Array:
        _two_classes(table.shape[-1], "The cost of a missed positive and of a false alarm")
        missed, alarms = table[..., positive, 1 - positive], table[..., 1 - positive, positive]
        return _share(miss * missed + alarm * alarms, table.sum(axis=(-2, -1)))

    return measure


def _at_the_top(kind: str, size: str) -> Callable[[Array, Array, int], float]:
    """Precision or recall of answering positive for the likeliest rows: a number of them, or a share of all.

    Rows that are as likely as the last one that is taken count in part, as if drawn among each other.
    """

    def measure(truth: Array, prediction: Array, positive: int) -> float:
        _two_classes(prediction.shape[1], f"{kind}@{size}")
        rows = len(truth)
        wanted = math.ceil(rows * float(size[:-1]) / 100 - 1e-9) if size.endswith("%") else int(size)
        taken = max(1, min(rows, wanted))
        hits, chance = truth == positive, prediction[:, positive]
        last = np.partition(chance, rows - taken)[rows - taken]
        above, level = chance > last, chance == last
        found = float(hits[above].sum()) + float(hits[level].mean()) * (taken - int(above.sum()))
        whole = float(taken) if kind == "precision" else float(hits.sum())
        return found / whole if whole else 0.0

    return measure


# ---------------------------------------------------------------- on values: (rows,) -> float


def quantile(values: Array, share: float, weights: Array) -> float:
    """The value up to which a share of the weight lies; between two values, where the share is met exactly, their mean
    (the quantile that scikit-learn's weighted metrics use)."""
    order = np.argsort(values, kind="stable")
    so_far, ordered = np.cumsum(weights[order]), values[order]
    sought = share * so_far[-1]
    place = min(int(np.searchsorted(so_far, sought * (1 - 1e-12), "left")), len(ordered) - 1)
    exact = place + 1 < len(ordered) and math.isclose(so_far[place], sought, rel_tol=1e-12)
    return float((ordered[place] + ordered[place + 1]) / 2 if exact else ordered[place])


def _mse(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    error = truth - prediction
    return float(np.dot(error, error) / len(error)) if weights is None else _mean(error**2, weights)


def _variance(values: Array, weights: Array | None) -> float:
    return float(np.var(values)) if weights is None else _mean((values - _mean(values, weights)) ** 2, weights)


def _explained(rest: float, spread: float) -> float:
    """1 - rest / spread; for a constant truth 1 when nothing is left over, else 0."""
    if spread > 0:
        return 1.0 - rest / spread
    return 1.0 if rest == 0 else 0.0


def _r2(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    centred = truth - _mean(truth, weights)
    return _explained(_mse(truth, prediction, weights), _mse(centred, np.zeros_like(centred), weights))


def _explained_variance(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    return _explained(_variance(truth - prediction, weights), _variance(truth, weights))


def _not_negative(truth: Array, metric: str) -> None:
    lowest = float(truth.min())
    if lowest < 0:
        raise UndefinedMetric(f"{metric} is not defined for negative targets; the lowest is {lowest:g}.")


def _rmse(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    return math.sqrt(_mse(truth, prediction, weights))


def _mae(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    return _mean(np.abs(truth - prediction), weights)


def _median_ae(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    errors = np.abs(truth - prediction)
    return float(np.median(errors)) if weights is None else quantile(errors, 0.5, weights)


def _rmsle(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    """Negative predictions count as 0."""
    _not_negative(truth, "rmsle")
    return _rmse(np.log1p(truth), np.log1p(np.maximum(prediction, 0.0)), weights)


def _mape(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    return _mean(np.abs(truth - prediction) / np.maximum(np.abs(truth), _TINY), weights)


def _smape(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    """Mean of 2 |error| / (|truth| + |prediction|); a row of two zeros counts 0."""
    return _mean(_share(2 * np.abs(truth - prediction), np.abs(truth) + np.abs(prediction)), weights)


def _poisson_deviance(truth: Array, prediction: Array, weights: Array | None = None) -> float:
    """Predictions below 1e-9 count as that."""
    _not_negative(truth, "poisson_deviance")
    mean = np.maximum(prediction, 1e-9)
    ratio = np.where(truth > 0, truth, mean) / mean
    return 2 * _mean(truth * np.log(ratio) - truth + mean, weights)


VALUES: dict[str, Callable[..., float]] = {
    "rmse": _rmse,
    "mse": _mse,
    "mae": _mae,
    "r2": _r2,
    "rmsle": _rmsle,
    "mape": _mape,
    "smape": _smape,
    "median_ae": _median_ae,
    "max_error": lambda truth, prediction: float(np.abs(truth - prediction).max()),
    "explained_variance": _explained_variance,
    "poisson_deviance": _poisson_deviance,
}
