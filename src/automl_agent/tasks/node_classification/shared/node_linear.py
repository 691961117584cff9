"""Logistic regression on features of nodes, with what it takes to keep to a time limit."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from node_model import NodeModel

Array = npt.NDArray[Any]

ITERATIONS = 300
FEWEST = 30
TIMED = 3


def fit_logistic(model: NodeModel, matrix: Any, codes: Array, strength: float) -> tuple[Array, Array]:
    """Weights (width, classes) and offsets (classes,) of L2-penalised multinomial logistic regression.

    Args:
        model: whose `params` may fix `iterations`, and whose `effective` they go to.
        strength: weight of the penalty against the sum of the rows' losses.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    def fitted(iterations: int) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return LogisticRegression(C=1 / strength, max_iter=iterations).fit(matrix, codes)

    iterations = int(model.params.get("iterations", ITERATIONS))
    if model.seconds_left is not None and "iterations" not in model.params:
        started = time.monotonic()
        fitted(TIMED)
        each = (time.monotonic() - started) / TIMED
        model.require(each * FEWEST, "Logistic regression")
        iterations = max(FEWEST, min(iterations, int((model.seconds_left or 0.0) / max(each, 1e-6))))
    model.effective["iterations"] = iterations
    found = fitted(iterations)
    weights, offsets = found.coef_.T, found.intercept_
    if weights.shape[1] == 1:
        weights, offsets = np.concatenate([np.zeros_like(weights), weights], axis=1), np.append(0.0, offsets)
    return np.asarray(weights), np.asarray(offsets)
