"""Agglomerative clustering: rows are joined pair by pair, so that clusters of any size and many shapes come about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from cluster_model import ClusterModel, Neighbourhood

TITLE = "Agglomerative clustering (Ward)"
TAGS = ("ward", "agglomerative", "hierarchical", "hierarchical clustering", "dendrogram", "linkage")
PORTFOLIO = [{"view": "standard"}, {"view": "quantile"}, {"view": "reduced"}]
SPACE = {
    "view": {"type": "categorical", "choices": ["standard", "quantile", "reduced", "quantile_reduced"]},
    "linkage": {"type": "categorical", "choices": ["ward", "average", "complete"]},
}
REQUIRES = ("scipy",)

Array = npt.NDArray[Any]

PER_SECOND = 2e7
"""Distances that are computed and joined in a second, as a lower bound."""


class Model(ClusterModel):
    """A new row belongs to the cluster of its nearest training rows."""

    DEFAULTS: ClassVar[dict[str, Any]] = {"linkage": "ward"}
    MOST: ClassVar[int] = 12_000
    """Distances of all pairs are held: 576 MB for so many rows."""

    def group(self, points: Array, clusters: int) -> Array:
        from scipy.cluster.hierarchy import fcluster, linkage

        self.require(len(points) ** 2 / 2 / PER_SECOND, "Agglomerative clustering")
        tree = linkage(points, method=str(self.params["linkage"]))
        labels = fcluster(tree, clusters, criterion="maxclust").astype(np.int64) - 1
        self.near = Neighbourhood().fit(points, labels, clusters)
        return np.eye(clusters)[labels]

    def belong(self, points: Array) -> Array:
        return self.near.belong(points)

    def store(self) -> dict[str, Array]:
        return self.near.arrays()

    def restore(self, arrays: Mapping[str, Array]) -> None:
        self.near = Neighbourhood.from_arrays(arrays, self.clusters)
