"""Category columns: every encoding of a column is one lookup table.

A level's code is its row in the table; -2 (the row before the last) stands for a level not seen in training, or seen
there only once, so that models learn what rare means; -1 (the last row) stands for a missing value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from number_columns import centred_target, relevance, sample_rows

Array = npt.NDArray[Any]

UNSEEN, MISSING = -2, -1
MAX_LEVELS = 1_000
MAX_MEANS = 8
"""Classes whose shares target encoding tells, the most frequent ones first."""
SMOOTHING = 10.0
"""Rows' worth of trust in the overall mean."""
PARENTS, PAIRS = 6, 6
FOLDS = 5


class Levels:
    """Text values of some columns, and pairs of columns, as codes."""

    def __init__(self) -> None:
        self.values: list[list[str]] = []
        self.pairs: list[list[int]] = []
        """Positions of the two columns of each pair."""
        self.pair_values: list[list[int]] = []

    def fit(self, columns: list[Array]) -> Levels:
        """Learn the levels of object columns in which missing values are `None`."""
        for column in columns:
            counts = pd.Series(column, dtype=object).value_counts(sort=False)
            repeated = [level for level in sorted(counts.index) if counts[level] > 1 or len(counts) <= 2]
            if len(repeated) > MAX_LEVELS:
                repeated = sorted(sorted(repeated, key=lambda level: -counts[level])[:MAX_LEVELS])
            self.values.append(repeated)
        return self.prepare()

    def prepare(self) -> Levels:
        """Build the dictionaries; needed after the lists were set by hand."""
        self._lookups: list[dict[Any, int]] = [
            {**{level: code for code, level in enumerate(levels)}, None: MISSING} for levels in self.values
        ]
        self._pair_lookups = [{key: code for code, key in enumerate(keys)} for keys in self.pair_values]
        return self

    @property
    def sizes(self) -> list[int]:
        return [len(levels) for levels in (*self.values, *self.pair_values)]

    def transform(self, columns: list[Array], rows: int) -> Array:
        """Codes of shape (rows, columns + pairs)."""
        codes = np.empty((rows, len(self.values) + len(self.pairs)), dtype=np.int64)
        for place, (column, lookup) in enumerate(zip(columns, self._lookups, strict=True)):
            codes[:, place] = _look_up(column, lookup)
        for place, (pair, pair_lookup) in enumerate(zip(self.pairs, self._pair_lookups, strict=True), len(self.values)):
            keys = self._keys(codes, pair)
            codes[:, place] = [pair_lookup.get(key, UNSEEN) for key in keys.tolist()]
        return codes

    def _keys(self, codes: Array, pair: list[int]) -> Array:
        left, right = pair
        return (codes[:, left] + 2) * (len(self.values[right]) + 2) + codes[:, right] + 2

    def fit_pairs(self, columns: list[Array], target: Array, kind: str, seed: int) -> Levels:
        """Keep the pairs of columns that together tell more of the target than either alone."""
        codes = self.transform(columns, len(target))
        rows = sample_rows(len(codes), seed)
        truth = centred_target(target[rows], kind)
        single = [relevance(codes[rows, place] + 2, truth) for place in range(codes.shape[1])]
        usable = [place for place in np.argsort(single)[::-1] if 2 <= len(self.values[place]) <= 200][:PARENTS]
        found: list[tuple[float, int, int]] = []
        for position, left in enumerate(usable):
            for right in usable[position + 1 :]:
                _, joint = np.unique(self._keys(codes, [left, right])[rows], return_inverse=True)
                gain = relevance(joint, truth) - max(single[left], single[right])
                if gain > 0:
                    found.append((-gain, int(left), int(right)))
        for _, left, right in sorted(found)[:PAIRS]:
            keys, counts = np.unique(self._keys(codes, [left, right]), return_counts=True)
            order = np.argsort(-counts, kind="stable")[:MAX_LEVELS]
            self.pairs.append([left, right])
            self.pair_values.append(sorted(keys[order][counts[order] > 1].tolist()))
        return self.prepare()


def _look_up(column: Array, lookup: dict[Any, int]) -> list[int] | Array:
    if len(column) <= 64:
        return [lookup.get(value if value == value else None, UNSEEN) for value in column]
    codes, levels = pd.factorize(column)
    table = np.array([*(lookup.get(level, UNSEEN) for level in levels), MISSING], dtype=np.int64)
    return table[codes]


class Tables:
    """One lookup table a column: level code (trees), one-hot, share of rows, out-of-fold target means, as asked for.

    In `tree` mode the first number of a column is its level code. In `matrix` mode it is one-hot up to `one_hot`
    levels; above, target means are used even if they were not asked for.
    """

    def __init__(
        self, mode: str, kind: str, one_hot: int = 30, frequencies: bool = False, means: bool = False, seed: int = 0
    ) -> None:
        self.mode = mode
        self.kind = kind
        self.one_hot = one_hot
        self.frequencies = frequencies
        self.means = means
        self.seed = seed
        self.tables: list[Array] = []

    def fit_transform(self, codes: Array, sizes: list[int], target: Array, weight: Array | None = None) -> Array:
        """Learn the tables; the target means of a row come from the other folds' rows, so that they do not leak."""
        each = np.ones(len(codes)) if weight is None else weight / weight.mean()
        truth = _means_target(target, self.kind, each)
        parts: list[Array] = []
        for place, size in enumerate(sizes):
            column = codes[:, place]
            plain = self._plain(column, size)
            parts.append(plain[column])
            if self._encodes_target(size):
                parts.append(self._out_of_fold(column, size, truth, each))
                plain = np.concatenate([plain, _level_means(column, size, truth, each)], axis=1)
            self.tables.append(plain)
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(codes), 0))

    def transform(self, codes: Array) -> Array:
        parts = [table[codes[:, place]] for place, table in enumerate(self.tables)]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(codes), 0))

    def native(self) -> list[int]:
        """Which columns of the result are level codes without an order (more than two levels)."""
        starts = np.cumsum([0, *(table.shape[1] for table in self.tables)])
        return [int(start) for start, table in zip(starts, self.tables, strict=False) if len(table) - 2 > 2]

    def _encodes_target(self, size: int) -> bool:
        return (self.means and size > 2) or (self.mode == "matrix" and size > self.one_hot)

    def _plain(self, column: Array, size: int) -> Array:
        """The part of a column's table that needs no target: (levels + 2, width)."""
        if self.mode == "tree":
            table = np.append(np.arange(size, dtype=np.float64), [np.nan, np.nan])[:, None]
            table = table[:, : min(size, 1)]  # no level at all: no column
        elif size > self.one_hot:
            table = np.zeros((size + 2, 0))
        else:
            table = np.eye(size + 2)
            table[UNSEEN, UNSEEN] = 0.0
            seen = np.flatnonzero([*([True] * size), False, (column == MISSING).any()])
            spare = len(seen) <= 2 and not (column == UNSEEN).any()  # one column is constant, of two one is enough
            table = table[:, seen[1:] if spare else seen]
        if self.frequencies:
            counts = np.bincount(column % (size + 2), minlength=size + 2).astype(np.float64)
            table = np.concatenate([table, (counts / max(len(column), 1))[:, None]], axis=1)
        return table

    def _out_of_fold(self, column: Array, size: int, truth: Array, each: Array) -> Array:
        result = np.empty((len(column), truth.shape[1]))
        folds = np.random.default_rng(self.seed).permutation(len(column)) % FOLDS
        for fold in range(FOLDS):
            inside = folds == fold
            means = _level_means(column[~inside], size, truth[~inside], each[~inside])
            result[inside] = means[column[inside]]
        return result


def _means_target(target: Array, kind: str, each: Array) -> Array:
    """Columns whose means are told: the standardised value, or each class (if binary, the second one)."""
    if kind != "classification":
        return np.asarray(((target - np.average(target, weights=each)) / (target.std() or 1.0))[:, None])
    counts = np.bincount(target.astype(np.int64))
    told = [1] if len(counts) == 2 else np.sort(np.argsort(-counts, kind="stable")[:MAX_MEANS]).tolist()
    shares = (target[:, None] == np.array(told)).astype(np.float64)
    return np.asarray(shares - np.average(shares, axis=0, weights=each))


def _level_means(column: Array, size: int, truth: Array, each: Array) -> Array:
    """Mean of the (centred) target of each level, shrunk towards 0 where rows are few: (levels + 2, columns)."""
    places = column % (size + 2)
    counts = np.bincount(places, weights=each, minlength=size + 2) + SMOOTHING
    return np.stack([np.bincount(places, weights=part * each, minlength=size + 2) / counts for part in truth.T], axis=1)
