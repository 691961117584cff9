"""scikit-learn's histogram gradient boosting: close to LightGBM, another implementation, no further dependency."""

from __future__ import annotations

from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from plain_state import load_arrays, save_arrays
from table_boosting import REFIT_ROWS, patience, plan_rounds, settled
from table_model import TableModel

TITLE = "Histogram gradient boosting (scikit-learn)"
TAGS = ("hist gradient boosting", "histgradientboosting", "gradient boosting", "boosting", "tree", "trees", "ensemble")
PORTFOLIO = [
    {"learning_rate": 0.1, "max_leaf_nodes": 31, "max_features": 0.9},
    {
        "learning_rate": 0.06,
        "max_leaf_nodes": 12,
        "max_features": 0.6,
        "min_samples_leaf": 10,
        "l2_regularization": 1.0,
    },
]
SPACE = {
    "learning_rate": {"type": "float", "low": 0.02, "high": 0.2, "log": True},
    "max_leaf_nodes": {"type": "int", "low": 3, "high": 128, "log": True},
    "max_features": {"type": "float", "low": 0.3, "high": 1.0},
    "min_samples_leaf": {"type": "int", "low": 2, "high": 60, "log": True},
    "l2_regularization": {"type": "float", "low": 0.0001, "high": 10.0, "log": True},
}
REQUIRES = ("sklearn", "skops")
SETTLES = True

Array = npt.NDArray[Any]

_OWN = ("learning_rate", "max_iter", "rounds")
HELD_OUT = 0.15
FEW_KNOWN = 30
BELOW = -1e30
FEW_ROWS = 64
"""Rows up to which all trees are asked at once."""
UNUSED = ("gain", "count", "bin_threshold")
"""Of a node, what no answer needs: zeros take no place in a file."""


class Model(TableModel):
    """Categories become target means, where LightGBM takes them as they are: the two err differently."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]
    ALWAYS = ("target_encoding",)

    trees: dict[str, Array] | None = None
    """As arrays, for few rows; made when they are first asked for."""

    def learn(self, matrix: Array, target: Array, weights: Array | None) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingClassifier if self.classifies else HistGradientBoostingRegressor
        own = {name: value for name, value in self.params.items() if name not in _OWN}
        own |= {"random_state": self.seed} | ({} if self.classifies else {"loss": self._loss(target)})

        self.sparse = np.flatnonzero((~np.isnan(matrix)).sum(axis=0) < FEW_KNOWN)
        matrix = self._filled(matrix)

        def fitted(rounds: int, rate: float, **more: Any) -> Any:
            model = kind(max_iter=rounds, learning_rate=rate, **{"early_stopping": False, **own, **more})
            with limited(self.threads):
                return model.fit(matrix, target, sample_weight=weights)

        refit = len(matrix) <= REFIT_ROWS
        rate = float(self.params["learning_rate"])
        if "rounds" in self.params:
            self.model = fitted(int(self.params["rounds"]), rate)
            return
        stop = {"early_stopping": True, "validation_fraction": HELD_OUT} if self._can_hold_out(target) else {}
        rate, most = plan_rounds(
            self, rate, lambda rounds: fitted(rounds, rate, **stop, n_iter_no_change=rounds), 1 + refit
        )
        most = min(most, int(self.params.get("max_iter", most)))
        self.effective = {"learning_rate": rate, "max_iter": most}
        if not stop:
            self.model = fitted(min(most, 100), rate)
            return
        self.model = fitted(most, rate, **stop, n_iter_no_change=patience(rate))
        self.settled = settled(rate, most, int(np.argmax(self.model.validation_score_)))
        if refit:
            self.effective = self.settled
            self.model = fitted(self.settled["rounds"], rate)

    def _filled(self, matrix: Array) -> Array:
        """The matrix without missing values where few are known: scikit-learn cannot bin a column of none."""
        if not len(self.sparse):
            return matrix
        matrix = matrix.copy()
        matrix[:, self.sparse] = np.nan_to_num(matrix[:, self.sparse], nan=BELOW)
        return matrix

    def _can_hold_out(self, target: Array) -> bool:
        """Whether scikit-learn can stratify its holdout."""
        if not self.classifies:
            return len(target) >= 20
        return bool(np.bincount(target).min() >= 2 and len(target) * HELD_OUT >= max(3, len(self.present)))

    def _loss(self, target: Array) -> str:
        if self.metric in ("mae", "median_ae", "smape", "mape"):
            return "absolute_error"
        raw = self.metric == "poisson_deviance" and not self.values.log
        return "poisson" if raw and target.min() >= 0 else "squared_error"

    def answer(self, matrix: Array) -> Array:
        matrix = self._filled(matrix)
        if len(matrix) <= FEW_ROWS:
            raw, loss = self._followed(matrix), self.model._loss
            return np.asarray(loss.predict_proba(raw) if self.classifies else loss.link.inverse(raw[:, 0]))
        with limited(1 if len(matrix) < 1_000 else self.threads):
            return np.asarray(self.model.predict_proba(matrix) if self.classifies else self.model.predict(matrix))

    def _followed(self, matrix: Array) -> Array:
        """What the trees come to, (rows, trees of a round), all trees at once: scikit-learn asks one after the other,
        which takes a row ten times as long."""
        if self.trees is None:
            self.trees = flattened([tree.nodes for each in self.model._predictors for tree in each])
        trees, own = self.trees, np.arange(len(matrix))[:, None]
        place = np.broadcast_to(trees["roots"], (len(matrix), len(trees["roots"])))
        for _ in range(int(trees["depth"])):
            seen = matrix[own, trees["feature"][place]]
            left = np.where(np.isnan(seen), trees["missing"][place], seen <= trees["threshold"][place])
            place = np.where(left, trees["left"][place], trees["right"][place])
        base = np.asarray(self.model._baseline_prediction, dtype=np.float64).reshape(1, -1)
        return base + trees["value"][place].reshape(len(matrix), -1, base.shape[1]).sum(axis=1)

    def store(self, folder: Path) -> None:
        """The trees as arrays: skops takes a millisecond for each, and there may be thousands."""
        from skops_io import io

        trees = [tree.nodes for each in self.model._predictors for tree in each]
        nodes = np.concatenate(trees)
        for name in UNUSED:
            nodes[name] = 0
        save_arrays(folder / "trees.npz", {"nodes": nodes, "sizes": np.array([len(tree) for tree in trees])})
        bare = copy(self.model)
        bare._predictors = []
        io.dump({"model": bare, "sparse": self.sparse}, folder / "model.skops")

    def restore(self, folder: Path) -> None:
        from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
        from skops_io import io

        stored, arrays = io.load(folder / "model.skops"), load_arrays(folder / "trees.npz")
        self.model, self.sparse = stored["model"], stored["sparse"]
        none = np.zeros((0, 8), np.uint32)  # of splits by category: there are only means of the target
        trees = [TreePredictor(nodes, none, none) for nodes in np.split(arrays["nodes"], arrays["sizes"].cumsum()[:-1])]
        each = self.model.n_trees_per_iteration_
        self.model._predictors = [trees[first : first + each] for first in range(0, len(trees), each)]


def flattened(trees: list[Array]) -> dict[str, Array]:
    """The nodes of all trees in one array for each field. Leaves point to themselves, so that all rows can be moved
    `depth` times without asking which have arrived."""
    starts = np.cumsum([0, *map(len, trees)])
    nodes, start = np.concatenate(trees), np.repeat(starts[:-1], [len(tree) for tree in trees])
    leaf, own = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
    return {
        "feature": np.where(leaf, 0, nodes["feature_idx"]),
        "threshold": np.where(leaf, np.inf, nodes["num_threshold"]),
        "missing": leaf | nodes["missing_go_to_left"].astype(bool),
        "left": np.where(leaf, own, nodes["left"] + start),
        "right": np.where(leaf, own, nodes["right"] + start),
        "value": nodes["value"],
        "roots": starts[:-1],
        "depth": np.asarray(nodes["depth"].max()),
    }


def limited(threads: int) -> Any:
    """A context in which OpenMP uses so many threads: scikit-learn has no argument for it here."""
    return _controller().limit(limits=threads, user_api="openmp")


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
