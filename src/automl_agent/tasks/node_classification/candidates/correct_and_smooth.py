"""Correct and Smooth (Huang et al. 2021): a model of features, then its errors and answers spread."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from graph_store import StoredGraph
from node_linear import fit_logistic
from node_model import Batch, NodeModel, softmax
from scipy import sparse

TITLE = "Correct and Smooth on logistic regression"
TAGS = ("correct and smooth", "linear", "label propagation", "graph", "transductive")
PORTFOLIO = [
    {"strength": 0.3, "correct": 0.8, "smooth": 0.8},
    {"strength": 0.3, "correct": 0.5, "smooth": 0.9},
]
SPACE = {
    "strength": {"type": "float", "low": 0.01, "high": 30.0, "log": True},
    "correct": {"type": "float", "low": 0.1, "high": 0.98},
    "smooth": {"type": "float", "low": 0.3, "high": 0.98},
}
REQUIRES = ("sklearn",)
CONDITIONS = {"homophily": ">= 0.5", "features": ">= 1"}

Array = npt.NDArray[Any]

ROUNDS = 50


class Model(NodeModel):
    """`correct` and `smooth` are the weights of the neighbours while errors and answers spread."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, graph: StoredGraph, matrix: Any, rows: Array, codes: Array) -> Array:
        weights, offsets = fit_logistic(self, matrix[rows], codes, float(self.params["strength"]))
        projected = np.asarray(matrix @ weights)
        base = softmax(projected + offsets)
        links = graph.adjacency()
        root = sparse.diags(1 / np.sqrt(np.maximum(self.degrees, 1)))
        step = sparse.csr_matrix(root @ links @ root)
        error = np.zeros_like(base)
        error[rows] = np.eye(len(self.present))[codes] - base[rows]
        scale = float(np.abs(error[rows]).sum(axis=1).mean())
        error = _spread(step, error, float(self.params["correct"]))
        size = np.abs(error).sum(axis=1, keepdims=True)
        corrected = base + np.where(size > 0, error * scale / np.where(size > 0, size, 1.0), 0.0)
        corrected[rows] = np.eye(len(self.present))[codes]
        final = _spread(step, corrected, float(self.params["smooth"]))
        self.arrays = {"weights": weights, "offsets": offsets, "projected": projected.astype(np.float32),
                       "final": final.astype(np.float32)}  # fmt: skip
        return np.clip(final, 1e-6, None)

    def answer(self, batch: Batch) -> Array:
        """The answer of features alone, smoothed with those of the neighbours."""
        own = softmax(batch.projected(self.arrays["weights"], self.arrays["projected"]) + self.arrays["offsets"])
        smooth = float(self.params["smooth"])
        near = np.clip(batch.mean(self.arrays["final"]), 1e-6, None)
        near /= near.sum(axis=1, keepdims=True)
        return np.where((batch.count > 0)[:, None], smooth * near + (1 - smooth) * own, own)


def _spread(step: Any, given: Array, alpha: float) -> Array:
    found = given.copy()
    for _ in range(ROUNDS):
        found = alpha * (step @ found) + (1 - alpha) * given
    return np.asarray(found)
