"""Words as they are compared: without accents and case, cut into parts, reduced to stems.

Everything here keeps positions: what is found in the plain form of a text stands at the same place in the text.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[\u3040-\u9fff]|[^\W\d_]+")
_FILE = re.compile(
    r"(?<!\S)\S+\.(?:csv|tsv|xlsx?|parquet|jsonl?|ndjson|gz|zip|txt|feather)\b|(?<!\w)\w+://\S+", re.IGNORECASE
)

_SPELLING = tuple((re.compile(british), american) for british, american in (
    ("our", "or"), ("[ao]e", "e"), ("ll", "l"), ("ogue", "og"), ("amm(?=es?$)", "am"), ("tre(?=s?$)", "ter"),
    ("([iy])s(?=(e|ed|es|er|ers|ing|ation|ations)$)", r"\1z"),
))  # fmt: skip
"""British to American. Both sides of a comparison go through it, so a needless change does no harm."""

_IRREGULAR = {"left": "leave", "leaving": "leave", "leaves": "leave", "bought": "buy", "paid": "pay", "sold": "sell",
              "died": "die", "dies": "die", "dying": "die", "children": "child",
              "people": "person", "men": "man", "women": "woman",
              "quitting": "quit", "spent": "spend", "taken": "take", "took": "take"}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A piece of a text: `Total` and `Charges` of `TotalCharges`."""

    text: str
    """Lower case."""
    start: int
    end: int
    first: bool
    """Whether a word begins here; `Charges` does not begin one."""
    last: bool
    """Whether a word ends here."""


def composed(text: str) -> str:
    """The text in the form that positions refer to: an accent is part of its letter."""
    return unicodedata.normalize("NFC", text)


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """The text without accents, as long as its NFC form: `é` to `e`, `²` to `2`, every white space to a blank."""
    return "".join(_plain(char) for char in composed(text))


def _plain(char: str) -> str:
    if char.isascii():
        return " " if char.isspace() else char
    if char in "‘’`´":
        return "'"
    base = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    if not base.strip():
        return " "
    return base if len(base) == 1 else char


@lru_cache(maxsize=4096)
def low(text: str) -> str:
    """The plain text in lower case, of equal length."""
    return "".join(lower if len(lower := char.lower()) == 1 else char for char in plain(text))


@lru_cache(maxsize=4096)
def without_files(text: str) -> str:
    """The text with file names and links blanked out: `churn.csv` names a file, not a column."""
    return _FILE.sub(lambda match: " " * len(match.group()), text)


@lru_cache(maxsize=4096)
def parts(text: str) -> tuple[Part, ...]:
    """The text cut at blanks, signs, underscores, capitals and digits."""
    flat = plain(text)
    return tuple(
        Part(
            low(match.group()),
            match.start(),
            match.end(),
            first=not _joined(flat, match.start()),
            last=not _joined(flat, match.end()),
        )
        for match in _PART.finditer(flat)
    )


def _joined(text: str, place: int) -> bool:
    """Whether the characters on both sides of a place belong to one word."""
    if place == 0 or place == len(text):
        return False
    return all(_spelt(char) for char in text[place - 1 : place + 1])


def _spelt(char: str) -> bool:
    """Whether a character belongs to words that are set apart by blanks (Chinese and Japanese are not)."""
    return (char.isalnum() or char == "_") and not "\u3040" <= char <= "\u9fff"


def names(text: str) -> tuple[str, ...]:
    """The parts of a name as plain lower-case words."""
    return tuple(part.text for part in parts(text))


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without the endings of number, tense and spelling: `prices` and `pricing` both become `pric`."""
    word = _IRREGULAR.get(word, word)
    if len(word) <= 3 or not word.isalpha():
        return word
    for british, american in _SPELLING:
        word = british.sub(american, word)
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("sses", "xes", "ches", "shes", "oes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "sz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


@lru_cache(maxsize=65536)
def same(one: str, other: str) -> bool:
    """Whether two words are forms of one word."""
    return one == other or stem(one) == stem(other)


@lru_cache(maxsize=65536)
def kin(one: str, other: str) -> bool:
    """Whether two words are derived from one: `malignancy` and `malignant`, `survival` and `survived`."""
    short, long = sorted((stem(one), stem(other)), key=len)
    if len(short) < 5 or not (short.isalpha() and long.isalpha()):
        return False
    shared = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return shared == len(short) or (shared >= 5 and shared >= 0.7 * len(long)) or shared >= max(6, len(short) - 1)


@lru_cache(maxsize=65536)
def misspelt(one: str, other: str) -> bool:
    """Whether two words differ by a slip of the pen: two letters changed places, or one of six or more is wrong."""
    if len(one) == len(other) >= 4 and one != other and sorted(one) == sorted(other):
        places = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        return len(places) == 2 and places[1] == places[0] + 1
    if min(len(one), len(other)) < 6 or one[0] != other[0] or abs(len(one) - len(other)) > 2:
        return False
    from difflib import SequenceMatcher

    return SequenceMatcher(None, one, other).ratio() >= 0.84


_VOWELS = re.compile(r"[aeiou]")


@lru_cache(maxsize=65536)
def shortened(word: str, part: str) -> bool:
    """Whether a part of a name is a word without its vowels and some more letters: `hwy` for `highway`."""
    if not 3 <= len(part) < len(word) or _VOWELS.search(part) or not part.isalpha() or word[0] != part[0]:
        return False
    consonants = iter(_VOWELS.sub("", word))
    return all(letter in consonants for letter in part) and part[-1] == _VOWELS.sub("", word)[-1]


def nearest(name: str, choices: list[str] | tuple[str, ...], count: int = 3) -> list[str]:
    """The choices that look most like a name, best first; spelling, case and signs forgiven."""
    from difflib import get_close_matches

    keys: dict[str, list[str]] = {}
    for choice in choices:
        keys.setdefault(" ".join(names(choice)), []).append(choice)
    found = get_close_matches(" ".join(names(name)), list(keys), n=count, cutoff=0.5)
    return [choice for key in found for choice in keys[key]][:count]


@lru_cache(maxsize=256)
def _ends(text: str) -> tuple[int, ...]:
    """Where sentences end. A point between digits ends none."""
    return tuple(match.start() for match in re.finditer(r"[.!?;\n](?=\s|$)", text))


def sentence(text: str, place: int) -> tuple[int, int]:
    """Start and end of the sentence around a place."""
    ends = _ends(text)
    after = bisect_left(ends, place)
    return (ends[after - 1] + 1 if after else 0), (ends[after] if after < len(ends) else len(text))
