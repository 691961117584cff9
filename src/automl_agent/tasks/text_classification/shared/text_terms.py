"""Texts as weighted terms: words and pairs of words with a vocabulary, runs of letters by their hash.

Rows are sparse, sublinear in the count of a term, weighted by its inverse document frequency, and of length one
(Manning, Raghavan & Schuetze 2008, chapter 6).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from plain_state import load_arrays, save_arrays
from scipy.sparse import csr_matrix, vstack

Array = npt.NDArray[Any]

LONGEST = 100_000
"""Characters of one text that are read."""
CHUNK = 500
"""Texts whose letters are counted at once: their runs take about 20 bytes a letter."""
_WORD = re.compile(r"\w+(?:['’]\w+)*|[!?]")


def words(text: str) -> list[str]:
    """The words of a text in lower case; `!` and `?` are words."""
    return _WORD.findall(text[:LONGEST].lower())


class WordTerms:
    """Words and pairs of neighbouring words that at least `fewest` texts have.

    Args:
        pairs: whether pairs are terms, too.
        most: terms kept at most; those of most texts stay.
    """

    def __init__(self, pairs: bool = True, fewest: int = 2, most: int = 300_000, sublinear: bool = True) -> None:
        self.pairs = pairs
        self.fewest = fewest
        self.most = most
        self.sublinear = sublinear
        self.words: list[str] = []
        """Single words, in the order of the columns."""
        self.couples: Array = np.zeros(0, dtype=np.int64)
        """Pairs as `first * len(words) + second`, ascending; their columns follow those of the words."""
        self.weights: Array = np.zeros(0)
        """Inverse document frequency of each column."""

    @property
    def names(self) -> list[str]:
        """The terms in the order of the columns."""
        size = max(1, len(self.words))
        return self.words + [f"{self.words[code // size]} {self.words[code % size]}" for code in self.couples.tolist()]

    def fit_transform(self, texts: Sequence[str]) -> csr_matrix:
        """(rows,) texts -> (rows, terms) float32; the vocabulary is learned."""
        places: dict[str, int] = {}
        codes, starts = _coded(texts, places, grow=True)
        rows = len(texts)
        found = _documents(codes, starts, len(places))
        kept = np.flatnonzero(found >= self.fewest)
        kept = kept[np.argsort(-found[kept], kind="stable")[: self.most]]
        names = list(places)
        self.words = sorted(names[place] for place in kept.tolist())
        self.prepare()
        moved = np.full(len(names) + 1, -1, dtype=np.int64)
        moved[[places[word] for word in self.words]] = np.arange(len(self.words))
        codes = moved[codes]
        if self.pairs:
            self.couples = self._learned(codes, starts)
        counts = self._counts(codes, starts)
        documents = np.bincount(counts.indices, minlength=counts.shape[1])
        self.weights = (np.log((1 + rows) / (1 + documents)) + 1).astype(np.float32)
        self._rarest = float(self.weights.max(initial=1.0))
        return self._weighted(counts)

    def prepare(self) -> WordTerms:
        """Build the dictionary; needed after `words` and `weights` were set by hand."""
        self._places = {word: place for place, word in enumerate(self.words)}
        self._rarest = float(self.weights.max(initial=1.0))
        return self

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """(rows,) texts -> (rows, terms) float32."""
        return self._weighted(self.count(texts))

    def weight(self, word: str) -> float:
        """How rare a word is; an unknown one is as rare as the rarest."""
        place = self._places.get(word)
        return self._rarest if place is None else float(self.weights[place])

    def count(self, texts: Sequence[str]) -> csr_matrix:
        """How often each text has each term."""
        return self._counts(*_coded(texts, self._places, grow=False))

    def save(self, folder: Path, name: str) -> None:
        """Write `NAME.json` with the words and `NAME.npz`."""
        (folder / f"{name}.json").write_text(json.dumps(self.words, ensure_ascii=False), encoding="utf-8")
        save_arrays(folder / f"{name}.npz", {"couples": self.couples, "weights": self.weights})

    def load(self, folder: Path, name: str) -> WordTerms:
        arrays = load_arrays(folder / f"{name}.npz")
        self.words = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        self.couples, self.weights = arrays["couples"], arrays["weights"]
        return self.prepare()

    def _learned(self, codes: Array, starts: Array) -> Array:
        """The pairs to keep, ascending."""
        couples, rows = self._couples(codes, starts)
        order = np.lexsort((rows, couples))
        couples, rows = couples[order], rows[order]
        first = np.concatenate([[True], (couples[1:] != couples[:-1]) | (rows[1:] != rows[:-1])])[: len(couples)]
        unique, found = np.unique(couples[first], return_counts=True)
        kept = np.flatnonzero(found >= self.fewest)
        kept = kept[np.argsort(-found[kept], kind="stable")[: max(0, self.most - len(self.words))]]
        return np.asarray(np.sort(unique[kept]))

    def _couples(self, codes: Array, starts: Array) -> tuple[Array, Array]:
        """Neighbouring known words of one text as codes, and the row of each."""
        rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        joined = (codes[1:] >= 0) & (codes[:-1] >= 0) & (rows[1:] == rows[:-1])
        return (codes[:-1] * len(self.words) + codes[1:])[joined], rows[1:][joined]

    def _counts(self, codes: Array, starts: Array) -> csr_matrix:
        rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        known = codes >= 0
        columns, rows_of = [codes[known]], [rows[known]]
        if len(self.couples):
            couples, where = self._couples(codes, starts)
            place = np.minimum(np.searchsorted(self.couples, couples), len(self.couples) - 1)
            hit = self.couples[place] == couples
            columns.append(len(self.words) + place[hit])
            rows_of.append(where[hit])
        column, row = np.concatenate(columns), np.concatenate(rows_of)
        shape = (len(starts) - 1, len(self.words) + len(self.couples))
        counts = csr_matrix((np.ones(len(column), dtype=np.float32), (row, column)), shape)
        counts.sum_duplicates()
        return counts

    def _weighted(self, counts: csr_matrix) -> csr_matrix:
        return weighted(counts, self.weights, sublinear=self.sublinear)


def _coded(texts: Iterable[str], places: dict[str, int], *, grow: bool) -> tuple[Array, Array]:
    """Words of all texts as numbers (-1: unknown), and where each text starts; `grow` gives new words a number."""
    parts, starts = [], [0]
    for text in texts:
        found = words(text)
        if grow:
            part = [places.setdefault(word, len(places)) for word in found]
        else:
            part = [places.get(word, -1) for word in found]
        parts.append(np.array(part, dtype=np.int64))
        starts.append(starts[-1] + len(part))
    codes = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    return codes, np.array(starts)


def _documents(codes: Array, starts: Array, size: int) -> Array:
    """Number of texts that have each word."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    unique = np.unique(rows * max(size, 1) + codes)
    return np.bincount(unique % max(size, 1), minlength=size)


class LetterTerms:
    """Runs of letters, by their hash; a blank stands at both ends of every word, so that beginnings and ends count.

    Args:
        shortest, longest: letters in a run.
        bits: there are 2 to this power columns; runs that meet in one column are counted together.
    """

    def __init__(self, shortest: int = 3, longest: int = 5, bits: int = 18, sublinear: bool = True) -> None:
        self.shortest = shortest
        self.longest = longest
        self.bits = bits
        self.sublinear = sublinear
        self.weights: Array = np.zeros(0)

    def fit_transform(self, texts: Sequence[str]) -> csr_matrix:
        counts = self.count(texts)
        found = np.bincount(counts.indices, minlength=counts.shape[1])
        weights = np.log((1 + len(texts)) / (1 + found)) + 1
        weights[found < 2] = 0.0  # what one text alone has says nothing of others
        self.weights = weights.astype(np.float32)
        return self._weighted(counts)

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        return self._weighted(self.count(texts))

    def count(self, texts: Sequence[str]) -> csr_matrix:
        """How often each text has each run, (rows, 2 ** bits) float32."""
        parts = [self._part(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
        empty = csr_matrix((0, 2**self.bits), dtype=np.float32)
        return vstack([empty, *parts], format="csr", dtype=np.float32)

    def save(self, folder: Path, name: str) -> None:
        """Write `NAME.npz`."""
        save_arrays(folder / f"{name}.npz", {"weights": self.weights})

    def load(self, folder: Path, name: str) -> LetterTerms:
        self.weights = load_arrays(folder / f"{name}.npz")["weights"]
        return self

    def _part(self, texts: Sequence[str]) -> csr_matrix:
        columns, starts = [np.zeros(0, dtype=np.int64)], [0]
        for text in texts:
            letters = np.frombuffer(f" {' '.join(words(text))} ".encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
            blank = letters == 32
            size = 0
            run = np.zeros(len(letters), dtype=np.uint64)
            inner = np.zeros(len(letters), dtype=bool)
            for length in range(1, self.longest + 1):
                width = len(letters) - length + 1
                if width <= 0:
                    break
                run = run[:width] * np.uint64(0x9E3779B97F4A7C15) + letters[length - 1 :] + np.uint64(1)
                if length > 1:  # a blank inside a run would join two words
                    inner = inner[:width] | (blank[length - 2 : length - 2 + width] if length > 2 else False)
                if length >= self.shortest:
                    mixed = (run ^ (run >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
                    found = (mixed >> np.uint64(64 - self.bits)).astype(np.int64)[~inner[:width]]
                    columns.append(found)
                    size += len(found)
            starts.append(starts[-1] + size)
        column = np.concatenate(columns)
        data = np.ones(len(column), dtype=np.float32)
        counts = csr_matrix((data, column, np.array(starts)), (len(texts), 2**self.bits))
        counts.sum_duplicates()
        return counts

    def _weighted(self, counts: csr_matrix) -> csr_matrix:
        return weighted(counts, self.weights, sublinear=self.sublinear)


def weighted(counts: csr_matrix, weights: Array, *, sublinear: bool = True) -> csr_matrix:
    """Counts as weights, each row of length one."""
    data = 1 + np.log(counts.data) if sublinear else counts.data
    data = (data * weights[counts.indices]).astype(np.float32)
    result = csr_matrix((data, counts.indices, counts.indptr), counts.shape)
    lengths = np.sqrt(np.asarray(result.multiply(result).sum(axis=1)).ravel())
    lengths[lengths == 0] = 1.0
    result.data /= np.repeat(lengths, np.diff(result.indptr)).astype(np.float32)
    return result
