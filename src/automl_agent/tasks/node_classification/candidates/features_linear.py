"""Logistic regression on a node's own features: what edges are worth is seen against it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from graph_store import StoredGraph
from node_linear import fit_logistic
from node_model import Batch, NodeModel, softmax

TITLE = "Logistic regression on the node's own features"
TAGS = ("linear", "logistic regression", "features", "interpretable", "simple")
PORTFOLIO = [{"strength": 0.3}, {"strength": 3.0}]
SPACE = {"strength": {"type": "float", "low": 0.001, "high": 100.0, "log": True}}
REQUIRES = ("sklearn",)
CONDITIONS = {"features": ">= 1"}

Array = npt.NDArray[Any]


class Model(NodeModel):
    """L2-penalised; edges are not looked at, but for new nodes without features."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, graph: StoredGraph, matrix: Any, rows: Array, codes: Array) -> Array:  # noqa: ARG002
        weights, offsets = fit_logistic(self, matrix[rows], codes, float(self.params["strength"]))
        scores = np.asarray(matrix @ weights)
        self.arrays = {"weights": weights, "offsets": offsets, "scores": scores.astype(np.float32)}
        return softmax(scores + offsets)

    def answer(self, batch: Batch) -> Array:
        return softmax(batch.projected(self.arrays["weights"], self.arrays["scores"]) + self.arrays["offsets"])
