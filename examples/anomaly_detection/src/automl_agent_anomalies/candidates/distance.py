"""Mahalanobis distance: from the centre, in units of the data's spread; shrunk covariance (Ledoit & Wolf 2004)."""

from __future__ import annotations

from typing import Any

import numpy as np
from anomaly_model import AnomalyModel

TITLE = "Mahalanobis distance"
TAGS = ("distance", "mahalanobis", "gaussian", "linear")
PORTFOLIO = [{}]
SPACE = {}


class Model(AnomalyModel):
    def learn_rows(self, matrix: Any) -> None:
        from sklearn.covariance import LedoitWolf

        fitted = LedoitWolf().fit(matrix)
        self.state = {"centre": fitted.location_, "precision": fitted.precision_}

    def strangeness(self, matrix: Any) -> Any:
        away = matrix - self.state["centre"]
        return np.einsum("ri,ij,rj->r", away, self.state["precision"], away)

    def arrays(self) -> dict[str, Any]:
        return self.state

    def take(self, arrays: dict[str, Any]) -> None:
        self.state = arrays
