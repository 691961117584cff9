"""Extremely randomised trees: a robust forest that varies enough to improve a blend."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from flat_forest import flatten, follow
from plain_state import load_arrays, save_arrays
from table_model import TableModel

TITLE = "Extremely randomised trees"
TAGS = (
    "extra trees",
    "extratrees",
    "extremely randomised trees",
    "random forest",
    "forest",
    "tree",
    "trees",
    "bagging",
)
PORTFOLIO = [
    {"n_estimators": 200, "max_features": 0.5, "min_samples_leaf": 1},
    {"n_estimators": 200, "max_features": 0.7, "min_samples_leaf": 2},
    {"n_estimators": 200, "max_features": 1.0, "min_samples_leaf": 3},
]
SPACE = {
    "max_features": {"type": "float", "low": 0.1, "high": 1.0},
    "min_samples_leaf": {"type": "int", "low": 1, "high": 30, "log": True},
}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]

LARGEST_MB = 64.0
"""Size of the forest in memory; leaves are made larger to keep to it."""
TIMED = 10
FEWEST = 30
"""Trees below which a forest is not begun."""


class Model(TableModel):
    MODE = "matrix"
    ONE_HOT = 5  # a level of many is too rarely drawn among all columns
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, matrix: Array, target: Array, weights: Array | None) -> None:
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        trees = int(self.params["n_estimators"])
        leaf = max(int(self.params["min_samples_leaf"]), self._least_leaf(len(matrix), trees))
        kind = ExtraTreesClassifier if self.classifies else ExtraTreesRegressor
        criterion = {"criterion": "entropy"} if self.classifies else {}
        features = float(self.params["max_features"])
        forest = kind(
            trees,
            min_samples_leaf=leaf,
            max_features=features,
            n_jobs=self.threads,
            random_state=self.seed,
            **criterion,
        )
        rows = matrix.astype(np.float32)
        if self.seconds_left is not None:
            started = time.monotonic()
            forest.set_params(n_estimators=TIMED, warm_start=True).fit(rows, target, sample_weight=weights)
            each = (time.monotonic() - started) / TIMED
            self.require(each * FEWEST, f"A forest of {FEWEST} trees")
            trees = max(FEWEST, min(trees, TIMED + int((self.seconds_left or 0.0) / each)))
            forest.set_params(n_estimators=trees)
        forest.fit(rows, target, sample_weight=weights)
        self.effective = {"n_estimators": trees, "min_samples_leaf": leaf}
        self.forest = flatten(forest.estimators_, self.classifies)

    def _least_leaf(self, rows: int, trees: int) -> int:
        """Rows a leaf must have at least, so that the forest stays within its size."""
        node = 16 + 4 * max(1, len(self.present))
        return int(np.ceil(2 * rows * trees * node / (LARGEST_MB * 1e6)))

    def answer(self, matrix: Array) -> Array:
        scores = follow(self.forest, matrix)
        return scores if self.classifies else scores[:, 0]

    def store(self, folder: Path) -> None:
        save_arrays(folder / "forest.npz", self.forest)

    def restore(self, folder: Path) -> None:
        self.forest = load_arrays(folder / "forest.npz")
