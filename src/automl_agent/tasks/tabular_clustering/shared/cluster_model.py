"""What the candidates for clusters have in common: views, order of the clusters, files, time, descriptions in words.

A candidate's class defines

    group(points, clusters)           fit; memberships of the training points (rows, clusters), degrees that sum to 1
    belong(points)                    memberships of other points
    store(), restore(arrays)          the fitted state as a dictionary of arrays, and back

Clusters are numbered by size, the largest first. Whatever the fit had to reduce to keep to the time limit goes into
`effective`; `params.json` holds the parameters with these changes and the number of clusters: a fit with them, without
a time limit, gives the same model on any machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from cluster_view import View
from cluster_words import descriptions
from plain_state import load_arrays, save_arrays

Array = npt.NDArray[Any]

NEIGHBOURS = 5
"""Neighbours that decide for a new row, where the clusters have no other rule."""
CHUNK = 4_000_000
"""Distances that are held at once."""


class ClusterModel:
    """Base of the candidates for clusters (see `automl_agent.tasks.candidate` for the contract).

    Args:
        task: `kind`, `metric`, and `clusters`, the number of clusters, where it is fixed for all.
        params: `view` (see `cluster_view.py`), and `clusters` where the task does not say.
        time_limit: seconds that `fit` may take; what cannot fit in raises `TimeoutError` before it is begun.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    MOST: ClassVar[int] = 0
    """Rows that are grouped at most; the others join by `belong`. 0 means all."""

    def __init__(self, task: Mapping[str, Any], params: Mapping[str, Any], steps: Sequence[str] = (), seed: int = 0,
                 threads: int = 1, time_limit: float | None = None) -> None:  # fmt: skip
        self.task = dict(task)
        self.params = {"view": "standard", **self.DEFAULTS, **params}
        self.params["clusters"] = int(self.task.get("clusters") or self.params.get("clusters") or 2)
        self.steps = list(steps)
        self.seed = seed
        self.threads = threads
        self.time_limit = time_limit
        self.effective: dict[str, Any] = {}
        self.words: list[dict[str, Any]] = []
        """Of each cluster: `cluster`, `share`, `text`, `columns` (see `cluster_words.py`)."""

    # ------------------------------------------------------------ what a candidate defines

    def group(self, points: Array, clusters: int) -> Array:
        raise NotImplementedError

    def belong(self, points: Array) -> Array:
        raise NotImplementedError

    def store(self) -> dict[str, Array]:
        raise NotImplementedError

    def restore(self, arrays: Mapping[str, Array]) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ the contract

    @property
    def clusters(self) -> int:
        return int(self.params["clusters"])

    def fit(self, frame: pd.DataFrame, _target: Array | None = None) -> ClusterModel:
        """Fit on typed rows; there is no target.

        Raises:
            ValueError: there are fewer different rows than clusters, or the algorithm finds another number of them.
            TimeoutError: the fit does not fit into the time limit; it was not begun.
        """
        self._started = time.monotonic()
        self.view = View(str(self.params["view"]), seed=self.seed)
        points = self.view.fit_transform(frame)
        distinct = len(np.unique(points[:10_000].round(9), axis=0))
        if distinct < self.clusters:
            raise ValueError(f"{distinct} different rows cannot make {self.clusters} clusters")
        rows = self._sampled(len(points))
        self.order = np.arange(self.clusters)
        found = self.group(points[rows], self.clusters)
        if len(rows) < len(points):
            found = self.belong(points)
        sizes = np.bincount(found.argmax(axis=1), minlength=self.clusters)
        if not sizes.all():
            raise ValueError(f"{int((sizes > 0).sum())} of {self.clusters} clusters have rows")
        self.order = np.argsort(-sizes, kind="stable")
        self.words = descriptions(frame, np.argsort(self.order)[found.argmax(axis=1)], self.clusters)
        return self

    def _sampled(self, rows: int) -> Array:
        """Rows that are grouped: all, or a sample of as many as the algorithm can bear."""
        most = int(self.params.get("rows") or self.MOST or rows)
        if rows <= most:
            return np.arange(rows)
        self.effective["rows"] = most
        return np.sort(np.random.default_rng(self.seed).permutation(rows)[:most])

    def predict(self, frame: pd.DataFrame) -> Array:
        """Degree to which each row belongs to each cluster: (rows, clusters), rows sum to 1."""
        if not len(frame):
            return np.zeros((0, self.clusters))
        found = np.maximum(self.belong(self.view.transform(frame)), 0.0)
        return np.asarray((found / found.sum(axis=1, keepdims=True))[:, self.order])

    def save(self, folder: str | Path) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = {"task": self.task, "params": self.params, "steps": self.steps, "seed": self.seed,
                 "effective": self.effective}  # fmt: skip
        texts = {"model.json": state, "params.json": {**self.params, **self.effective},
                 "cluster_descriptions.json": self.words}  # fmt: skip
        for name, value in texts.items():
            (folder / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        self.view.save(folder)
        save_arrays(folder / "clusters.npz", {"order": self.order, **self.store()})

    @classmethod
    def load(cls, folder: str | Path) -> ClusterModel:
        folder = Path(folder)
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        model = cls(state["task"], state["params"], state["steps"], state["seed"])
        model.effective = state["effective"]
        model.words = json.loads((folder / "cluster_descriptions.json").read_text(encoding="utf-8"))
        model.view = View.load(folder)
        arrays = load_arrays(folder / "clusters.npz")
        model.order = arrays.pop("order")
        model.restore(arrays)
        return model

    # ------------------------------------------------------------ for candidates

    def require(self, seconds: float, what: str) -> None:
        """Raise `TimeoutError` when something that takes so long does not fit into nine tenths of the time left."""
        if self.time_limit is None:
            return
        left = 0.9 * self.time_limit - (time.monotonic() - self._started)
        if seconds > left:
            raise TimeoutError(f"{what} needs about {seconds:.1f} s, {max(left, 0):.1f} s are left.")


class Neighbourhood:
    """Assigns a point to clusters by its nearest training points, weighted by distance.

    For algorithms that group training rows and say nothing of others. A training point is nearest to itself.
    """

    def fit(self, points: Array, labels: Array, clusters: int) -> Neighbourhood:
        self.points = np.ascontiguousarray(points, dtype=np.float32)
        self.labels = labels.astype(np.int64)
        self.clusters = clusters
        return self

    def belong(self, points: Array) -> Array:
        known = self.points.astype(np.float64)
        norms = (known**2).sum(axis=1)
        points = points.astype(np.float32).astype(np.float64)  # as stored: a row is its own neighbour
        step = max(1, CHUNK // len(known))
        parts = [self._chunk(points[start : start + step], known, norms) for start in range(0, len(points), step)]
        return np.concatenate(parts)

    def _chunk(self, points: Array, known: Array, norms: Array) -> Array:
        count = min(NEIGHBOURS, len(known))
        squares = np.maximum(norms - 2 * points @ known.T + (points**2).sum(axis=1)[:, None], 0)
        near = np.argpartition(squares, count - 1, axis=1)[:, :count]
        weights = 1 / (np.take_along_axis(squares, near, axis=1) + 1e-9)
        found = np.zeros((len(points), self.clusters))
        for place in range(count):
            found[np.arange(len(points)), self.labels[near[:, place]]] += weights[:, place]
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def arrays(self) -> dict[str, Array]:
        return {"points": self.points, "labels": self.labels}

    @staticmethod
    def from_arrays(arrays: Mapping[str, Array], clusters: int) -> Neighbourhood:
        return Neighbourhood().fit(arrays["points"], arrays["labels"], clusters)
