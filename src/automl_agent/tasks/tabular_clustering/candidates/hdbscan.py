"""HDBSCAN: clusters are where rows are dense, of any shape; rows in thin places join the nearest cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from cluster_model import ClusterModel, Neighbourhood

TITLE = "Density clustering (HDBSCAN)"
TAGS = ("hdbscan", "dbscan", "density", "density-based", "noise", "any shape")
PORTFOLIO = [{"view": "reduced"}, {"view": "standard"}, {"view": "quantile_reduced"}]
SPACE = {
    "view": {"type": "categorical", "choices": ["standard", "quantile", "reduced", "quantile_reduced"]},
    "samples": {"type": "int", "low": 1, "high": 20, "log": True},
}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]

PER_SECOND = 4e6
"""Pairs of rows that one run works through in a second, as a lower bound."""
SHARES = (0.2, 0.1, 0.05, 0.03, 0.02, 0.012, 0.007, 0.004)
"""Smallest size of a cluster as a share of the rows: the first ones give few clusters, the last ones many."""


class Model(ClusterModel):
    """Of the smallest cluster sizes that give the number of clusters wanted, the one that leaves fewest rows out."""

    DEFAULTS: ClassVar[dict[str, Any]] = {"samples": 5}
    MOST: ClassVar[int] = 5_000

    def group(self, points: Array, clusters: int) -> Array:
        self.require(len(points) ** 2 * len(SHARES) / PER_SECOND / 2, "HDBSCAN")
        found = [self._run(points, max(2, round(share * len(points)))) for share in SHARES]
        right = [labels for labels in found if labels.max() + 1 == clusters]
        if not right:
            seen = sorted({int(labels.max()) + 1 for labels in found})
            raise ValueError(f"the densities show {', '.join(map(str, seen))} clusters, not {clusters}")
        labels = max(right, key=lambda one: int((one >= 0).sum()))
        dense = labels >= 0
        self.near = Neighbourhood().fit(points[dense], labels[dense], clusters)
        return self.belong(points)

    def _run(self, points: Array, smallest: int) -> Array:
        from sklearn.cluster import HDBSCAN

        samples = min(int(self.params["samples"]), len(points) - 1)
        model = HDBSCAN(min_cluster_size=smallest, min_samples=samples, copy=True)
        return np.asarray(model.fit_predict(points), dtype=np.int64)

    def belong(self, points: Array) -> Array:
        return self.near.belong(points)

    def store(self) -> dict[str, Array]:
        return self.near.arrays()

    def restore(self, arrays: Mapping[str, Array]) -> None:
        self.near = Neighbourhood.from_arrays(arrays, self.clusters)
