"""Graph convolutional network (Kipf and Welling 2017): two layers, three of them averaged."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from node_model import Batch, softmax
from node_network import SEEDS, NetworkModel, product

TITLE = "Graph convolutional network (GCN)"
TAGS = ("gcn", "graph neural network", "neural network", "deep learning", "graph")
PORTFOLIO = [
    {"hidden": 32, "dropout": 0.5, "weight_decay": 0.0005, "learning_rate": 0.01},
    {"hidden": 32, "dropout": 0.7, "weight_decay": 0.002, "learning_rate": 0.01},
]
SPACE = {
    "hidden": {"type": "int", "low": 16, "high": 128, "log": True},
    "dropout": {"type": "float", "low": 0.1, "high": 0.8},
    "weight_decay": {"type": "float", "low": 1e-5, "high": 0.01, "log": True},
    "learning_rate": {"type": "float", "low": 0.003, "high": 0.03, "log": True},
}
REQUIRES = ("torch",)

Array = npt.NDArray[Any]


class Model(NetworkModel):
    """A relu(A X W1 + b1) W2 + b2 with the normalised adjacency A."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def parts(self, width: int, classes: int) -> dict[str, tuple[int, ...]]:
        hidden = int(self.params["hidden"])
        return {"first": (width, hidden), "second": (hidden, classes), "bias1": (hidden,), "bias2": (classes,)}

    def forward(self, weights: dict[str, Any], features: Any, step: Any, drop: Any) -> Any:
        inner = product(step, features.times(weights["first"], drop)) + weights["bias1"]
        return product(step, drop(inner.relu()) @ weights["second"]) + weights["bias2"]

    def scores(self, weights: dict[str, Array], features: Any, step: Any, number: int) -> Array:
        projected = np.asarray(features @ weights["first"])
        inner = np.maximum(step @ projected + weights["bias1"], 0) @ weights["second"]
        if number >= 0:
            kept = {"projected": projected, "inner": inner}
            self.arrays |= {f"{name}_{number}": value.astype(np.float32) for name, value in (weights | kept).items()}
        return np.asarray(step @ inner + weights["bias2"])

    def answer(self, batch: Batch) -> Array:
        total = 0.0
        for number in range(SEEDS):
            part = {name: self.arrays[f"{name}_{number}"] for name in
                    ("first", "second", "bias1", "bias2", "projected", "inner")}  # fmt: skip
            own = batch.projected(part["first"], part["projected"])
            inner = np.maximum(batch.spread(part["projected"], own) + part["bias1"], 0) @ part["second"]
            total = total + softmax(batch.spread(part["inner"], inner) + part["bias2"])
        return np.asarray(total) / SEEDS
