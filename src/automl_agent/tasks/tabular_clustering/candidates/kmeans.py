"""k-means: round clusters of similar width, each with a centre; the quickest, and the easiest to explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from cluster_model import ClusterModel

TITLE = "k-means"
TAGS = ("k-means", "kmeans", "centroid", "partitioning", "simple", "interpretable")
PORTFOLIO = [{"view": "standard"}, {"view": "quantile"}, {"view": "reduced"}]
SPACE = {"view": {"type": "categorical", "choices": ["standard", "quantile", "reduced", "quantile_reduced"]}}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]

STARTS = 10
PER_SECOND = 2e8
"""Distances times width that are computed in a second, as a lower bound."""
ROUNDS = 30


class Model(ClusterModel):
    """Memberships are those of a mixture of equal round Gaussians at the centres."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def group(self, points: Array, clusters: int) -> Array:
        from sklearn.cluster import KMeans

        self.require(points.size * clusters * ROUNDS * STARTS / PER_SECOND, "k-means")
        fitted = KMeans(clusters, n_init=STARTS, random_state=self.seed).fit(points)
        self.centres = np.asarray(fitted.cluster_centers_, dtype=np.float64)
        self.spread = np.array([max(float(fitted.inertia_) / points.size, 1e-12)])
        return self.belong(points)

    def belong(self, points: Array) -> Array:
        squares = ((points[:, None, :] - self.centres[None]) ** 2).sum(axis=2) if points.size < 1e6 else (
            (points**2).sum(axis=1)[:, None] - 2 * points @ self.centres.T + (self.centres**2).sum(axis=1)
        )  # fmt: skip
        likelihood = -0.5 * (squares - squares.min(axis=1, keepdims=True)) / self.spread
        weights = np.exp(likelihood)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def store(self) -> dict[str, Array]:
        return {"centres": self.centres, "spread": self.spread}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        self.centres, self.spread = arrays["centres"], arrays["spread"]
