"""Mean distance to the nearest training rows (Ramaswamy, Rastogi & Shim 2000)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from anomaly_model import AnomalyModel

TITLE = "Distance to the nearest neighbours"
TAGS = ("neighbours", "nearest neighbours", "knn", "k-nn")
PORTFOLIO = [{"neighbours": 10}, {"neighbours": 40}]
SPACE = {"neighbours": {"type": "int", "low": 3, "high": 100, "log": True}}
CONDITIONS = {"rows": "<= 20000"}
CHUNK = 500


class Model(AnomalyModel):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn_rows(self, matrix: Any) -> None:
        self.rows = np.ascontiguousarray(matrix, dtype=np.float32)

    def strangeness(self, matrix: Any) -> Any:
        points = self.rows.astype(np.float64)
        count = min(int(self.params["neighbours"]) + 1, len(points))
        matrix = matrix.astype(np.float32).astype(np.float64)  # as the rows are stored: a row is its own neighbour
        found = []
        for start in range(0, len(matrix), CHUNK):
            part = matrix[start : start + CHUNK]
            squares = (points**2).sum(axis=1) - 2 * part @ points.T + (part**2).sum(axis=1)[:, None]
            near = np.sqrt(np.maximum(np.partition(squares, count - 1, axis=1)[:, :count], 0))
            found.append(near.sum(axis=1) / max(1, count - 1))
        return np.concatenate(found)

    def arrays(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def take(self, arrays: dict[str, Any]) -> None:
        self.rows = arrays["rows"]
