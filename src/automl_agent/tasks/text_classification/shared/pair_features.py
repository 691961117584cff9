"""What two texts have to do with each other: shared words, lengths, the best sentence, closeness of their topics."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from text_terms import WordTerms, words

Array = npt.NDArray[Any]

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+| -- ")
_DENYING = (
    "no not never none nor neither without cannot only unlike however although but except isn't aren't don't doesn't "
    "didn't won't can't nicht kein keine nie ohne pas sans jamais nunca sin ni"
)
_DENIALS = frozenset(_DENYING.split())
NAMES = ("words of the first", "words of the second", "shared share of the first", "weighted share of the first",
         "shared share of all", "weighted share of the second", "shared pairs of words", "best sentence",
         "mean sentence", "place of the best sentence", "sentences", "words of the best sentence",
         "denials in the first", "denials in the second", "denials in the best sentence", "rarest unshared word",
         "unshared words", "same numbers", "closeness")  # fmt: skip
"""What `overlap` measures."""


def overlap(first: list[str], second: list[str], terms: WordTerms) -> Array:
    """How the words of two columns of texts go together: (rows, len(NAMES)) float64.

    Args:
        terms: learned from both columns; their weights say how much a shared word counts.
    """
    rows = [_pair(one, other, terms) for one, other in zip(first, second, strict=True)]
    close = np.asarray(terms.transform(first).multiply(terms.transform(second)).sum(axis=1)).reshape(-1, 1)
    return np.concatenate([np.array(rows, dtype=np.float64).reshape(len(first), len(NAMES) - 1), close], axis=1)


def _pair(one: str, other: str, terms: WordTerms) -> list[float]:
    left, right = words(one), words(other)
    mine, theirs = set(left), set(right)
    shared = mine & theirs

    def weight(found: set[str]) -> float:
        return sum(terms.weight(word) for word in found)

    own = weight(mine) or 1.0
    sentences = [words(part) for part in _SENTENCE.split(other) if part.strip()] or [[]]
    told = [weight(mine & set(sentence)) / own for sentence in sentences]
    best = int(np.argmax(told))
    couples = set(pairwise(left))
    figures = {word for word in mine if word.isdigit()}
    return [
        len(left),
        len(right),
        len(shared) / max(1, len(mine)),
        weight(shared) / own,
        len(shared) / max(1, len(mine | theirs)),
        weight(shared) / (weight(theirs) or 1.0),
        len(couples & set(pairwise(right))) / max(1, len(couples)),
        told[best],
        sum(told) / len(told),
        best / len(sentences),
        len(sentences),
        len(sentences[best]),
        sum(word in _DENIALS for word in left),
        sum(word in _DENIALS for word in right) / max(1, len(right)),
        sum(word in _DENIALS for word in sentences[best]),
        max((terms.weight(word) for word in mine - theirs), default=0.0),
        len(mine - theirs),
        len(figures & theirs) / max(1, len(figures)),
    ]
