"""From a text to terms: light stemming, and a table of what practitioners call the same thing.

A user writes "hardly any fraud cases", a note says "imbalanced": both get the term `=imbalance`. The table is the cheap
stand-in for the sense that dense embeddings have of words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_WORD = re.compile(r"[a-z]+|\d+")
_QUANTITY = re.compile(r"(\d[\d,.]*)\s+([a-z]+)(?:\s+([a-z]+))?")
_SIZES: tuple[tuple[frozenset[str], float, float, str], ...] = (
    (frozenset({"row", "line", "sampl", "patient", "peopl", "person", "record", "case"}), 0, 3000, "=small"),
    (frozenset({"row", "line", "sampl", "record", "transaction"}), 100_000, math.inf, "=large"),
    (frozenset({"column", "featur", "gene", "variabl"}), 200, math.inf, "=wide"),
    (frozenset({"level", "distinct", "different", "category", "code"}), 30, math.inf, "=cardinality"),
    (frozenset({"second", "minut"}), 0, math.inf, "=budget"),
)
"""Units (stems), smallest and largest number, and the concept that such a quantity stands for."""
_ENDINGS = {"ies": "y", "sses": "ss", "ingly": "", "edly": "", "ally": "al", "ly": "", "ing": "", "ed": "", "s": ""}
_TABLE = Path(__file__).with_name("synonyms.txt")


def terms(text: str) -> Iterator[str]:
    """Terms of a text, with repetition: stems (`row`), concepts (`=imbalance`) and letter four-grams (`#clas`)."""
    yield from _quantities(text.lower())
    words = _WORD.findall(text.lower())
    phrases = _phrases()
    stems = [stem(word) for word in words]
    for start in range(len(stems)):
        for length in range(1, 5):
            yield from phrases.get(tuple(stems[start : start + length]) if start + length <= len(stems) else (), ())
    for word, root in zip(words, stems, strict=True):
        if word in _stop() or len(word) < 2:
            continue
        yield root
        if len(word) >= 5 and word.isalpha():
            padded = f"{word}_"
            yield from (f"#{padded[start : start + 4]}" for start in range(len(padded) - 3))


def _quantities(text: str) -> Iterator[str]:
    """Concepts behind numbers with a unit: `300 patients` is small data, `40,000 different entries` many levels."""
    for digits, *following in _QUANTITY.findall(text):
        number = float(digits.replace(",", "").split(".")[0])
        nearby = {stem(word) for word in following}
        yield from (concept for units, low, high, concept in _SIZES if units & nearby and low <= number <= high)
    if re.search(r"\b(seconds|minutes)\b", text):
        yield "=budget"


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its commonest endings: `columns` and `column`, `scaling` and `scale` become one."""
    for ending, rest in _ENDINGS.items():
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
            word = word[: len(word) - len(ending)] + rest
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiosl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


@lru_cache(maxsize=1)
def synonyms() -> dict[str, str]:
    """Concept -> what people write for it, comma-separated; and under `stop` the words to skip, separated by blanks."""
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line and not line.startswith("#"))
    return {concept.strip(): names.strip() for concept, names in pairs}


@lru_cache(maxsize=1)
def _stop() -> frozenset[str]:
    return frozenset(synonyms()["stop"].split())


@lru_cache(maxsize=1)
def _phrases() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Stems of a phrase -> the concepts that it stands for."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for concept, names in synonyms().items():
        for name in names.split(",") if concept != "stop" else ():
            key = tuple(stem(word) for word in _WORD.findall(name.lower()))
            if f"={concept}" not in found.get(key, ()):
                found[key] = (*found.get(key, ()), f"={concept}")
    return found
