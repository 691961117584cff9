"""Which changes of training images leave their class as it is: measured, unless the user says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

CHANGES = ("shifts", "flips", "upside_down", "turns")
"""Moved by up to a tenth; left and right exchanged; top and bottom exchanged; by 90, 180 or 270 degrees."""
MEASURED = 1200
"""Images that the measurement looks at."""
LOST = 0.15
"""Share of what a model knows beyond chance that it may lose on mirrored images."""


def changes(asked: str, pixels: Array, target: Array, seed: int) -> tuple[str, ...]:
    """The changes to train with.

    Args:
        asked: names of `CHANGES` with commas, `none`, or `auto`.
        pixels: uint8 training images (images, size, size, channels).
        target: codes 0, 1, ...
    """
    if asked != "auto":
        return tuple(name for name in CHANGES if name in asked.split(","))
    found = ["shifts"]
    for name, axis in (("flips", 2), ("upside_down", 1)):
        if harmless(pixels, target, axis, seed):
            found.append(name)
    return tuple(found)


def harmless(pixels: Array, target: Array, axis: int, seed: int) -> bool:
    """Whether a quick model, taught on images as they are, knows their mirrored kind nearly as well.

    It does where left and right mean nothing (solar cells, tissue), and does not where they do (digits).
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(len(pixels))[:MEASURED]
    half = len(rows) // 2
    if half < 10 or len(np.unique(target[rows[:half]])) < 2:
        return False
    step = max(1, pixels.shape[1] // 16)
    learned, tested = pixels[rows[:half]], pixels[rows[half:]]
    known = _kernel_scores(_small(learned, step), target[rows[:half]], _small(tested, step))
    mirrored = _kernel_scores(_small(learned, step), target[rows[:half]], _small(np.flip(tested, axis), step))
    truth = target[rows[half:]]
    chance = float(np.bincount(truth).max() / len(truth))
    right, still = ((scores.argmax(axis=1) == truth).mean() for scores in (known, mirrored))
    return bool(right - still <= LOST * max(right - chance, 0.05))


def _small(pixels: Array, step: int) -> Array:
    """Means of squares of pixels as flat rows, each image with mean 0 and deviation 1."""
    size = pixels.shape[1] // step * step
    cut = pixels[:, :size, :size].astype(np.float32)
    small = cut.reshape(len(cut), size // step, step, size // step, step, -1).mean(axis=(2, 4)).reshape(len(cut), -1)
    small -= small.mean(axis=1, keepdims=True)
    scaled: Array = small / (small.std(axis=1, keepdims=True) + 1.0)
    return scaled


def _kernel_scores(known: Array, target: Array, asked: Array) -> Array:
    """Scores of a ridge regression with a Gaussian kernel on the classes."""
    scale = 1 / (known**2).sum(axis=1).mean()

    def kernel(left: Array) -> Array:
        squares = (left**2).sum(axis=1)[:, None] + (known**2).sum(axis=1)[None] - 2 * left @ known.T
        return np.asarray(np.exp(-scale * np.maximum(squares, 0)), dtype=np.float64)

    wanted = np.eye(int(target.max()) + 1)[target]
    weights = np.linalg.solve(kernel(known) + 0.1 * np.eye(len(known)), wanted)
    scores: Array = kernel(asked) @ weights
    return scores


def mirrored(pixels: Array, names: Sequence[str]) -> list[Array]:
    """The images as they are, and once more for each mirror that is harmless: answers for them are averaged."""
    views = [pixels]
    if "flips" in names:
        views.append(pixels[:, :, ::-1])
    return views
