"""Nearest neighbours on standardised columns, weighted by distance. Stores its training rows: small tables only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from plain_state import load_arrays, save_arrays
from table_model import TableModel

TITLE = "Nearest neighbours"
TAGS = ("nearest neighbours", "nearest neighbors", "knn", "k-nn", "neighbours", "instance based")
PORTFOLIO = [{"neighbours": 50, "power": 2.0}, {"neighbours": 15, "power": 1.0}, {"neighbours": 5, "power": 1.0}]
SPACE = {
    "neighbours": {"type": "int", "low": 1, "high": 100, "log": True},
    "power": {"type": "float", "low": 0.0, "high": 3.0},
}
CONDITIONS = {"rows": "<= 20000"}

Array = npt.NDArray[Any]

CHUNK = 4_000_000
"""Distances that are held at once."""


class Model(TableModel):
    """A neighbour weighs 1 / distance ** power."""

    MODE = "matrix"
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, matrix: Array, target: Array, weights: Array | None) -> None:
        self.rows = np.ascontiguousarray(matrix, dtype=np.float32)
        self.target = target
        self.weights = np.ones(len(target)) if weights is None else weights
        self._index()

    def _index(self) -> None:
        self._points = self.rows.astype(np.float64)
        self._norms = (self._points**2).sum(axis=1)
        self._truth = np.eye(len(self.present))[self.target] if self.classifies else self.target[:, None]

    def answer(self, matrix: Array) -> Array:
        step = max(1, CHUNK // len(self._points))
        matrix = matrix.astype(np.float32).astype(np.float64)  # as the rows are stored: a row is its own neighbour
        parts = [self._chunk(matrix[start : start + step]) for start in range(0, len(matrix), step)]
        scores = np.concatenate(parts)
        return scores if self.classifies else scores[:, 0]

    def _chunk(self, matrix: Array) -> Array:
        count = min(int(self.params["neighbours"]), len(self._points))
        squares = self._norms - 2 * matrix @ self._points.T + (matrix**2).sum(axis=1)[:, None]
        near = np.argpartition(squares, count - 1, axis=1)[:, :count]
        distances = np.sqrt(np.maximum(np.take_along_axis(squares, near, axis=1), 0))
        weights = self.weights[near] / (distances + 1e-3) ** float(self.params["power"])
        return np.asarray((weights[:, :, None] * self._truth[near]).sum(axis=1) / weights.sum(axis=1, keepdims=True))

    def store(self, folder: Path) -> None:
        arrays = {"rows": self.rows, "target": self.target, "weights": self.weights}
        save_arrays(folder / "neighbours.npz", arrays)

    def restore(self, folder: Path) -> None:
        arrays = load_arrays(folder / "neighbours.npz")
        self.rows, self.target, self.weights = arrays["rows"], arrays["target"], arrays["weights"]
        self._index()
