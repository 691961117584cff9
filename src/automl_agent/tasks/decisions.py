"""Which of more than two classes is answered, so that a metric on labels is highest: the threshold's counterpart.

Where classes have an order, cuts of the mean class code (the usual rule for quadratic weighted kappa on Kaggle); else
weights of the classes, by which probabilities are multiplied before the largest is taken. Both are found by coordinate
ascent: one number is moved over a grid while the others stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_agent.tasks import measures

Array = npt.NDArray[Any]
Formula = Callable[[Array, int], Array]

SWEEPS = 3
GRID = 48
"""Values that are tried for a number."""
MAX_CELLS = 200_000
"""Probabilities (rows times classes) that are looked at; of more rows an even part."""
MAX_CLASSES = 40


def class_weights(formula: Formula, truth: Array, prediction: Array, weights: Array | None = None
                  ) -> tuple[float, ...]:  # fmt: skip
    """Weights of the classes (geometric mean 1) that are best for a metric.

    Args:
        formula: of confusion tables (..., classes, classes).
        truth: class codes (rows,).
        prediction: probabilities (rows, classes).
        weights: what each row counts (rows,).
    """
    truth, prediction, weights = _few(truth, prediction, weights)
    classes = prediction.shape[1]
    chances = np.log(np.maximum(prediction, 1e-9))
    offsets = np.zeros(classes)
    best = _value(formula, truth, chances.argmax(axis=1), classes, weights)
    for _ in range(SWEEPS):
        before = best
        for code in range(classes):
            rivals = chances + offsets
            rivals[:, code] = -np.inf
            other = rivals.argmax(axis=1)
            needed = rivals.max(axis=1) - chances[:, code]  # the offset from which on a row is answered with this class
            grid = np.unique(np.quantile(needed, np.linspace(0, 1, GRID)))
            grid = grid[np.abs(grid) < 4.0]
            if len(grid) == 0:
                continue
            values = _moved(formula, truth, other, code, needed, grid, classes, weights)
            if values.max() > best + 1e-12:
                best, offsets[code] = float(values.max()), float(grid[values.argmax()])
        if best <= before + 1e-6:
            break
    return tuple(float(weight) for weight in np.exp(offsets - offsets.mean()))


def _moved(formula: Formula, truth: Array, other: Array, code: int, needed: Array, grid: Array, classes: int,
           weights: Array | None) -> Array:  # fmt: skip
    """Values of the metric when a class is answered for all rows that need no more than each offset of the grid."""
    without = measures.confusion(truth, other, classes, weights)
    cells = np.searchsorted(grid, needed, side="left")  # the first offset that suffices
    size = len(grid) + 1
    counts = np.bincount((cells * classes + truth) * classes + other, weights, minlength=size * classes * classes)
    gone = counts.reshape(size, classes, classes)[:-1].cumsum(axis=0).astype(np.float64)
    tables = without - gone
    tables[:, :, code] += gone.sum(axis=2)
    return formula(tables, 1)


def usual_cuts(classes: int) -> tuple[float, ...]:
    """Halfway between neighbours: the class whose expected squared distance to the truth is least."""
    return tuple(code + 0.5 for code in range(classes - 1))


def cuts(formula: Formula, truth: Array, prediction: Array, weights: Array | None = None) -> tuple[float, ...]:
    """Cuts (classes - 1, ascending) of the mean class code that are best for a metric of ordered classes."""
    truth, prediction, weights = _few(truth, prediction, weights)
    classes = prediction.shape[1]
    mean = measures.mean_code(prediction)
    shares = np.bincount(truth, weights, minlength=classes)
    shares = (np.cumsum(shares) / shares.sum())[:-1]
    best, found = -np.inf, np.asarray(usual_cuts(classes))
    for start in (found, np.quantile(mean, shares)):  # as often as they are in truth
        value, end = _ascended(formula, truth, mean, np.array(start), classes, weights)
        if value > best + 1e-12:
            best, found = value, end
    return tuple(float(cut) for cut in found)


def _ascended(formula: Formula, truth: Array, mean: Array, ends: Array, classes: int, weights: Array | None
              ) -> tuple[float, Array]:  # fmt: skip
    best = _value(formula, truth, np.searchsorted(ends, mean, side="right"), classes, weights)
    for _ in range(SWEEPS):
        before = best
        for place in range(classes - 1):
            low = ends[place - 1] if place else -np.inf
            high = ends[place + 1] if place + 1 < classes - 1 else np.inf
            inside = mean[(mean > low) & (mean < high)]
            if len(inside) == 0:
                continue
            for cut in np.unique(np.quantile(inside, np.linspace(0, 1, GRID))):
                moved = ends.copy()
                moved[place] = cut
                value = _value(formula, truth, np.searchsorted(moved, mean, side="right"), classes, weights)
                if value > best + 1e-12:
                    best, ends = value, moved
        if best <= before + 1e-6:
            break
    return best, ends


def _value(formula: Formula, truth: Array, answers: Array, classes: int, weights: Array | None) -> float:
    return float(formula(measures.confusion(truth, answers, classes, weights), 1))


def _few(truth: Array, prediction: Array, weights: Array | None) -> tuple[Array, Array, Array | None]:
    """An even part of the rows where there are many."""
    step = max(1, prediction.size // MAX_CELLS)
    return truth[::step], np.asarray(prediction[::step], dtype=np.float64), None if weights is None else weights[::step]
