"""What the candidates for nodes have in common: the graph, features as a matrix, known and new nodes, files, time.

While it is fitted, a model sees the whole graph (`task["files"]`, see `graph_store.py`) and the labels of the training
rows, no others. What it answers for every node of the graph is stored with it, so that known nodes are looked up and a
fitted model needs the graph no more. A candidate's class defines

    learn(graph, matrix, rows, codes)   fit; returns probabilities (nodes, classes seen) of all nodes. What new nodes
                                        need goes into `self.arrays`
    answer(batch)                       probabilities (rows, classes seen) of new nodes

New nodes come with features, with ids of neighbours that the graph knows, or both. They are answered as if they had
been in the graph while its known nodes stayed as they are: one step of propagation towards them, an approximation.
Where a new node has no features, what is made of features is the mean over its neighbours.

Whatever `learn` had to work out (rounds of training) goes into `effective`: `params.json` in the model's folder holds
the parameters with it, and a fit with them gives the same model again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from graph_store import StoredGraph, listed, read_graph, unpacked_rows
from plain_state import load_arrays, save_arrays
from prepare import Encoder
from scipy import sparse

Array = npt.NDArray[Any]

EMBEDDED = 32
"""Components of the adjacency that stand for features where nodes have none."""
ONE_HOT = 1000
WIDEST = 2 * 10**8
"""Cells of propagated features up to which they are used as they are; above, they are reduced by a truncated SVD."""
REDUCED = 256


@dataclass(frozen=True)
class Batch:
    """New nodes."""

    features: Any
    """Rows of the feature matrix, csr_matrix or array (rows, width); zeros where `bare`."""
    bare: Array
    """Which rows came without any feature."""
    links: Any
    """csr_matrix (rows, nodes): 1 for each neighbour that the graph knows."""
    degrees: Array
    """Degrees of the graph's nodes."""

    @property
    def count(self) -> Array:
        """Known neighbours of each row."""
        return np.asarray(self.links.sum(axis=1)).reshape(-1)

    def mean(self, values: Array, otherwise: Array | None = None) -> Array:
        """Mean of `values` (nodes, n) over each row's neighbours; without any, `otherwise`, or the mean of all."""
        values = np.asarray(values, dtype=np.float64)
        count = self.count
        found = np.asarray(self.links @ values) / np.maximum(count, 1)[:, None]
        found[count == 0] = values.mean(axis=0) if otherwise is None else otherwise
        return found

    def spread(self, values: Array, own: Array) -> Array:
        """One step of symmetrically normalised propagation (self-loops added) from the neighbours and the row itself.

        Args:
            values: of the graph's nodes, (nodes, n).
            own: of the rows, (rows, n).
        """
        count = self.count + 1.0
        scaled = np.asarray(values, dtype=np.float64) / np.sqrt(self.degrees + 2.0)[:, None]
        return np.asarray(self.links @ scaled) / np.sqrt(count)[:, None] + own / count[:, None]

    def projected(self, weights: Array, values: Array) -> Array:
        """Features times `weights` (width, n); for bare rows the mean of the neighbours' `values` (nodes, n)."""
        found = np.asarray(self.features @ np.asarray(weights, dtype=np.float64))
        if self.bare.any():
            found[self.bare] = self.mean(values)[self.bare]
        return found


class NodeModel:
    """Base of the candidates for nodes (see `automl_agent.tasks.candidate` for the contract)."""

    DEFAULTS: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        task: Mapping[str, Any],
        params: Mapping[str, Any],
        steps: Sequence[str],
        seed: int,
        threads: int = 1,
        time_limit: float | None = None,
    ) -> None:
        self.task = dict(task)
        self.params = {**self.DEFAULTS, **params}
        self.steps = list(steps)
        self.seed = seed
        self.threads = threads
        self.time_limit = time_limit
        self.effective: dict[str, Any] = {}
        self.arrays: dict[str, Array] = {}
        self.present: Array = np.zeros(0, dtype=np.int64)
        """Codes of the classes that the training rows have."""
        self.encoder: Encoder | None = None
        self._index: dict[str, int] | None = None

    # ------------------------------------------------------------ what a candidate defines

    def learn(self, graph: StoredGraph, matrix: Any, rows: Array, codes: Array) -> Array:
        raise NotImplementedError

    def answer(self, batch: Batch) -> Array:
        raise NotImplementedError

    # ------------------------------------------------------------ the contract

    def fit(self, frame: pd.DataFrame, target: Array) -> NodeModel:
        """Fit on typed rows, all of them nodes of the graph, and their class codes (int64)."""
        self._started = time.monotonic()
        graph = read_graph(self.task["files"])
        self.names = graph.names
        self.ids = graph.ids
        rows = self._places(frame)
        if (rows < 0).any():
            raise ValueError(f"{int((rows < 0).sum())} training rows are no nodes of the graph.")
        self.degrees = np.bincount(graph.edges.ravel(), minlength=graph.nodes)
        self.present, codes = np.unique(target, return_inverse=True)
        codes = codes.reshape(-1)
        self.prior = np.bincount(codes) / len(codes)
        matrix = self._matrix(graph)
        if len(self.present) == 1:
            self.known = np.ones((graph.nodes, 1), dtype=np.float32)
        else:
            self.known = _shares(self.learn(graph, matrix, rows, codes)).astype(np.float32)
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        """Probabilities (rows, classes) in the order of the class codes; float64."""
        scores = np.zeros((len(frame), len(self.task["classes"])))
        places = self._places(frame)
        new = np.flatnonzero(places < 0)
        found = self.known[places].astype(np.float64)
        if len(new):
            found[new] = 1.0 if len(self.present) == 1 else self.answer(self._batch(frame.iloc[new]))
        scores[:, self.present] = _shares(found)
        return scores

    def save(self, folder: str | Path) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "task": {name: value for name, value in self.task.items() if name != "files"},
            "params": self.params,
            "steps": self.steps,
            "seed": self.seed,
            "effective": self.effective,
            "present": self.present.tolist(),
            "prior": self.prior.tolist(),
            "names": self.names,
            "width": self.width,
            "scale": self.scale,
        }
        (folder / "model.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        effective = json.dumps({**self.params, **self.effective}, ensure_ascii=False)
        (folder / "params.json").write_text(effective, encoding="utf-8")
        own = {"ids": np.array(self.ids, dtype=np.str_), "known": self.known, "degrees": self.degrees}
        save_arrays(folder / "nodes.npz", own)
        save_arrays(folder / "weights.npz", self.arrays)
        if self.encoder is not None:
            self.encoder.save(folder)
        self.store(folder)

    @classmethod
    def load(cls, folder: str | Path) -> NodeModel:
        folder = Path(folder)
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        model = cls(state["task"], state["params"], state["steps"], state["seed"])
        model.effective = state["effective"]
        model.present = np.array(state["present"], dtype=np.int64)
        model.prior = np.array(state["prior"])
        model.names, model.width, model.scale = state["names"], state["width"], state["scale"]
        own = load_arrays(folder / "nodes.npz")
        model.ids, model.known, model.degrees = own["ids"].tolist(), own["known"], own["degrees"]
        model.arrays = load_arrays(folder / "weights.npz")
        if (folder / "encoder.json").is_file():
            model.encoder = Encoder.load(folder)
        model.restore(folder)
        return model

    def store(self, folder: Path) -> None:
        """Write what `arrays` cannot hold."""

    def restore(self, folder: Path) -> None:
        """Read what `store` wrote."""

    # ------------------------------------------------------------ features

    def _matrix(self, graph: StoredGraph) -> Any:
        """Features of all nodes: csr_matrix or array (nodes, width). No label is looked at.

        Feature columns are encoded as for tables; sparse features are scaled to rows of length one; where there are
        neither, components of the adjacency stand for them.
        """
        self.width = int(graph.words.shape[1])
        self.scale = self.width > 0 and self.params.get("scale_rows", True)
        parts: list[Any] = []
        if self.width:
            parts.append(_unit(graph.words) if self.scale else sparse.csr_matrix(graph.words, dtype=np.float64))
        if len(graph.columns.columns):
            self.encoder = Encoder((), "matrix", "classification", self.seed, ONE_HOT)
            parts.append(self.encoder.fit_transform(graph.columns, np.zeros(graph.nodes, dtype=np.int64)))
        if not parts:
            return _embedded(graph, self.seed)
        if len(parts) == 1:
            return parts[0]
        return sparse.csr_matrix(sparse.hstack([parts[0], sparse.csr_matrix(parts[1])]))

    def _batch(self, frame: pd.DataFrame) -> Batch:
        index = self._lookup()
        near = [[index[name] for name in listed(text) if name in index] for text in frame[self.names["neighbours"]]]
        counts = [len(found) for found in near]
        places = np.array([place for found in near for place in found], dtype=np.int64)
        rows = np.repeat(np.arange(len(near)), counts)
        links = sparse.csr_matrix((np.ones(len(places)), (rows, places)), shape=(len(near), len(self.ids)))
        features, bare = self._new_features(frame)
        return Batch(features, bare, links, self.degrees)

    def _new_features(self, frame: pd.DataFrame) -> tuple[Any, Array]:
        """Features of new nodes, and which have none."""
        bare = np.ones(len(frame), dtype=bool)
        parts: list[Any] = []
        if self.width:
            words = unpacked_rows(frame[self.names["features"]].tolist(), self.width)
            bare &= np.diff(words.indptr) == 0
            parts.append(_unit(words) if self.scale else sparse.csr_matrix(words, dtype=np.float64))
        if self.encoder is not None:
            columns = frame[self.encoder.columns].reset_index(drop=True)
            bare &= columns.isna().all(axis=1).to_numpy() | (columns == "").all(axis=1).to_numpy()
            parts.append(self.encoder.transform(columns))
        if not parts:
            return np.zeros((len(frame), EMBEDDED)), bare
        if len(parts) == 2:
            return sparse.csr_matrix(sparse.hstack([parts[0], sparse.csr_matrix(parts[1])])), bare
        return parts[0], bare

    # ------------------------------------------------------------ for candidates

    def _lookup(self) -> dict[str, int]:
        if self._index is None:
            self._index = {name: place for place, name in enumerate(self.ids)}
        return self._index

    def _places(self, frame: pd.DataFrame) -> Array:
        """Position in the graph of each row's node; -1 for new ones."""
        index = self._lookup()
        return np.array([index.get(name, -1) for name in frame[self.names["id"]]], dtype=np.int64)

    @property
    def seconds_left(self) -> float | None:
        """Of the time limit, less a tenth for saving; `None` without a limit."""
        if self.time_limit is None:
            return None
        return 0.9 * self.time_limit - (time.monotonic() - self._started)

    def require(self, seconds: float, what: str) -> None:
        """Raise `TimeoutError` when something that takes so long does not fit into what is left."""
        left = self.seconds_left
        if left is not None and seconds > left:
            raise TimeoutError(
                f"{what} needs about {seconds:.1f} s, {max(left, 0):.1f} s of {self.time_limit:.1f} s are left."
            )


# ---------------------------------------------------------------- the graph as a matrix


def normalised(adjacency: Any) -> Any:
    """D^-1/2 (A + I) D^-1/2 (Kipf and Welling 2017), csr_matrix of float64."""
    looped = sparse.csr_matrix(adjacency + sparse.identity(adjacency.shape[0]))
    root = 1.0 / np.sqrt(np.asarray(looped.sum(axis=1)).reshape(-1))
    return sparse.csr_matrix(sparse.diags(root) @ looped @ sparse.diags(root))


def reduced(matrix: Any, width: int, seed: int) -> Array:
    """Projection (width of the matrix, n) on the leading components, n at most `width`."""
    from sklearn.utils.extmath import randomized_svd

    size = min(width, min(matrix.shape) - 1)
    if matrix.shape[1] <= width or size < 1:
        return np.eye(matrix.shape[1])
    return np.ascontiguousarray(randomized_svd(matrix, size, random_state=seed)[2].T)


def _embedded(graph: StoredGraph, seed: int) -> Array:
    """(nodes, EMBEDDED) leading components of the normalised adjacency, scaled to unit variance."""
    from sklearn.utils.extmath import randomized_svd

    size = min(EMBEDDED, graph.nodes - 1)
    left, _, _ = randomized_svd(normalised(graph.adjacency()), size, random_state=seed)
    found = np.zeros((graph.nodes, EMBEDDED))
    found[:, :size] = left / np.maximum(left.std(axis=0), 1e-12)
    return found


def _unit(words: Any) -> Any:
    """Rows of length one; rows of zeros stay."""
    matrix = sparse.csr_matrix(words, dtype=np.float64)
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).reshape(-1))
    return sparse.csr_matrix(sparse.diags(1.0 / np.where(length > 0, length, 1.0)) @ matrix)


def softmax(scores: Array) -> Array:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def _shares(values: Array) -> Array:
    """Rows that sum to one; a row of zeros becomes uniform."""
    values = np.asarray(values, dtype=np.float64)
    total = values.sum(axis=1, keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1.0), 1.0 / values.shape[1])
