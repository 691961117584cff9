"""A small residual network, trained here: a few convolutions, batch norm, one cycle of the learning rate.

How many epochs there is time for is measured before the first one and planned: the rate follows one cycle over just
these, so that training always comes to its end. Training and answers use one thread, which makes them repeatable; cores
are used by training several folds at once.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from image_mirrors import changes, mirrored
from image_model import ImageModel, softmax
from image_pixels import decoded
from plain_state import load_arrays, save_arrays
from torch_training import Adam, fastest, one_thread

TITLE = "Small convolutional network"
TAGS = ("neural network", "neural", "deep learning", "cnn", "convolutional network", "network")
PORTFOLIO = [
    {"width": 24, "epochs": 16, "rate": 0.004, "augment": "auto"},
    {"width": 32, "epochs": 24, "rate": 0.003, "augment": "auto"},
]
SPACE = {
    "width": {"type": "categorical", "choices": [16, 24, 32]},
    "rate": {"type": "float", "low": 0.001, "high": 0.01, "log": True},
    "augment": {"type": "categorical", "choices": ["auto", "shifts", "shifts,flips", "none"]},
}
REQUIRES = ("torch",)

Array = npt.NDArray[Any]

BATCH = 64
TOGETHER = 8
"""Images that are answered together, always: the last digits depend on how many there are."""
FEWEST = 4
"""Epochs below which training is not begun."""
SHARE = 0.6
"""Of the time limit that the epochs may take: what a busy machine measures is not what it gives."""
TIMED = 6
"""Batches that are measured, after two to warm up."""
DECAY = 0.02
SMOOTH = 0.1
"""Weight that label smoothing moves to the other classes."""


class Model(ImageModel):
    """`width` channels at first, four times as many in the end; `rate` is the highest learning rate of AdamW."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, images: list[bytes], target: Array) -> None:
        import torch

        size = int(self.params.get("size") or picture_size(self.side))
        pixels = decoded(images, size, self.grey)
        self.statistics = np.array([pixels.mean() / 255, max(pixels.std() / 255, 0.01)], np.float32)
        asked = self.task.get("augment") or "auto"
        asked = str(self.params["augment"]) if asked == "auto" else asked
        self.changes = changes(asked, pixels, target, self.seed)
        self.effective |= {"size": size, "augment": ",".join(self.changes) or "none"}
        device, shape = fastest(torch), (pixels.shape[3], int(self.params["width"]), len(self.present), size)
        with one_thread(torch, self.seed):
            self.network = build(torch, *shape).to(device)
            epochs = self._affordable(torch, pixels, target)
            self.effective["epochs"] = epochs
            if device.type != "cpu":
                self.effective["device"] = device.type
            torch.manual_seed(self.seed)
            self.network = build(torch, *shape).to(device)
            self._train(torch, pixels, target, epochs)
            self.network.cpu()

    def _affordable(self, torch: Any, pixels: Array, target: Array) -> int:
        """Epochs that fit into the time limit, at most those wanted."""
        epochs = int(self.params["epochs"])
        if self.seconds_left is None:
            return epochs
        steps = math.ceil(len(pixels) / BATCH)
        self._train(torch, pixels, target, 1, most=2)
        started = time.monotonic()
        self._train(torch, pixels, target, 1, most=TIMED)
        epoch = (time.monotonic() - started) / min(TIMED, steps) * steps
        left = SHARE * (self.seconds_left or 0.0)
        if FEWEST * epoch > left:
            raise TimeoutError(f"{FEWEST} epochs take about {FEWEST * epoch:.0f} s; there are {max(left, 0):.0f} s.")
        return max(FEWEST, min(epochs, int(left / epoch)))

    def _train(self, torch: Any, pixels: Array, target: Array, epochs: int, most: int = 0) -> None:
        """Train for so many epochs; with `most`, for so many batches only."""
        random = np.random.default_rng(self.seed)
        steps = math.ceil(len(pixels) / BATCH)
        optimizer = Adam(list(self.network.parameters()), decoupled=True)
        measure = torch.nn.CrossEntropyLoss(label_smoothing=SMOOTH)
        self.network.train()
        device, done = next(self.network.parameters()).device, 0
        for _ in range(epochs):
            order = random.permutation(len(pixels))
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                if len(rows) < 2:  # batch norm needs several
                    continue
                batch = self._batch(torch, changed(pixels[rows], self.changes, random)).to(device)
                loss = measure(self.network(batch), torch.from_numpy(target[rows]).to(device))
                loss.backward()
                optimizer.step(float(self.params["rate"]) * one_cycle(done / (steps * epochs)), DECAY)
                done += 1
                if done == most:
                    return

    def _batch(self, torch: Any, pixels: Array) -> Any:
        values = (pixels.astype(np.float32) / 255 - self.statistics[0]) / self.statistics[1]
        return torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))

    def answer(self, images: list[bytes]) -> Array:
        import torch

        pixels = decoded(images, int(self.effective["size"]), self.grey)
        self.network.eval()
        scores = np.zeros((len(pixels), len(self.present)))
        with one_thread(torch, self.seed), torch.inference_mode():
            for start in range(0, len(pixels), TOGETHER):
                part = pixels[start : start + TOGETHER]
                full = np.zeros((TOGETHER, *pixels.shape[1:]), np.uint8)
                full[: len(part)] = part
                views = mirrored(full, self.changes)
                found = [softmax(self.network(self._batch(torch, view)).numpy().astype(np.float64)) for view in views]
                scores[start : start + TOGETHER] = np.mean(found, axis=0)[: len(part)]
        return scores

    def store(self, folder: Path) -> None:
        weights = {f"weights/{name}": value.numpy() for name, value in self.network.state_dict().items()}
        save_arrays(folder / "network.npz", {"statistics": self.statistics, **weights})

    def restore(self, folder: Path) -> None:
        import torch

        arrays = load_arrays(folder / "network.npz")
        self.statistics = arrays.pop("statistics")
        asked = str(self.effective["augment"])
        self.changes = () if asked == "none" else tuple(asked.split(","))
        channels = 1 if self.grey else 3
        width, size = int(self.params["width"]), int(self.effective["size"])
        self.network = build(torch, channels, width, len(self.present), size)
        state = {name.removeprefix("weights/"): torch.from_numpy(value) for name, value in arrays.items()}
        self.network.load_state_dict(state)


def picture_size(side: int) -> int:
    """Pixels a side that the network sees: as they are up to 32, else 64."""
    return 64 if side > 40 else max(16, math.ceil(side / 4) * 4)


def build(torch: Any, channels: int, width: int, classes: int, size: int) -> Any:
    """Three stages of convolutions at falling resolution, two of them residual; 100,000 to 400,000 weights."""
    nn = torch.nn

    def convolution(before: int, after: int, stride: int = 1) -> Any:
        layer = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU())

    class Residual(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, count: int) -> None:
            super().__init__()
            self.inner = nn.Sequential(convolution(count, count), convolution(count, count))

        def forward(self, values: Any) -> Any:
            return values + self.inner(values)

    first = convolution(channels, width, 2 if size > 40 else 1)
    pool = nn.MaxPool2d(2)
    return nn.Sequential(
        first, convolution(width, 2 * width), pool, Residual(2 * width), convolution(2 * width, 4 * width), pool,
        Residual(4 * width), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * width, classes),
    )  # fmt: skip


def one_cycle(progress: float) -> float:
    """Share of the highest rate: up in a quarter of the time, then down along a cosine (Smith & Topin 2018)."""
    if progress < 0.25:
        return 0.1 + 0.9 * progress / 0.25
    return 0.001 + 0.999 * (1 + math.cos(math.pi * (progress - 0.25) / 0.75)) / 2


def changed(pixels: Array, names: tuple[str, ...], random: Any) -> Array:
    """A batch with each image changed at random."""
    count, size = len(pixels), pixels.shape[1]
    pixels = pixels.copy()
    for name, axis in (("flips", 1), ("upside_down", 0)):
        if name in names:
            for place in np.flatnonzero(random.random(count) < 0.5):
                pixels[place] = np.flip(pixels[place], axis)
    if "turns" in names:
        for place, turns in enumerate(random.integers(0, 4, count)):
            pixels[place] = np.rot90(pixels[place], turns)
    if "shifts" in names:
        far = max(1, size // 10)
        wide = np.pad(pixels, ((0, 0), (far, far), (far, far), (0, 0)), mode="edge")
        for place, (row, column) in enumerate(random.integers(0, 2 * far + 1, (count, 2))):
            pixels[place] = wide[place, row : row + size, column : column + size]
    return pixels
