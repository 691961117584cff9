"""Logistic regression or ridge on scaled, one-hot encoded columns: fast, small, and hard to beat on few rows."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from plain_state import load_arrays, save_arrays
from table_model import TableModel

TITLE = "Linear model (logistic regression, ridge)"
TAGS = ("linear", "logistic regression", "linear regression", "ridge", "interpretable", "simple")
PORTFOLIO = [{"strength": 1.0}, {"strength": 30.0}, {"strength": 0.03}]
SPACE = {"strength": {"type": "float", "low": 0.001, "high": 1000.0, "log": True}}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]

ITERATIONS = 300
FEWEST = 30
"""Iterations below which a fit is not begun."""
TIMED = 5


class Model(TableModel):
    """L2-penalised; `strength` is the weight of the penalty against the sum of the rows' losses."""

    MODE = "matrix"
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, matrix: Array, target: Array, weights: Array | None) -> None:
        if self.classifies:
            self._learn_classes(matrix, target, weights)
        else:
            self._learn_values(matrix, target, weights)

    def _learn_values(self, matrix: Array, target: Array, weights: Array | None) -> None:
        rows, width = matrix.shape
        self.require(rows * width * min(rows, width) / 1e9, "Ridge regression")
        centre, middle = np.average(matrix, axis=0, weights=weights), float(np.average(target, weights=weights))
        shifted, aim, strength = matrix - centre, target - middle, float(self.params["strength"])
        if weights is not None:
            root = np.sqrt(weights)
            shifted, aim = shifted * root[:, None], aim * root
        if width <= rows:
            system = shifted.T @ shifted + strength * np.eye(width)
            slope = np.linalg.solve(system, shifted.T @ aim)
        else:  # fewer rows than columns: the dual is smaller
            slope = shifted.T @ np.linalg.solve(shifted @ shifted.T + strength * np.eye(rows), aim)
        self.slopes = slope[:, None]
        self.offsets = np.array([middle - centre @ slope])

    def _learn_classes(self, matrix: Array, target: Array, weights: Array | None) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        def fitted(iterations: int) -> Any:
            model = LogisticRegression(C=1 / float(self.params["strength"]), max_iter=iterations)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                return model.fit(matrix, target, sample_weight=weights)

        iterations = int(self.params.get("iterations", ITERATIONS))
        if self.seconds_left is not None:
            started = time.monotonic()
            fitted(TIMED)
            each = (time.monotonic() - started) / TIMED
            self.require(each * FEWEST, "Logistic regression")
            iterations = max(FEWEST, min(iterations, int((self.seconds_left or 0.0) / each)))
        self.effective["iterations"] = iterations
        model = fitted(iterations)
        self.slopes, self.offsets = model.coef_.T, model.intercept_

    def answer(self, matrix: Array) -> Array:
        scores = matrix @ self.slopes + self.offsets
        if not self.classifies:
            return np.asarray(scores[:, 0])
        if scores.shape[1] == 1:
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))

    def store(self, folder: Path) -> None:
        save_arrays(folder / "linear.npz", {"slopes": self.slopes, "offsets": self.offsets})

    def restore(self, folder: Path) -> None:
        arrays = load_arrays(folder / "linear.npz")
        self.slopes, self.offsets = arrays["slopes"], arrays["offsets"]
