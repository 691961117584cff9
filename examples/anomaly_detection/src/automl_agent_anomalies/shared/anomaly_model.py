"""What models of anomalies have in common: rows as a matrix, and a raw strangeness as a share of the training rows.

A candidate defines `learn_rows(matrix)`, `strangeness(matrix)` (rows,), and `arrays()` and `take(arrays)`, its state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from plain_state import load_arrays, save_arrays
from table_model import TableModel

GRID = np.linspace(0, 1, 1001)


class AnomalyModel(TableModel):
    """The probability of an anomaly is the share of training rows that are less strange."""

    MODE = "matrix"
    ONE_HOT = 10**6  # encoded by their targets, categories would know the labels

    def learn(self, matrix: Any, target: Any, weights: Any) -> None:
        self.learn_rows(matrix)
        self.levels = np.quantile(self.strangeness(matrix), GRID)

    def answer(self, matrix: Any) -> Any:
        share = np.interp(self.strangeness(matrix), self.levels, GRID)
        anomaly = self.present == (1 if self.task["positive"] is None else self.task["positive"])
        return np.where(anomaly[None, :], share[:, None], 1 - share[:, None]) + 1e-9

    def store(self, folder: Path) -> None:
        save_arrays(folder / "anomalies.npz", {"levels": self.levels, **self.arrays()})

    def restore(self, folder: Path) -> None:
        arrays = dict(load_arrays(folder / "anomalies.npz"))
        self.levels = arrays.pop("levels")
        self.take(arrays)
