"""Label propagation (Zhou et al. 2004, "Learning with Local and Global Consistency"): labels spread along the edges."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from graph_store import StoredGraph
from node_model import Batch, NodeModel
from scipy import sparse

TITLE = "Label propagation"
TAGS = ("label propagation", "label spreading", "graph", "transductive", "simple")
PORTFOLIO = [{"alpha": 0.9}, {"alpha": 0.7}, {"alpha": 0.99}]
SPACE = {"alpha": {"type": "float", "low": 0.3, "high": 0.99}}

Array = npt.NDArray[Any]

ROUNDS = 100
PRIOR = 1e-3
"""Weight of the classes' shares: what a node far from all labels gets."""


class Model(NodeModel):
    """`alpha` is the weight of the neighbours against a node's own label."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, graph: StoredGraph, matrix: Any, rows: Array, codes: Array) -> Array:  # noqa: ARG002
        alpha = float(self.params["alpha"])
        links = graph.adjacency()
        degrees = np.maximum(np.asarray(links.sum(axis=1)).reshape(-1), 1)
        root = sparse.diags(1 / np.sqrt(degrees))
        step = sparse.csr_matrix(root @ links @ root)
        given = np.zeros((graph.nodes, len(self.present)))
        given[rows, codes] = 1.0
        found = given.copy()
        for _ in range(ROUNDS):
            found = alpha * (step @ found) + (1 - alpha) * given
        self.arrays["spread"] = found.astype(np.float32)
        return self._shared(found)

    def answer(self, batch: Batch) -> Array:
        """The mean of the neighbours."""
        return self._shared(batch.mean(self.arrays["spread"], np.zeros(len(self.present))))

    def _shared(self, found: Array) -> Array:
        top = float(self.arrays["spread"].max()) or 1.0
        return np.asarray(found / top + PRIOR * self.prior)
