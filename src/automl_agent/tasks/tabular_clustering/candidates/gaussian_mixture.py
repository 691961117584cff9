"""Mixture of Gaussians: clusters may be stretched, turned and of different density; each row belongs by degrees."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from cluster_model import ClusterModel

TITLE = "Gaussian mixture"
TAGS = ("gaussian mixture", "gmm", "mixture", "em", "model-based", "probabilistic", "soft clustering")
PORTFOLIO = [
    {"view": "standard", "covariance": "tied"},
    {"view": "reduced", "covariance": "full"},
    {"view": "standard", "covariance": "full"},
    {"view": "quantile", "covariance": "tied"},
    {"view": "standard", "covariance": "diag"},
]
SPACE = {
    "view": {"type": "categorical", "choices": ["standard", "quantile", "reduced", "quantile_reduced"]},
    "covariance": {"type": "categorical", "choices": ["full", "tied", "diag"]},
    "smoothing": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]

STARTS = 5
ROUNDS = 200
PER_SECOND = 6e8
"""Numbers that a round works through in a second, as a lower bound; see `WEIGHT`."""
WEIGHT = {"full": 1.0, "tied": 0.5}
"""Of the squared width in the cost of a row; one of diagonal covariances costs as five columns."""


class Model(ClusterModel):
    """`covariance` as in scikit-learn; `smoothing` is added to the variances, which are about 1."""

    DEFAULTS: ClassVar[dict[str, Any]] = {"covariance": "tied", "smoothing": 1e-3}

    def group(self, points: Array, clusters: int) -> Array:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        rows, width = points.shape
        covariance = str(self.params["covariance"])
        each = rows * width * clusters * (WEIGHT[covariance] * width if covariance in WEIGHT else 5)
        self.require(each * STARTS * 30 / PER_SECOND, "A Gaussian mixture")
        mixture = GaussianMixture(
            clusters, covariance_type=covariance, n_init=STARTS, max_iter=ROUNDS,
            reg_covar=float(self.params["smoothing"]), random_state=self.seed,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(points)
        roots = np.asarray(mixture.precisions_cholesky_, dtype=np.float64)
        if roots.ndim == 2 and covariance == "diag":
            roots = np.stack([np.diag(row) for row in roots])
        elif roots.ndim == 2:
            roots = np.repeat(roots[None], clusters, axis=0)
        self.roots, self.centres = roots, np.asarray(mixture.means_)
        self.shares = np.asarray(mixture.weights_)
        return self.belong(points)

    def belong(self, points: Array) -> Array:
        chances = np.empty((len(points), len(self.shares)))
        for cluster, (centre, root) in enumerate(zip(self.centres, self.roots, strict=True)):
            distance = (((points - centre) @ root) ** 2).sum(axis=1)
            chances[:, cluster] = np.log(self.shares[cluster] + 1e-300) + np.log(np.diagonal(root)).sum() - distance / 2
        weights = np.exp(chances - chances.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def store(self) -> dict[str, Array]:
        return {"centres": self.centres, "roots": self.roots, "shares": self.shares}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        self.centres, self.roots, self.shares = arrays["centres"], arrays["roots"], arrays["shares"]
