"""The trivial baseline: rows cut into equal parts along the direction in which they differ most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from cluster_model import ClusterModel

TITLE = "Trivial baseline"
TAGS = ("baseline", "quantiles", "first principal component", "dummy")
PORTFOLIO = [{"view": "standard"}]
SPACE = {}

Array = npt.NDArray[Any]


class Model(ClusterModel):
    """Low, middle and high on the first principal component: what one number for each row would tell."""

    def group(self, points: Array, clusters: int) -> Array:
        shifted = points - points.mean(axis=0)
        axis = np.linalg.eigh(shifted.T @ shifted)[1][:, -1]
        self.axis = axis * np.sign(axis[np.abs(axis).argmax()])
        along = points @ self.axis
        self.cuts = np.unique(np.quantile(along, np.linspace(0, 1, clusters + 1)[1:-1]))
        if len(np.unique(np.searchsorted(self.cuts, along, side="left"))) < clusters:  # too many rows share a place
            places = np.unique(along.round(9))
            between = (places[1:] + places[:-1]) / 2
            self.cuts = between[np.linspace(0, len(between) - 1, clusters - 1).round().astype(int)]
        return self.belong(points)

    def belong(self, points: Array) -> Array:
        return np.eye(self.clusters)[np.searchsorted(self.cuts, points @ self.axis, side="left")]

    def store(self) -> dict[str, Array]:
        return {"axis": self.axis, "cuts": self.cuts}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        self.axis, self.cuts = arrays["axis"], arrays["cuts"]
