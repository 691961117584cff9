"""LightGBM on features propagated over the edges, reduced to their leading components."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from graph_store import StoredGraph
from node_hops import hops, new_hops
from node_model import Batch, NodeModel, reduced

TITLE = "LightGBM on propagated features"
TAGS = ("lightgbm", "gradient boosting", "tree", "propagated features", "graph")
PORTFOLIO = [
    {"hops": 2, "components": 48, "learning_rate": 0.08, "num_leaves": 7, "min_leaf": 5, "rounds": 120},
    {"hops": 3, "components": 96, "learning_rate": 0.05, "num_leaves": 15, "min_leaf": 10, "rounds": 250},
]
SPACE = {
    "hops": {"type": "int", "low": 1, "high": 4},
    "components": {"type": "int", "low": 16, "high": 128, "log": True},
    "learning_rate": {"type": "float", "low": 0.02, "high": 0.2, "log": True},
    "num_leaves": {"type": "int", "low": 4, "high": 63, "log": True},
    "min_leaf": {"type": "int", "low": 2, "high": 40, "log": True},
    "rounds": {"type": "int", "low": 50, "high": 400, "log": True},
}
REQUIRES = ("lightgbm", "sklearn")
CONDITIONS = {"rows": ">= 50"}

Array = npt.NDArray[Any]

TIMED = 5


class Model(NodeModel):
    """Every hop side by side, and the logarithm of the degree."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, graph: StoredGraph, matrix: Any, rows: Array, codes: Array) -> Array:
        basis = reduced(matrix, int(self.params["components"]), self.seed)
        found = hops(graph.adjacency(), np.asarray(matrix @ basis), int(self.params["hops"]))
        inputs = np.concatenate([*found, np.log1p(self.degrees)[:, None]], axis=1)
        self.arrays = {"basis": basis, "known": np.array(found[:-1], dtype=np.float32)}
        self.booster = self._boosted(inputs[rows], codes)
        return self._asked(inputs)

    def _boosted(self, inputs: Array, codes: Array) -> Any:
        import lightgbm

        several = len(self.present) > 2
        options = {
            "objective": "multiclass" if several else "binary",
            "learning_rate": float(self.params["learning_rate"]),
            "num_leaves": int(self.params["num_leaves"]),
            "min_data_in_leaf": int(self.params["min_leaf"]),
            "feature_fraction": 0.6,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        } | ({"num_class": len(self.present)} if several else {})
        rounds = int(self.params["rounds"])
        started = time.monotonic()
        if self.seconds_left is not None:
            lightgbm.train(options, lightgbm.Dataset(inputs, codes), TIMED)
            self.require((time.monotonic() - started) / TIMED * rounds, f"LightGBM with {rounds} rounds")
        return lightgbm.train(options, lightgbm.Dataset(inputs, codes), rounds)

    def _asked(self, inputs: Array) -> Array:
        found = np.asarray(self.booster.predict(inputs, num_threads=self.threads))
        return found if found.ndim == 2 else np.stack([1 - found, found], axis=1)

    def answer(self, batch: Batch) -> Array:
        known = self.arrays["known"]
        steps = new_hops(batch, batch.projected(self.arrays["basis"], known[0]), list(known))
        return self._asked(np.concatenate([*steps, np.log1p(batch.count)[:, None]], axis=1))

    def store(self, folder: Path) -> None:
        if len(self.present) > 1:
            self.booster.save_model(str(folder / "booster.txt"))

    def restore(self, folder: Path) -> None:
        import lightgbm

        if len(self.present) > 1:
            self.booster = lightgbm.Booster(model_file=str(folder / "booster.txt"))
