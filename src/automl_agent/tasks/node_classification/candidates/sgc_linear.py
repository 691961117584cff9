"""Logistic regression on features propagated over the edges: a graph network without its network."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from graph_store import StoredGraph
from node_hops import hops, new_hops
from node_linear import fit_logistic
from node_model import REDUCED, WIDEST, Batch, NodeModel, reduced, softmax

TITLE = "Logistic regression on propagated features (SGC, SIGN)"
TAGS = ("linear", "logistic regression", "sgc", "sign", "propagated features", "graph")
PORTFOLIO = [
    {"hops": 3, "every_hop": False, "strength": 0.03},
    {"hops": 2, "every_hop": False, "strength": 0.03},
    {"hops": 2, "every_hop": True, "strength": 0.1},
]
SPACE = {
    "hops": {"type": "int", "low": 1, "high": 6},
    "every_hop": {"type": "categorical", "choices": [False, True]},
    "strength": {"type": "float", "low": 0.0003, "high": 30.0, "log": True},
}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]


class Model(NodeModel):
    """On the last hop alone (SGC), or with `every_hop` on all of them side by side (SIGN)."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, graph: StoredGraph, matrix: Any, rows: Array, codes: Array) -> Array:
        count, every = int(self.params["hops"]), bool(self.params["every_hop"])
        self.require(graph.nodes * min(matrix.shape[1], REDUCED) * count * 1e-8, "Propagation")
        basis = None
        if graph.nodes * matrix.shape[1] > WIDEST:
            basis = reduced(matrix, REDUCED, self.seed)
            matrix = np.asarray(matrix @ basis)
        dense = np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
        found = hops(graph.adjacency(), dense, count)
        chosen = found if every else found[-1:]
        weights, offsets = fit_logistic(
            self, np.concatenate([hop[rows] for hop in chosen], axis=1), codes, float(self.params["strength"])
        )
        parts = np.split(weights, len(chosen))
        scores = sum(np.asarray(hop @ part) for hop, part in zip(chosen, parts, strict=True)) + offsets
        self._keep(found, parts, offsets, basis)
        return softmax(np.asarray(scores))

    def _keep(self, found: list[Array], parts: list[Array], offsets: Array, basis: Array | None) -> None:
        """Projections of the hops below the last one, for new nodes: (parts, hops, nodes, classes)."""
        known = [[hop @ part for hop in found[:-1]] for part in parts]
        weights = np.stack([part if basis is None else basis @ part for part in parts])
        self.arrays = {"weights": weights, "offsets": offsets, "known": np.array(known, dtype=np.float32)}

    def answer(self, batch: Batch) -> Array:
        weights, known = self.arrays["weights"], self.arrays["known"]
        total = np.zeros((len(batch.bare), len(self.present))) + self.arrays["offsets"]
        for number, (part, values) in enumerate(zip(weights, known, strict=True)):
            steps = new_hops(batch, batch.projected(part, values[0]), list(values))
            total += steps[number if len(weights) > 1 else -1]
        return softmax(total)
