"""Classical features of images: gradients, colours and the picture itself, small. Plain numpy, one row an image.

Histograms of oriented gradients follow Dalal and Triggs (2005): 9 unsigned directions, cells, blocks of 2 x 2 cells
that are normalised and clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from image_pixels import Kept, decoded

Array = npt.NDArray[Any]

DIRECTIONS = 9
BATCH = 256
SMALL = 32
"""Pixels up to which there is no texture to speak of."""
NEIGHBOURS = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))

_features = Kept(300 * 2**20)


def features(images: Sequence[bytes], grey: bool, size: int, cell: int) -> Array:
    """float32 features, shape (images, width).

    Gradients of `size` x `size` pixels in cells; 12 x 12 pixels; in colour, a histogram of 4 x 4 x 4 colours; of more
    than 32 pixels, histograms of brightness and texture. Each part has a norm of about 1 an image.
    """

    def work(some: list[bytes]) -> Array:
        picture = decoded(some, size, grey)
        small = decoded(some, 12, grey).reshape(len(some), -1).astype(np.float32) / 255
        found = [gradients(picture, cell), _scaled(small - small.mean(axis=1, keepdims=True))]
        if not grey:
            found.append(colours(picture))
        if size > SMALL:
            found += [levels(picture), textures(decoded(some, 2 * size, grey))]
        return np.concatenate(found, axis=1)

    return _features.all(images, (grey, size, cell), work, BATCH)


def gradients(picture: Array, cell: int) -> Array:
    """Histograms of oriented gradients of uint8 pixels (images, size, size, channels).

    Of several channels the one with the strongest gradient counts.
    """
    values = np.sqrt(picture.astype(np.float32) / 255)  # evens out the light
    across, down = np.zeros_like(values), np.zeros_like(values)
    across[:, :, 1:-1] = values[:, :, 2:] - values[:, :, :-2]
    down[:, 1:-1] = values[:, 2:] - values[:, :-2]
    strength = np.hypot(across, down)
    strongest = strength.argmax(axis=3)[..., None]
    strength, across, down = (np.take_along_axis(part, strongest, axis=3)[..., 0] for part in (strength, across, down))
    turn = (np.arctan2(down, across) / np.pi % 1.0) * DIRECTIONS
    first = np.floor(turn - 0.5)
    share = turn - 0.5 - first
    rows, size = len(picture), picture.shape[1]
    count = size // cell
    of = np.minimum(np.arange(size) // cell, count - 1)
    place = (np.arange(rows)[:, None, None] * count + of[None, :, None]) * count + of[None, None, :]
    flat = np.zeros(rows * count * count * DIRECTIONS, np.float32)
    for direction, weight in ((first % DIRECTIONS, 1 - share), ((first + 1) % DIRECTIONS, share)):
        index = (place * DIRECTIONS + direction.astype(np.int64)).ravel()
        flat += np.bincount(index, weights=(strength * weight).ravel(), minlength=len(flat)).astype(np.float32)
    cells = flat.reshape(rows, count, count, DIRECTIONS)
    blocks = np.concatenate([cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]], axis=3)
    for _ in range(2):  # normalised, clipped, normalised again
        norm = np.sqrt((blocks**2).sum(axis=3, keepdims=True) + 1e-3)
        blocks = np.minimum(blocks / norm, 0.2)
    return _scaled(blocks.reshape(rows, -1))


def colours(picture: Array) -> Array:
    """Square roots of the shares of 64 colours."""
    rows = len(picture)
    codes = (picture >> 6).astype(np.int64)
    index = codes[..., 0] * 16 + codes[..., 1] * 4 + codes[..., 2] + np.arange(rows)[:, None, None] * 64
    counts = np.bincount(index.ravel(), minlength=rows * 64).reshape(rows, 64)
    return _scaled(np.sqrt(counts / picture[0, ..., 0].size).astype(np.float32))


def levels(picture: Array) -> Array:
    """Square roots of the shares of 16 levels of brightness."""
    rows = len(picture)
    codes = (picture.mean(axis=3).astype(np.int64) >> 4).reshape(rows, -1)
    index = codes + np.arange(rows)[:, None] * 16
    counts = np.bincount(index.ravel(), minlength=rows * 16).reshape(rows, 16)
    return _scaled(np.sqrt(counts / codes.shape[1]).astype(np.float32))


def textures(picture: Array) -> Array:
    """Square roots of the shares of 256 local binary patterns (Ojala et al. 2002): which of a pixel's eight neighbours
    are at least as bright."""
    grey = picture.mean(axis=3).astype(np.int16)
    rows, height, width = grey.shape
    middle = grey[:, 1:-1, 1:-1]
    codes = np.zeros(middle.shape, np.int64)
    for bit, (down, right) in enumerate(NEIGHBOURS):
        beside = grey[:, down : height - 2 + down, right : width - 2 + right]
        codes |= (beside >= middle).astype(np.int64) << bit
    index = codes.reshape(rows, -1) + np.arange(rows)[:, None] * 256
    counts = np.bincount(index.ravel(), minlength=rows * 256).reshape(rows, 256)
    return _scaled(np.sqrt(counts / codes[0].size).astype(np.float32))


def _scaled(part: Array) -> Array:
    """A part with a norm of at most about 1 an image, so that no part drowns the others."""
    norm = np.sqrt((part**2).sum(axis=1, keepdims=True))
    scaled: Array = (part / np.maximum(norm, 0.1)).astype(np.float32)
    return scaled


def principal(matrix: Array, most: int) -> tuple[Array, Array]:
    """Mean of rows (width,) and their first principal components (width, at most `most`)."""
    centre = matrix.mean(axis=0)
    shifted = matrix - centre
    rows, width = matrix.shape
    kept = max(1, min(most, min(rows, width) - 1))
    if rows < width:  # the products of rows are fewer than those of columns, and tell the same
        _, vectors = np.linalg.eigh(shifted @ shifted.T)
        vectors = shifted.T @ vectors[:, ::-1][:, :kept]
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=0), 1e-6)
    else:
        _, vectors = np.linalg.eigh(shifted.T @ shifted)
        vectors = vectors[:, ::-1][:, :kept]
    # The sign of a component is arbitrary: fixed, so that what follows does not depend on it.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    return centre, np.ascontiguousarray(vectors * signs)


def reduced(matrix: Array, centre: Array, components: Array) -> Array:
    """Rows in the principal components. In double precision: the answer to an image must not depend on those beside."""
    found: Array = (matrix.astype(np.float64) - centre) @ components.astype(np.float64)
    return found


def grid(side: int) -> tuple[int, int]:
    """Size and cell for images whose longer side has so many pixels."""
    return (SMALL, 4) if side <= 40 else (64, 8)
