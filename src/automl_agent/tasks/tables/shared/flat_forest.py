"""A fitted scikit-learn forest as plain arrays: small, no pickle, and a row is answered by all trees at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

CHUNK = 1_000_000
"""Pairs of row and tree that are followed at once."""


def flatten(trees: list[Any], classifies: bool) -> dict[str, Array]:
    """Join the trees (`forest.estimators_`) to arrays over all nodes.

    Leaves point to themselves, so that all rows can be moved `depth` times without asking which have arrived.
    """
    starts = np.cumsum([0, *(tree.tree_.node_count for tree in trees)])
    joined: dict[str, list[Array]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
    for start, fitted in zip(starts, trees, strict=False):
        tree = fitted.tree_
        leaf = tree.children_left < 0
        own = np.arange(tree.node_count)
        joined["feature"].append(np.where(leaf, 0, tree.feature).astype(np.int32))
        joined["threshold"].append(_below(np.where(leaf, np.inf, tree.threshold)))
        joined["left"].append((np.where(leaf, own, tree.children_left) + start).astype(np.int32))
        joined["right"].append((np.where(leaf, own, tree.children_right) + start).astype(np.int32))
        value = tree.value[:, 0, :]
        if classifies:
            value = value / value.sum(axis=1, keepdims=True)
        joined["value"].append(np.where(leaf[:, None], value, 0).astype(np.float32))
    arrays = {name: np.concatenate(parts) for name, parts in joined.items()}
    arrays["roots"] = starts[:-1].astype(np.int32)
    arrays["depth"] = np.array(max(tree.tree_.max_depth for tree in trees))
    return arrays


def _below(thresholds: Array) -> Array:
    """The greatest float32 not above each threshold: for float32 inputs `x <= threshold` stays what it was."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def follow(forest: dict[str, Array], matrix: Array) -> Array:
    """Mean over the trees of the value of each row's leaf: (rows, outputs)."""
    rows = matrix.astype(np.float32)
    step = max(1, CHUNK // len(forest["roots"]))
    return np.concatenate([_chunk(forest, rows[start : start + step]) for start in range(0, len(rows), step)])


def _chunk(forest: dict[str, Array], rows: Array) -> Array:
    feature, threshold, left, right = (forest[name] for name in ("feature", "threshold", "left", "right"))
    node = np.broadcast_to(forest["roots"], (len(rows), len(forest["roots"])))
    own = np.arange(len(rows))[:, None]
    for _ in range(int(forest["depth"])):
        node = np.where(rows[own, feature[node]] <= threshold[node], left[node], right[node])
    return np.asarray(forest["value"][node].mean(axis=1, dtype=np.float64))
