"""Text columns: TF-IDF over words and pairs of words, reduced by a truncated SVD; the state is lists and arrays."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_WORD = re.compile(r"\w\w+")
MAX_WORDS = 2_000
"""Words of one text that are read."""
MAX_TERMS = 4_000
COMPONENTS = 40


class Text:
    """One text column as the logarithm of its length and up to 40 components."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.terms: list[str] = []
        self.weights: Array = np.zeros(0)
        """Inverse document frequency of each term."""
        self.components: Array = np.zeros((0, 0))
        """(terms, components)"""

    def fit(self, texts: Array) -> Text:
        from sklearn.decomposition import TruncatedSVD

        documents = Counter(term for text in texts for term in set(_terms(text)))
        rows = len(texts)
        common = [term for term, count in documents.items() if 1 < count <= 0.9 * rows]
        self.terms = sorted(sorted(common, key=lambda term: (-documents[term], term))[:MAX_TERMS])
        counts = np.array([documents[term] for term in self.terms], dtype=np.float64)
        self.weights = np.log((1 + rows) / (1 + counts)) + 1
        self.prepare()
        width = min(COMPONENTS, len(self.terms) - 1, rows - 1)
        if width < 1:
            self.terms, self.weights = [], np.zeros(0)
            return self.prepare()
        reduced = TruncatedSVD(width, random_state=self.seed).fit(self._weighted(texts))
        self.components = np.ascontiguousarray(reduced.components_.T)
        return self

    def prepare(self) -> Text:
        """Build the dictionary; needed after `terms` was set by hand."""
        self._places = {term: place for place, term in enumerate(self.terms)}
        return self

    def transform(self, texts: Array) -> Array:
        """(rows,) of str or None -> (rows, 1 + components) float64."""
        lengths = np.array([[np.log1p(len(text) if isinstance(text, str) else 0)] for text in texts]).reshape(-1, 1)
        if not self.terms:
            return lengths
        return np.concatenate([lengths, self._weighted(texts) @ self.components], axis=1)

    def _weighted(self, texts: Array) -> Any:
        """Sparse rows of TF-IDF, each of length one."""
        from scipy.sparse import csr_matrix

        starts, places, values = [0], [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
        for text in texts:
            found = Counter(place for term in _terms(text) if (place := self._places.get(term)) is not None)
            place = np.fromiter(sorted(found), dtype=np.int64, count=len(found))
            value = (1 + np.log([found[key] for key in place.tolist()])) * self.weights[place]
            places.append(place)
            values.append(value / (np.sqrt((value**2).sum()) or 1.0))
            starts.append(starts[-1] + len(place))
        return csr_matrix((np.concatenate(values), np.concatenate(places), starts), (len(texts), len(self.terms)))


def _terms(text: Any) -> list[str]:
    words = _WORD.findall(text.lower())[:MAX_WORDS] if isinstance(text, str) else []
    return words + [f"{left} {right}" for left, right in pairwise(words)]
