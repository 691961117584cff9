"""Predict, then propagate (APPNP, Gasteiger et al. 2019): a network of features whose answers spread by PageRank."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from node_model import Batch, softmax
from node_network import SEEDS, NetworkModel, product

TITLE = "Predict then propagate (APPNP)"
TAGS = ("appnp", "graph neural network", "neural network", "deep learning", "graph", "personalised pagerank")
PORTFOLIO = [
    {"hidden": 32, "steps": 10, "teleport": 0.1, "dropout": 0.5, "weight_decay": 0.005, "learning_rate": 0.01},
    {"hidden": 32, "steps": 10, "teleport": 0.3, "dropout": 0.5, "weight_decay": 0.001, "learning_rate": 0.01},
]
SPACE = {
    "hidden": {"type": "int", "low": 16, "high": 128, "log": True},
    "steps": {"type": "int", "low": 2, "high": 15},
    "teleport": {"type": "float", "low": 0.05, "high": 0.9},
    "dropout": {"type": "float", "low": 0.1, "high": 0.8},
    "weight_decay": {"type": "float", "low": 1e-5, "high": 0.02, "log": True},
    "learning_rate": {"type": "float", "low": 0.003, "high": 0.03, "log": True},
}
REQUIRES = ("torch",)

Array = npt.NDArray[Any]


class Model(NetworkModel):
    """Z = (1 - a) A Z + a H in so many steps, H = relu(X W1 + b1) W2 + b2, with the teleport probability a."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def parts(self, width: int, classes: int) -> dict[str, tuple[int, ...]]:
        hidden = int(self.params["hidden"])
        return {"first": (width, hidden), "second": (hidden, classes), "bias1": (hidden,), "bias2": (classes,)}

    def forward(self, weights: dict[str, Any], features: Any, step: Any, drop: Any) -> Any:
        hidden = (features.times(weights["first"], drop) + weights["bias1"]).relu()
        own = drop(hidden) @ weights["second"] + weights["bias2"]
        teleport, found = float(self.params["teleport"]), own
        for _ in range(int(self.params["steps"])):
            found = (1 - teleport) * product(step, found) + teleport * own
        return found

    def scores(self, weights: dict[str, Array], features: Any, step: Any, number: int) -> Array:
        hidden = np.maximum(np.asarray(features @ weights["first"]) + weights["bias1"], 0)
        own = hidden @ weights["second"] + weights["bias2"]
        teleport, found = float(self.params["teleport"]), own
        for _ in range(int(self.params["steps"])):
            found = (1 - teleport) * (step @ found) + teleport * own
        if number >= 0:
            kept = {"own": own, "final": found}
            self.arrays |= {f"{name}_{number}": value.astype(np.float32) for name, value in (weights | kept).items()}
        return np.asarray(found)

    def answer(self, batch: Batch) -> Array:
        """The fixed point of the new node, its neighbours held."""
        teleport, total = float(self.params["teleport"]), 0.0
        loop = ((1 - teleport) / (batch.count + 1.0))[:, None]
        for number in range(SEEDS):
            part = {name: self.arrays[f"{name}_{number}"] for name in
                    ("first", "second", "bias1", "bias2", "own", "final")}  # fmt: skip
            hidden = np.maximum(np.asarray(batch.features @ part["first"]) + part["bias1"], 0)
            own = hidden @ part["second"] + part["bias2"]
            own[batch.bare] = batch.mean(part["own"])[batch.bare]
            near = batch.spread(part["final"], np.zeros_like(own))
            total = total + softmax(((1 - teleport) * near + teleport * own) / (1 - loop))
        return np.asarray(total) / SEEDS
