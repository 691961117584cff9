"""Spectral clustering: cuts the graph of nearest neighbours where it is thin; clusters may have any shape."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from cluster_model import ClusterModel, Neighbourhood

TITLE = "Spectral clustering"
TAGS = ("spectral", "spectral clustering", "graph", "nearest neighbours", "non-convex", "any shape")
PORTFOLIO = [{"view": "standard"}, {"view": "quantile"}, {"view": "reduced"}]
SPACE = {
    "view": {"type": "categorical", "choices": ["standard", "quantile", "reduced", "quantile_reduced"]},
    "neighbours": {"type": "int", "low": 5, "high": 40, "log": True},
}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]

PER_SECOND = 1500
"""Rows of the largest graph that are cut in a second, as a lower bound."""


class Model(ClusterModel):
    """A new row belongs to the cluster of its nearest training rows."""

    DEFAULTS: ClassVar[dict[str, Any]] = {"neighbours": 10}
    MOST: ClassVar[int] = 3_000

    def group(self, points: Array, clusters: int) -> Array:
        from sklearn.cluster import SpectralClustering

        self.require(len(points) / PER_SECOND, "Spectral clustering")
        neighbours = min(int(self.params["neighbours"]), len(points) - 1)
        graph = SpectralClustering(clusters, affinity="nearest_neighbors", n_neighbors=neighbours,
                                   assign_labels="cluster_qr", random_state=self.seed)  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of graphs in several pieces, which are cut all the same
            labels = np.asarray(graph.fit_predict(points), dtype=np.int64)
        self.near = Neighbourhood().fit(points, labels, clusters)
        return np.eye(clusters)[labels]

    def belong(self, points: Array) -> Array:
        return self.near.belong(points)

    def store(self) -> dict[str, Array]:
        return self.near.arrays()

    def restore(self, arrays: Mapping[str, Array]) -> None:
        self.near = Neighbourhood.from_arrays(arrays, self.clusters)
