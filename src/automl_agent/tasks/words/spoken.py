"""The telling words of a request, and what they speak of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.mentions import markers, role_at

_FUNCTION_WORDS = (
    "the and for are was were will would can could should must may might from with that this these those they them"
    " their our your his her its who whom which what when where how why whether than then there here not but all any"
    " each every some more most less least about into over under between because please want need make build train"
    " get give show using used use based given best good better new next last first data does did has have had been"
    " being much many very just only also like likely going model models predict prediction predictions machine"
    " learning"
)
FUNCTION = frozenset(_FUNCTION_WORDS.split())
PREDICATE = ("whether", "if", "who", "which", "will", "whom", "ob", "wer", "qui", "quien")
"""After these the verb at the end is meant, after others the noun that comes first."""
_PRICED = re.compile(r"\b(?:sells?|sold|goes|go|going) for\b|\bfetch(?:es)?\b")
"""Asks for a price without a word for it: "what will it sell for"."""
_ARTICLES = (
    "a",
    "an",
    "the",
    "my",
    "our",
    "this",
    "each",
    "any",
    "der",
    "die",
    "das",
    "ein",
    "eine",
    "le",
    "la",
    "un",
    "une",
)


@dataclass(frozen=True)
class Spoken:
    """A word of the request that may describe a column."""

    text: str
    direct: bool
    predicate: bool = False
    """Whether it stands right behind "who", "whether", ..."""
    measure: bool = False
    """Part of a question such as "how old": only its meaning counts."""


def hidden(start: int, end: int, masked: tuple[tuple[int, int], ...]) -> bool:
    return any(start < stop and begin < end for begin, stop in masked)


@lru_cache(maxsize=64)
def goal_words(words: str) -> tuple[str, ...]:
    """All words of the request but those that speak of features, groups, order and what to leave out."""
    flat = tx.without_files(tx.plain(words))
    return tuple(part.text for part in tx.parts(flat) if role_at(words, part.start, part.end)[0] in ("goal", "none"))


@lru_cache(maxsize=64)
def spoken_words(words: str, masked: tuple[tuple[int, int], ...]) -> list[Spoken]:
    """The telling words of the request that speak of the goal."""
    flat = tx.without_files(tx.plain(words))
    found = [Spoken("price", direct=False, measure=True)] if _PRICED.search(tx.low(flat)) else []
    inside = [(marker.start, marker.end, marker.text) for marker in markers(words)]
    articles = {part.end for part in tx.parts(flat) if part.text in _ARTICLES}
    for part in tx.parts(flat):
        if len(part.text) < 3 or part.text in FUNCTION or hidden(part.start, part.end, masked):
            continue
        marker = next((text for start, end, text in inside if start <= part.start < end), None)
        if marker is not None:
            if marker.startswith("how "):
                found.append(Spoken(part.text, direct=False, measure=True))
            continue
        role, said, direct = role_at(words, part.start, part.end)
        if role in ("goal", "none"):
            found.append(
                Spoken(
                    part.text,
                    direct,
                    predicate=direct and said.startswith(PREDICATE) and part.start - 1 not in articles,
                )
            )
    return found
