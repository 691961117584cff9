"""Targets: logarithm and scale of values, weights of classes, and rows held out of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LARGEST = float(np.finfo(np.float64).max)
RAW_METRICS = ("mape", "poisson_deviance")
"""Metrics whose losses need the target in its own units."""


class TargetTransform:
    """Values as a regression model sees them: on a log scale when asked for (`log_target`) or implied (`rmsle`), then
    standardised. Both are undone in predictions."""

    def __init__(self) -> None:
        self.log = False
        self.centre = 0.0
        self.scale = 1.0
        self.bounds = [-LARGEST, LARGEST]
        """Least and greatest answer."""

    def fit(self, values: Array, steps: Sequence[str], metric: str) -> TargetTransform:
        low = float(values.min())
        self.log = low > -1 and (metric == "rmsle" or "log_target" in steps)
        seen = np.log1p(values) if self.log else values
        if self.log or metric not in RAW_METRICS:
            self.centre, self.scale = float(seen.mean()), float(seen.std()) or 1.0
        if self.log:  # an extrapolated logarithm explodes
            margin = float(seen.max() - seen.min()) / 10
            self.bounds = [float(np.expm1(seen.min() - margin)), float(np.expm1(seen.max() + margin))]
        if metric == "rmsle" or (metric == "poisson_deviance" and low >= 0):
            least = 0.0 if metric == "rmsle" else float(values.mean()) / 100
            self.bounds[0] = max(self.bounds[0], least)
        return self

    def forward(self, values: Array) -> Array:
        seen = np.log1p(values) if self.log else values
        return np.asarray((seen - self.centre) / self.scale, dtype=np.float64)

    def inverse(self, answers: Array) -> Array:
        values = np.asarray(answers, dtype=np.float64) * self.scale + self.centre
        if self.log:
            values = np.expm1(np.minimum(values, 700.0))
        return np.asarray(np.clip(values, *self.bounds))


def class_weights(codes: Array, weight: Array | None = None) -> Array:
    """One weight a row, so that all classes weigh the same; their mean is 1.

    Args:
        weight: what each row counts within its class.
    """
    counts = np.bincount(codes, weight)
    balanced = len(codes) / ((counts > 0).sum() * counts[codes])
    return np.asarray(balanced if weight is None else balanced * weight)


def hold_out(target: Array, seed: int, part: int = 7) -> tuple[Array, Array]:
    """Positions to train on and positions held out: every 7th row (about 15 %) of each class, or along the values."""
    order = np.random.default_rng(seed).permutation(len(target))
    order = order[np.argsort(target[order], kind="stable")]
    outside = np.zeros(len(target), dtype=bool)
    outside[order[part // 2 :: part]] = True
    return np.flatnonzero(~outside), np.flatnonzero(outside)
