"""Isolation forest (Liu, Ting & Zhou 2008), fitted by scikit-learn and kept as plain arrays: loading runs no code."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from anomaly_model import AnomalyModel

TITLE = "Isolation forest"
TAGS = ("isolation forest", "forest", "tree", "ensemble")
PORTFOLIO = [{"trees": 100, "rows": 256}, {"trees": 100, "rows": 1024}]
SPACE = {"rows": {"type": "int", "low": 64, "high": 2048, "log": True}}


class Model(AnomalyModel):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn_rows(self, matrix: Any) -> None:
        from sklearn.ensemble import IsolationForest

        rows = min(int(self.params["rows"]), len(matrix))
        forest = IsolationForest(n_estimators=int(self.params["trees"]), max_samples=rows, random_state=self.seed).fit(
            matrix
        )
        trees = [tree.tree_ for tree in forest.estimators_]
        size = max(tree.node_count for tree in trees)

        def padded(name: str) -> Any:
            return np.stack([np.pad(getattr(tree, name), (0, size - tree.node_count)) for tree in trees])

        left, right, counts = padded("children_left"), padded("children_right"), padded("n_node_samples")
        depth = np.zeros(left.shape)
        for tree, (ones, others) in enumerate(zip(left, right, strict=True)):
            for node in range(trees[tree].node_count):  # a child comes after its parent
                if ones[node] > 0:
                    depth[tree, [ones[node], others[node]]] = depth[tree, node] + 1
        self.state = {"feature": padded("feature"), "threshold": padded("threshold"), "left": left, "right": right,
                      "length": depth + _expected(counts)}  # fmt: skip

    def strangeness(self, matrix: Any) -> Any:
        """The negative mean path length."""
        values = matrix.astype(np.float32)  # as scikit-learn compares
        lengths = np.zeros(len(values))
        for feature, threshold, left, right, length in zip(*self.state.values(), strict=True):
            nodes = np.zeros(len(values), dtype=np.int64)
            while (inner := left[nodes] > 0).any():
                rows = np.flatnonzero(inner)
                at = nodes[rows]
                below = values[rows, feature[at]] <= threshold[at]
                nodes[rows] = np.where(below, left[at], right[at])
            lengths += length[nodes]
        return -lengths / len(self.state["left"])

    def arrays(self) -> dict[str, Any]:
        return self.state

    def take(self, arrays: dict[str, Any]) -> None:
        self.state = {name: arrays[name] for name in ("feature", "threshold", "left", "right", "length")}


def _expected(rows: Any) -> Any:
    """Mean path length below a leaf that holds so many rows: that of an unsuccessful search in a binary tree."""
    rows = np.maximum(rows, 1).astype(np.float64)
    harmonic = np.log(np.maximum(rows - 1, 1)) + np.euler_gamma
    return np.where(rows > 2, 2 * harmonic - 2 * (rows - 1) / rows, np.where(rows == 2, 1.0, 0.0))
