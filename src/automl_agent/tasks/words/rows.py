"""How many rows of a table a request wants to be used: "train on a sample of 50,000 rows", "use at most 100k rows"."""

from __future__ import annotations

import re

FEWEST = 100
"""Fewer rows than that are hardly meant."""
_SIZES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mio": 1e6, "million": 1e6}
_WISH = re.compile(
    r"\b(?:us(?:e|ing)|sampl(?:e|ing)|draw(?:ing)?|tak(?:e|ing)|train(?:ing)? (?:it )?(?:on|with)|learn(?:ing)? from"
    r"|work(?:ing)? (?:on|with))"
    r"(?: only| just| at most| up to| no more than| a maximum of| about| an?(?: random)? (?:sample|subset) of)*"
    rf" (?P<number>\d[\d,]*(?:\.\d+)?) ?(?P<size>{'|'.join(_SIZES)})?(?: (?:random|randomly drawn))? (?:rows|records)\b"
    r"(?! (?:per|each|every|for each|a day)\b)",
    re.IGNORECASE,
)


def wished_rows(words: str) -> int | None:
    """The number of rows that the words want to be used at most; `None` where they name none."""
    match = _WISH.search(" ".join(words.split()))
    if match is None:
        return None
    count = int(float(match["number"].replace(",", "")) * _SIZES.get((match["size"] or "").lower(), 1.0))
    return count if count >= FEWEST else None
