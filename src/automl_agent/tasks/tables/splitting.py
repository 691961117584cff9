"""Locks the test and fixes the folds.

The split follows from what the rows hold and a seed, not from where they stand: a shuffled file has the same test rows.
Rows move in units that never cross a border: equal feature rows, or all rows of one group. Within each stratum (class,
or range of the target) units are ordered by their hash and cut at fixed shares; with a time column they are ordered by
time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Hashes = npt.NDArray[np.uint64]

NATURAL = 0.3
"""With fewer different feature rows than this share, repeated rows are the nature of the table and not bound, unless
their targets show that they are copies."""
COPIES = 50
"""Different feature rows from which targets can show that."""
MAX_SHARE = 0.1
"""A feature row that makes up more of the table than this is nature too."""
MANY_CLASSES = 3
BINS = 10


@dataclass(frozen=True)
class Units:
    """Rows bound together."""

    of_row: Ints
    """Number of each row's unit, 0 to count - 1."""
    count: int
    repeated: int
    """Rows whose features are equal to those of an earlier row."""
    bound: bool
    """Whether equal rows were bound."""


def fold_count(rows: int, classes: int = 0) -> int:
    """8 folds under 3,000 rows, 5 above and of many classes, of which boosting fits a tree each.

    Of many rows the search may train some folds only; three would leave out a third of the rows in each.
    """
    return 8 if rows < 3000 and classes <= MANY_CLASSES else 5


def make_units(hashes: Hashes, groups: Ints | None = None, target: npt.NDArray[Any] | None = None) -> Units:
    """Bind equal feature rows, and rows of one group.

    Args:
        hashes: uint64 hash of each row's features, shape (rows,).
        groups: number of each row's group, or `None`.
        target: class code or value of each row, or `None`.
    """
    import numpy as np

    unique, first, same, sizes = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    rows = len(hashes)
    repeated = rows - len(unique)
    few = len(unique) < NATURAL * rows and not (len(unique) >= COPIES and _copied(first[same], target))
    natural = few or bool(sizes.max() > max(MAX_SHARE * rows, 2))
    if groups is None:
        if not repeated or natural:
            return Units(np.arange(rows), rows, repeated, False)
        return Units(same.astype(np.int64), len(unique), repeated, True)
    if repeated and not natural:
        joined, count = _connect(groups, same.astype(np.int64))
        if np.bincount(joined).max() <= max(0.5 * rows, np.bincount(groups).max()):
            return Units(joined, count, repeated, True)
    return Units(groups, int(groups.max()) + 1, repeated, False)


def _copied(first: Ints, target: npt.NDArray[Any] | None) -> bool:
    """Whether rows nearly always have the target of the first row with their features, as copies do and observations
    do not."""
    import numpy as np

    if target is None:
        return False
    differ = int((target != target[first]).sum())
    shares = np.unique(target, return_counts=True)[1] / len(target)
    by_chance = (len(target) - len(np.unique(first))) * (1 - float((shares**2).sum()))
    return by_chance >= 5 and differ <= 0.05 * by_chance


def _connect(first: Ints, second: Ints) -> tuple[Ints, int]:
    """Units of rows that share a value of the first or of the second labelling."""
    import numpy as np
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    shift = int(first.max()) + 1
    size = shift + int(second.max()) + 1
    edges = coo_matrix((np.ones(len(first), bool), (first, second + shift)), shape=(size, size))
    _, parts = connected_components(edges, directed=False)
    unique, of_row = np.unique(parts[first], return_inverse=True)
    return of_row.astype(np.int64), len(unique)


def strata(target: npt.NDArray[np.float64] | Ints, *, classes: bool) -> Ints:
    """The class, or for numbers one of up to ten ranges with about equally many rows (at least 20)."""
    import numpy as np

    if classes:
        return target.astype(np.int64)
    bins = max(1, min(BINS, len(target) // 20))
    edges = np.unique(np.quantile(target, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, target, side="left").astype(np.int64)


def lock_test(units: Units, hashes: Hashes, stratum: Ints, *, share: float, seed: int, classes: bool = False
              ) -> npt.NDArray[np.bool_]:  # fmt: skip
    """Which rows are the test, shape (rows,). No class is in the test only."""
    import numpy as np

    if units.count < 3:
        raise InputError("There are fewer than three groups of rows: too few to lock a test and to validate.")
    flat = np.zeros(len(stratum), np.int64)
    for layer in (stratum, flat):
        middle = _positions(units, hashes, layer, seed)[0]
        test = (middle < share)[units.of_row]
        if 0 < test.sum() <= max(2 * share * len(test), 2):
            break
    else:
        test = units.of_row == units.of_row[np.argmin(np.bincount(units.of_row)[units.of_row])]
    if classes:
        learned = np.unique(stratum[~test])
        stranded = np.isin(stratum, learned, invert=True)
        test &= ~np.isin(units.of_row, units.of_row[stranded])
    return test


def make_folds(units: Units, hashes: Hashes, stratum: Ints, *, folds: int, seed: int) -> npt.NDArray[np.int16]:
    """Number of each row's fold, shape (rows,); about equally large, each with its share of every stratum."""
    import numpy as np

    middle, layer, size = _positions(units, hashes, stratum, seed + 1)
    fold = np.floor(middle * folds).astype(np.int64)
    # Small strata would all fall on the same folds: each starts where the one before ended.
    before = np.concatenate([[0], np.cumsum(size)[:-1]])
    of_unit: npt.NDArray[np.int16] = ((fold + before[layer]) % folds).astype(np.int16)
    return of_unit[units.of_row]


def _positions(units: Units, hashes: Hashes, stratum: Ints, seed: int) -> tuple[npt.NDArray[np.float64], Ints, Ints]:
    """For each unit: where its middle lies in its stratum (0 to 1, in hash order), and its stratum; then strata sizes.

    A unit belongs to the stratum of its first row in hash order.
    """
    import numpy as np

    order = np.lexsort((mix(hashes, 0), units.of_row))
    starts = np.searchsorted(units.of_row[order], np.arange(units.count))
    first = order[starts]
    _, dense = np.unique(stratum[first], return_inverse=True)
    sizes = np.bincount(units.of_row, minlength=units.count)
    by_hash = np.lexsort((first, mix(hashes[first], seed + 1), dense))
    ends = np.cumsum(sizes[by_hash])
    totals = np.bincount(dense, weights=sizes).astype(np.int64)
    offset = np.concatenate([[0], np.cumsum(totals)[:-1]])
    middle = np.empty(units.count)
    middle[by_hash] = (ends - sizes[by_hash] / 2 - offset[dense[by_hash]]) / totals[dense[by_hash]]
    return middle, dense.astype(np.int64), totals


def mix(hashes: Hashes, seed: int) -> Hashes:
    """Scramble hashes with a seed (splitmix64)."""
    import numpy as np

    with np.errstate(over="ignore"):
        x = hashes + np.uint64((0x9E3779B97F4A7C15 * (seed + 1)) % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: Hashes = x ^ (x >> np.uint64(31))
    return mixed


def cut_by_time(times: npt.NDArray[np.float64], groups: Ints | None, parts: list[float]) -> Ints:
    """Cut rows at shares of the time order; rows of one moment and of one group (by its last moment) stay together.

    Args:
        times: a number for each row that grows with time; NaN counts as the oldest.
        groups: number of each row's group, or `None`.
        parts: growing shares between 0 and 1 at which to cut.

    Returns:
        The part of each row, 0 (oldest) to `len(parts)`.
    """
    import numpy as np

    times = np.where(np.isnan(times), -np.inf, times)
    if groups is not None:
        last = np.full(int(groups.max()) + 1, -np.inf)
        np.maximum.at(last, groups, times)
        times = last[groups]
    ordered = np.sort(times)
    # A moment belongs to the part in which its first row falls.
    position = np.searchsorted(ordered, times, side="left") / len(times)
    return np.searchsorted(np.asarray(parts), position, side="right").astype(np.int64)
