"""Training of graph networks in torch: full batches, early stopping on an inner split, three seeds averaged.

Sparse products are scipy's (one thread, always in the same order), wrapped for automatic differentiation: torch's own
are not deterministic everywhere. Once trained, a network answers in plain numpy, so that serving needs no torch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from graph_store import StoredGraph
from node_model import NodeModel, normalised
from scipy import sparse
from torch_training import Adam

Array = npt.NDArray[Any]

SEEDS = 3
MOST = 200
"""Epochs at most."""
FEWEST = 20
EVERY = 5
PATIENCE = 40
USUAL = 100
"""Epochs where there are too few labels for an inner split."""
INNER = 0.2
"""Share of the training labels that choose the number of epochs."""
TIMED = 3


class NetworkModel(NodeModel):
    """Base of the networks; a candidate defines

    parts(width, classes)                   shapes of its weights by name, in order; those that are decayed first
    forward(weights, features, step, drop)  scores (nodes, classes) as a torch tensor
    scores(weights, features, step)         the same in numpy, of all nodes; keeps what new nodes need
    """

    def parts(self, width: int, classes: int) -> dict[str, tuple[int, ...]]:
        raise NotImplementedError

    def forward(self, weights: dict[str, Any], features: Any, step: Any, drop: Any) -> Any:
        raise NotImplementedError

    def scores(self, weights: dict[str, Array], features: Any, step: Any, number: int) -> Array:
        raise NotImplementedError

    def learn(self, graph: StoredGraph, matrix: Any, rows: Array, codes: Array) -> Array:
        step = normalised(graph.adjacency())
        with _one_thread(self.threads):
            epochs = self.params.get("epochs") or self._epochs(matrix, step, rows, codes)
            self.effective["epochs"] = int(epochs)
            total = 0.0
            for number in range(SEEDS):
                weights = self._trained(matrix, step, rows, codes, int(epochs), self.seed * 100 + number)
                found = self.scores(weights, matrix, step, number)
                shifted = np.exp(found - found.max(axis=1, keepdims=True))
                total = total + shifted / shifted.sum(axis=1, keepdims=True)
        return np.asarray(total) / SEEDS

    def _epochs(self, matrix: Any, step: Any, rows: Array, codes: Array) -> int:
        """The number of epochs after which the loss on an inner split was least, for as many labels as there are."""
        inner = _inner(codes, self.seed)
        if inner is None:
            self._check_time(matrix, step, rows, codes, USUAL * SEEDS)
            return USUAL
        self._check_time(matrix, step, rows, codes, MOST + USUAL * SEEDS)
        learning = ~inner
        losses: list[tuple[float, int]] = []
        for epoch, weights in self._rounds(matrix, step, rows[learning], codes[learning], MOST, self.seed * 100 + 99):
            if epoch % EVERY:
                continue
            found = self.scores(weights(), matrix, step, -1)[rows[inner]]
            shifted = found - found.max(axis=1, keepdims=True)
            right = shifted[np.arange(len(found)), codes[inner]] - np.log(np.exp(shifted).sum(axis=1))
            losses.append((-float(right.mean()), epoch))
            if epoch - min(losses)[1] >= PATIENCE:
                break
        return max(FEWEST, min(losses)[1])

    def _check_time(self, matrix: Any, step: Any, rows: Array, codes: Array, epochs: int) -> None:
        if self.seconds_left is None:
            return
        started = time.monotonic()
        self._trained(matrix, step, rows, codes, TIMED, self.seed)
        self.require((time.monotonic() - started) / TIMED * epochs, f"{epochs} epochs of training")

    def _trained(self, matrix: Any, step: Any, rows: Array, codes: Array, epochs: int, seed: int) -> dict[str, Array]:
        *_, (_, weights) = self._rounds(matrix, step, rows, codes, epochs, seed)
        return weights()

    def _rounds(self, matrix: Any, step: Any, rows: Array, codes: Array, epochs: int, seed: int
                ) -> Iterator[tuple[int, Any]]:  # fmt: skip
        """Train, and after each epoch give its number and a function that tells the weights."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        shapes = self.parts(matrix.shape[1], len(self.present))
        weights = {name: _initial(shape, generator).requires_grad_() for name, shape in shapes.items()}
        first = next(iter(weights))
        decay, rate = float(self.params["weight_decay"]), float(self.params["learning_rate"])
        decayed, others = Adam([weights[first]]), Adam([value for name, value in weights.items() if name != first])
        features = Features(matrix)
        places, truth = torch.from_numpy(rows.copy()), torch.from_numpy(codes.astype(np.int64))
        drop = Dropout(float(self.params["dropout"]), seed)
        for epoch in range(1, epochs + 1):
            scores = self.forward(weights, features, step, drop)
            loss = torch.nn.functional.cross_entropy(scores[places], truth)
            loss.backward()
            decayed.step(rate, decay)
            others.step(rate)
            yield epoch, lambda: {name: value.detach().numpy().copy() for name, value in weights.items()}


def _initial(shape: tuple[int, ...], generator: Any) -> Any:
    """Glorot's uniform weights; offsets are zero. Double precision, so that the order of sums does not show."""
    import torch

    if len(shape) == 1:
        return torch.zeros(shape, dtype=torch.float64)
    bound = (6.0 / (shape[0] + shape[1])) ** 0.5
    return (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1) * bound


def _inner(codes: Array, seed: int) -> Array | None:
    """Which labels choose the number of epochs; some of each class stay for training. `None` with too few."""
    random = np.random.default_rng(seed)
    chosen = np.zeros(len(codes), dtype=bool)
    for code in np.unique(codes):
        places = np.flatnonzero(codes == code)
        chosen[random.permutation(places)[: int(INNER * len(places))]] = True
    return chosen if chosen.sum() >= 10 else None


@contextmanager
def _one_thread(threads: int) -> Iterator[None]:
    """Torch in so many threads, and as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---------------------------------------------------------------- products and dropout


class Dropout:
    """Sets a share of values to zero and scales up the rest."""

    def __init__(self, share: float, seed: int) -> None:
        self.share, self.random = share, np.random.default_rng(seed)

    def kept(self, shape: tuple[int, ...]) -> Array:
        """Which values stay, bool; drawn by numpy, which is several times as fast."""
        return np.asarray(self.random.random(shape, dtype=np.float32) >= self.share)

    def __call__(self, values: Any) -> Any:
        import torch

        return values * torch.from_numpy(self.kept(tuple(values.shape)) / (1 - self.share))


class Features:
    """The feature matrix, sparse or dense, to be multiplied with weights, its entries dropped at random."""

    def __init__(self, matrix: Any) -> None:
        import torch

        self.sparse = sparse.csr_matrix(matrix) if sparse.issparse(matrix) else None
        self.dense = None if sparse.issparse(matrix) else torch.from_numpy(np.array(matrix, dtype=np.float64))

    def times(self, weights: Any, drop: Dropout) -> Any:
        if self.sparse is None:
            return drop(self.dense) @ weights
        kept = drop.kept(self.sparse.data.shape) / (1 - drop.share)
        thinned = sparse.csr_matrix(
            (self.sparse.data * kept, self.sparse.indices, self.sparse.indptr), shape=self.sparse.shape, copy=False
        )
        return product(thinned, weights)


def product(matrix: Any, values: Any) -> Any:
    """A constant csr_matrix times a tensor (n, m), differentiable in the tensor."""
    return _operation().apply(matrix, values)


_CACHE: list[Any] = []


def _operation() -> Any:
    """The class is made at first use: this file can be imported without torch."""
    if not _CACHE:
        import torch

        class Product(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, matrix: Any, values: Any) -> Any:
                ctx.matrix = matrix
                return torch.from_numpy(np.asarray(matrix @ values.detach().numpy()))

            @staticmethod
            def backward(ctx: Any, *gradients: Any) -> Any:
                return None, torch.from_numpy(np.asarray(ctx.matrix.T @ gradients[0].numpy()))

        _CACHE.append(Product)
    return _CACHE[0]
