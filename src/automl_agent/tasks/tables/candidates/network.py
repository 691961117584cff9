"""A multilayer perceptron with the defaults of RealMLP (Holzmüller, Grinsztajn & Steinwart 2024, "Better by default").

Smoothly clipped columns, periodic embeddings of numbers, learned scales of columns, three layers of 256 whose weights
are divided by the root of their inputs' number, activations with learned strength, Adam under the coslog4 schedule, and
the epoch that is best on rows held out. How many epochs there is time for is measured before the first one and planned,
since the schedule must come to its end. Training uses one thread, which makes it repeatable; cores are used by training
several folds at once. Once trained, a network answers in plain numpy, so that serving needs no torch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from plain_state import load_arrays, save_arrays
from table_model import TableModel
from table_targets import hold_out
from torch_training import Adam, fastest, one_thread

TITLE = "Multilayer perceptron (RealMLP)"
TAGS = ("neural network", "neural", "deep learning", "mlp", "realmlp", "perceptron", "network")
PORTFOLIO = [
    {"rate": 1.0, "dropout": 0.15, "frequency": 0.1, "epochs": 32},
    {"rate": 1.0, "dropout": 0.15, "frequency": 0.1, "epochs": 96},
    {"rate": 0.5, "dropout": 0.0, "frequency": 0.3, "epochs": 64},
]
SPACE = {
    "rate": {"type": "float", "low": 0.25, "high": 2.0, "log": True},
    "dropout": {"type": "categorical", "choices": [0.0, 0.15, 0.3]},
    "frequency": {"type": "float", "low": 0.03, "high": 1.0, "log": True},
    "epochs": {"type": "int", "low": 24, "high": 160, "log": True},
}
REQUIRES = ("torch",)
CONDITIONS = {"budget": ">= 45", "rows_per_second": "<= 90"}

Array = npt.NDArray[Any]

HIDDEN, LAYERS = 256, 3
WAVES, PARTS = 16, 3
"""Waves that a number is embedded with, and the numbers that they come to, beside itself."""
BATCH = 256
FEWEST = 16
"""Epochs below which training is not begun."""
SHARE = 0.8
"""Of the time left that the epochs may take: what a busy machine measures is not what it gives."""
TIMED = 6
"""Batches that are measured, after two to warm up."""
RATES = {"classification": 0.04, "regression": 0.2}
FACTORS = {"scale": 6.0, "strength": 0.1, "bias": 0.1, "wave": 0.1}
"""Of the learning rate, by the beginning of a weight's name."""
DECAY = 0.02
SMOOTH = 0.1
"""Weight that label smoothing moves to the other classes."""
SELU = (1.0507009873554805, 1.6732632423543772)


class Model(TableModel):
    """`rate` multiplies the learning rate; `frequency` is the spread of the waves that numbers are embedded with."""

    MODE = "matrix"
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, matrix: Array, target: Array, weights: Array | None) -> None:
        import torch

        self.numbers = len(self.encoder.scaler.centre)
        self.bounds = np.zeros(2) if self.classifies else np.array([target.min(), target.max()])
        rows = torch.from_numpy(clipped(matrix).astype(np.float32))
        truth = torch.from_numpy(target.astype(np.int64 if self.classifies else np.float32))
        counts = torch.ones(len(target)) if weights is None else torch.from_numpy(weights.astype(np.float32))
        inner, outer = (torch.from_numpy(part) for part in hold_out(target, self.seed))
        device = fastest(torch)
        training = Training(torch, self, [part.to(device) for part in (rows, truth, counts)], inner, outer)
        with one_thread(torch, self.seed):
            epochs = self._affordable(training)
            self.effective["epochs"] = epochs
            if device.type != "cpu":
                self.effective["device"] = device.type
            self.arrays = training.best(epochs)

    def _affordable(self, training: Training) -> int:
        """Epochs that fit into the time limit, at most those wanted."""
        epochs = int(self.params["epochs"])
        if self.seconds_left is None:
            return epochs
        each = training.seconds_of_epoch()
        left = SHARE * (self.seconds_left or 0.0)
        if FEWEST * each > left:
            raise TimeoutError(f"{FEWEST} epochs take about {FEWEST * each:.1f} s; there are {max(left, 0):.1f} s.")
        return max(FEWEST, min(epochs, int(left / each)))

    def answer(self, matrix: Array) -> Array:
        """In double precision: the answer to a row must not depend on those beside it."""
        found = scores(np, self._weights, clipped(matrix), self.numbers, self.classifies)
        if not self.classifies:
            return np.asarray(np.clip(found[:, 0], *self.bounds))
        exponents = np.exp(found - found.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))

    @property
    def _weights(self) -> dict[str, Array]:
        return {name: value.astype(np.float64) for name, value in self.arrays.items()}

    def store(self, folder: Path) -> None:
        more = {"numbers": np.asarray(self.numbers), "bounds": self.bounds}
        save_arrays(folder / "network.npz", {**{f"weights/{name}": one for name, one in self.arrays.items()}, **more})

    def restore(self, folder: Path) -> None:
        arrays = load_arrays(folder / "network.npz")
        self.numbers, self.bounds = int(arrays.pop("numbers")), arrays.pop("bounds")
        self.arrays = {name.removeprefix("weights/"): value for name, value in arrays.items()}


class Training:
    """One training of a network on tensors of one device: rows (count, width), truth and counts (count,)."""

    def __init__(self, torch: Any, model: Model, data: Sequence[Any], inner: Any, outer: Any) -> None:
        self.torch, self.model, self.data = torch, model, data
        self.device = data[0].device
        self.inner, self.outer = inner.to(self.device), outer.to(self.device)
        self.steps = math.ceil(len(inner) / BATCH)

    def seconds_of_epoch(self) -> float:
        """As a few batches take them."""
        batches = self._batches(self._begun(), epochs=TIMED + 2)
        for _ in range(2):
            next(batches, None)
        started, done = time.monotonic(), 0
        for _ in batches:
            done += 1
            if done == TIMED:
                break
        if self.device.type == "cuda":  # what was asked for is done later
            self.torch.cuda.synchronize()
        return (time.monotonic() - started) / max(1, done) * self.steps

    def best(self, epochs: int) -> dict[str, Array]:
        """The weights after the epoch that is best on the rows held out, the last of several; float32."""
        self.torch.manual_seed(self.model.seed)
        weights = self._begun()
        least, kept = math.inf, _arrays(weights)
        for done in self._batches(weights, epochs):
            if done % self.steps == 0:
                found = self._loss_outside(weights)
                if found <= least:
                    least = found
                    kept = _arrays(weights)
        return kept

    def _begun(self) -> dict[str, Any]:
        """Fresh weights by name."""
        torch, numbers, width = self.torch, self.model.numbers, self.data[0].shape[1]
        answers = len(self.model.present) if self.model.classifies else 1
        spread = float(self.model.params["frequency"])
        wide = width + numbers * PARTS
        weights = {
            "wave_frequency": torch.randn(numbers, WAVES) * spread,
            "wave_phase": (torch.rand(numbers, WAVES) * 2 - 1) * math.pi,
            "wave_mix": torch.randn(numbers, WAVES, PARTS) / math.sqrt(WAVES),
            "wave_shift": torch.zeros(numbers, PARTS),
            "scale": torch.ones(wide),
        }
        sizes = [wide, *[HIDDEN] * LAYERS, answers]
        for place, (before, after) in enumerate(pairwise(sizes)):
            last = place == LAYERS
            weights[f"layer{place}"] = torch.zeros(before, after) if last else torch.randn(before, after)
            weights[f"bias{place}"] = torch.zeros(after) if last else torch.randn(after)
            if not last:
                weights[f"strength{place}"] = torch.ones(after)
        return {name: value.to(self.device).requires_grad_() for name, value in weights.items()}

    def _batches(self, weights: dict[str, Any], epochs: int) -> Iterator[int]:
        """Train; gives the number of batches after each."""
        torch = self.torch
        rate = RATES[str(self.model.task["kind"])] * float(self.model.params["rate"])
        groups: dict[tuple[float, float], list[Any]] = {}  # by factor of the rate and decay
        for name, value in weights.items():
            groups.setdefault((_factor(name), DECAY * name.startswith("layer")), []).append(value)
        optimisers = {key: Adam(values, (0.9, 0.95), decoupled=True) for key, values in groups.items()}
        total, done = epochs * self.steps, 0
        for _ in range(epochs):
            order = self.inner[torch.randperm(len(self.inner)).to(self.device)]
            for start in range(0, len(order), BATCH):
                progress = done / total
                dropout = float(self.model.params["dropout"]) * flat_then_down(progress)
                self._loss(weights, order[start : start + BATCH], dropout).backward()
                for (factor, decay), optimiser in optimisers.items():
                    optimiser.step(rate * factor * coslog(progress), decay * flat_then_down(progress))
                done += 1
                yield done

    def _loss(self, weights: dict[str, Any], rows: Any, dropout: float = 0.0, smooth: float = SMOOTH) -> Any:
        functional, (matrix, truth, counts) = self.torch.nn.functional, (part[rows] for part in self.data)
        model = self.model

        def drop(values: Any) -> Any:
            return functional.dropout(values, dropout) if dropout else values

        found = scores(self.torch, weights, matrix, model.numbers, model.classifies, drop)
        losses = (
            functional.cross_entropy(found, truth, reduction="none", label_smoothing=smooth)
            if model.classifies
            else (found[:, 0] - truth) ** 2
        )
        return (losses * counts).sum() / counts.sum()

    def _loss_outside(self, weights: dict[str, Any]) -> float:
        if not len(self.outer):
            return 0.0
        with self.torch.no_grad():
            return float(self._loss(weights, self.outer, smooth=0.0))


def _arrays(weights: dict[str, Any]) -> dict[str, Array]:
    return {name: value.detach().cpu().numpy().copy() for name, value in weights.items()}


def scores(xp: Any, weights: Any, matrix: Any, numbers: int, classifies: bool, drop: Any = None) -> Any:
    """The network's answers (rows, classes or 1), in numpy or torch: numbers embedded as waves, then the layers."""
    first = matrix[:, :numbers]
    waves = xp.cos(2 * math.pi * (first[:, :, None] * weights["wave_frequency"] + weights["wave_phase"]))
    parts = xp.einsum("rnw,nwp->rnp", waves, weights["wave_mix"]) + weights["wave_shift"]
    inner = xp.concatenate([matrix, parts.reshape(len(matrix), numbers * PARTS)], 1) * weights["scale"]
    for place in range(LAYERS):
        inner = inner @ weights[f"layer{place}"] / math.sqrt(inner.shape[1]) + weights[f"bias{place}"]
        bent = selu(xp, inner) if classifies else mish(xp, inner)
        inner = inner + weights[f"strength{place}"] * (bent - inner)
        inner = drop(inner) if drop else inner
    return inner @ weights[f"layer{LAYERS}"] / math.sqrt(inner.shape[1]) + weights[f"bias{LAYERS}"]


def selu(xp: Any, values: Any) -> Any:
    scale, alpha = SELU
    below = alpha * xp.expm1(xp.where(values < 0, values, xp.zeros_like(values)))
    return scale * xp.where(values < 0, below, values)


def mish(xp: Any, values: Any) -> Any:
    """x tanh(softplus(x)), the softplus without overflow."""
    softplus = xp.log1p(xp.exp(-xp.abs(values))) + xp.where(values > 0, values, xp.zeros_like(values))
    return values * xp.tanh(softplus)


def clipped(matrix: Array) -> Array:
    """Columns pressed smoothly into (-3, 3)."""
    return np.asarray(matrix / np.sqrt(1 + (matrix / 3) ** 2))


def coslog(progress: float) -> float:
    """Share of the highest rate: four cosines, each twice as long as the one before."""
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * progress)))


def flat_then_down(progress: float) -> float:
    """1 for half of the time, then down along a cosine."""
    return 1.0 if progress < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * progress - 1)))


def _factor(name: str) -> float:
    return next((factor for kind, factor in FACTORS.items() if name.startswith(kind)), 1.0)
