"""Images as arrays of pixels. What was decoded is kept for the process: folds and trials see the same images again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import image_io
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FEW = 64
"""So few images are a request: what a server works out for them is not kept."""
LOOKED_AT = 300
COLOURLESS = 12
"""Largest difference of the channels up to which a pixel counts as grey: JPEG does not keep them equal."""


class Kept:
    """Arrays that were worked out from images, by the images' content; the oldest go when there are too many.

    Args:
        most: bytes to hold at most.
    """

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0
        self.arrays: OrderedDict[tuple[Any, ...], Array] = OrderedDict()

    def all(self, images: Sequence[bytes], what: tuple[Any, ...], work: Callable[[list[bytes]], Array], batch: int
            ) -> Array:  # fmt: skip
        """One row an image: the kept ones, and for the others what `work` makes of up to `batch` of them.

        Args:
            what: tells apart what is worked out from the same image.
        """
        keys = [(blake2b(content, digest_size=16).digest(), *what) for content in images]
        known = {key: self.arrays[key] for key in keys if key in self.arrays}
        new = list({key: content for key, content in zip(keys, images, strict=True) if key not in known}.items())
        for start in range(0, len(new), batch):
            some = new[start : start + batch]
            rows = work([content for _, content in some])
            known |= {key: row for (key, _), row in zip(some, rows, strict=True)}
        if len(images) > FEW:
            for key, _ in new:
                self._keep(key, known[key])
        return np.stack([known[key] for key in keys])

    def _keep(self, key: tuple[Any, ...], row: Array) -> None:
        self.arrays[key] = row.copy()  # a view would hold the whole batch
        self.held += row.nbytes
        while self.held > self.most:
            self.held -= self.arrays.popitem(last=False)[1].nbytes


_pixels = Kept(300 * 2**20)


def decoded(images: Sequence[bytes], size: int, grey: bool) -> Array:
    """uint8 pixels of shape (images, size, size, 1 or 3); white where an image cannot be decoded."""
    blank = np.full((size, size, 1 if grey else 3), 255, np.uint8)

    def work(some: list[bytes]) -> Array:
        found = [image_io.pixels(content, size, grey) for content in some]
        return np.stack([blank if one is None else one for one in found])

    return _pixels.all(images, (size, grey), work, 256)


def are_grey(images: Sequence[bytes]) -> bool:
    """Whether the images have no colour, by an even sample of them."""
    sample = images[:: max(1, len(images) // LOOKED_AT)]
    thumbnails = decoded(sample, 16, grey=False).astype(np.int16)
    spread = thumbnails.max(axis=3) - thumbnails.min(axis=3)
    return bool((spread > COLOURLESS).mean() < 0.001)


def usual_side(images: Sequence[bytes]) -> int:
    """Median of the longer sides, in pixels, by an even sample of the images."""
    sides = []
    for content in images[:: max(1, len(images) // LOOKED_AT)]:
        try:
            with image_io.opened(content) as image:
                sides.append(max(image.size))
        except Exception:  # Pillow raises a dozen kinds for broken files
            continue
    return int(np.median(sides)) if sides else 1
