"""Texts as vectors: hashed terms weighted by how rare they are, alone or side by side with an embedding of meaning.

`Embedding` is the seam: anything with `embed_documents` and `embed_query`, so every LangChain embeddings object. An
attribute `name` tells versions apart; other names mean other vectors.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from zlib import crc32

from automl_agent.execution.home import write_durably
from automl_agent.knowledge.words import synonyms, terms


class Embedding(Protocol):
    """The two methods of LangChain's `Embeddings`."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...

    def embed_query(self, text: str) -> list[float]: ...


IDENTIFYING = ("model", "model_name", "model_id", "dimensions", "size")
"""Attributes by which LangChain's embeddings of one class differ in the vectors that they make."""


def embedding_name(embedding: Embedding) -> str:
    """Name under which vectors of this embedding are kept: its own `name`, or its class and what tells its kind."""
    own = getattr(embedding, "name", None)
    if isinstance(own, str):
        return own
    told = (getattr(embedding, attribute, None) for attribute in IDENTIFYING)
    return "-".join([type(embedding).__name__, *(str(value) for value in told if isinstance(value, str | int))])


def slug(name: str) -> str:
    """The name as Chroma allows it in a collection's name."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")[:200]


class HashedWords:
    """Hashed stems, concepts and letter four-grams, sublinear in their count, weighted by rarity, of length one.

    The weights are learned once (`learn`) and stay the same until they are learned anew, so that notes can come and go
    without touching the vectors of the others. Terms without a learned weight count as the rarest.
    """

    version = "1"
    kind = "hashed-words"

    def __init__(self, weights: Mapping[str, float], dimensions: int = 8192) -> None:
        """`weights` maps a term to its inverse document frequency."""
        self.weights = dict(weights)
        self.dimensions = dimensions
        content = json.dumps([self.version, synonyms(), sorted(self.weights.items()), dimensions])
        self.fingerprint = hashlib.sha256(content.encode()).hexdigest()[:12]
        self._rarest = max(self.weights.values(), default=1.0)
        self.heard: set[str] = set()
        """Terms without a weight that a query may use, since notes have them."""
        self.hears_all = False
        """Whether a query may use every term: notes that are not known here are searched, too."""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.version}-{self.dimensions}-{self.fingerprint}"

    @classmethod
    def learn(cls, texts: Sequence[str], dimensions: int = 8192) -> HashedWords:
        """Learn from these texts how much a term says."""
        seen: Counter[str] = Counter()
        for text in texts:
            seen.update(set(terms(text)))
        count = len(texts)
        weights = {term: round(math.log((1 + count) / (1 + found)) + 0.2, 4) for term, found in seen.items()}
        return cls(weights, dimensions)

    @classmethod
    def load(cls, path: Path) -> HashedWords:
        """Read what `save` wrote.

        Raises:
            OSError, ValueError, KeyError: when the file is missing or not such a file.
        """
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != cls.version:
            raise ValueError(f"written by version {data['version']}")
        return cls({str(term): float(weight) for term, weight in data["weights"].items()}, int(data["dimensions"]))

    def save(self, path: Path) -> None:
        """Write the weights; a reader sees the old file or the new one, never half of it."""
        data = {"version": self.version, "dimensions": self.dimensions, "weights": self.weights}
        write_durably(path, json.dumps(data))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._vector(terms(text)) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Terms that no note has are left out: they could only collide."""
        found = terms(text)
        if self.hears_all:
            return self._vector(found)
        return self._vector(term for term in found if term in self.weights or term in self.heard)

    def _vector(self, found: Iterable[str]) -> list[float]:
        vector = [0.0] * self.dimensions
        for term, count in Counter(found).items():
            weight = self.weights.get(term, self._rarest) * _kind_weight(term) * (1.0 + math.log(count))
            code = crc32(term.encode())
            vector[code % self.dimensions] += weight if code & 0x8000_0000 else -weight
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / length for value in vector]


def _kind_weight(term: str) -> float:
    """Concepts count more than words, letters less: they only help where a word was bent or misspelt."""
    return {"=": 1.9, "#": 0.15}.get(term[0], 1.0)


class Fused:
    """Two embeddings side by side: the cosine of two fused vectors is the weighted mean of both cosines.

    So that one collection, one search and one measure of likeness serve both.
    """

    def __init__(self, dense: Embedding, words: HashedWords, weight: float) -> None:
        """`weight`, between 0 and 1, is that of `dense`."""
        self._parts = ((dense, math.sqrt(weight)), (words, math.sqrt(1 - weight)))
        self.kind = f"{embedding_name(dense)}+{words.kind}"
        self.name = f"{embedding_name(dense)}+{words.name}-{weight:g}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        found = [[scaled(vector, factor) for vector in part.embed_documents(texts)] for part, factor in self._parts]
        return [[*one, *other] for one, other in zip(*found, strict=True)]

    def embed_query(self, text: str) -> list[float]:
        return [value for part, factor in self._parts for value in scaled(part.embed_query(text), factor)]


def scaled(vector: Sequence[float], length: float = 1.0) -> list[float]:
    """The vector with this length; one of zeros stays as it is."""
    factor = length / (math.sqrt(sum(value * value for value in vector)) or 1.0)
    return [float(value) * factor for value in vector]
