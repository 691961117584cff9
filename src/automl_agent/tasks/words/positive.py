"""Which of two classes is the one that is asked about."""

from __future__ import annotations

from typing import NamedTuple

from automl_agent.tasks.family import PeekColumn
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.lexicon import AFFIRMATIVE, EVENTS, NEGATIVE, opposite
from automl_agent.tasks.words.target import named_values


class Positive(NamedTuple):
    """A positive class."""

    value: str
    """As written in the data."""
    reason: str
    """One sentence."""
    sure: bool = True
    """False where it was taken for being rarer only."""


def find_positive(words: str, column: PeekColumn) -> Positive | None:
    """The positive class, and why it was taken; `None` unless the column has two values."""
    if column.distinct != 2 or len(column.examples) < 2:
        return None
    values = column.examples[:2]
    said = named_values(words, column)
    if len(said) == 1:
        return Positive(said[0], f"The words ask for '{said[0]}'.")
    initials = [value for value in values if _initial(words, value, values)]
    if len(initials) == 1:
        return Positive(initials[0], f"'{initials[0]}' is the initial of what the words ask for.")
    yes = _affirmative(values)
    if yes and (against := _against(words, column.name)):
        no = _other(yes, values)
        return Positive(no, f"'{against}' in the words says that it is not so, and that is '{no}'.")
    if yes:
        return Positive(yes, f"'{yes}' says that it is so, '{_other(yes, values)}' that it is not.")
    events = [value for value in values if any(tx.stem(part) in EVENTS for part in tx.names(value))]
    if len(events) == 1 and not _denies(events[0]):
        return Positive(events[0], f"'{events[0]}' is the event, '{_other(events[0], values)}' its absence.")
    return Positive(values[1], f"'{values[1]}' is the rarer class.", sure=False)


def _other(value: str, values: tuple[str, ...]) -> str:
    return values[0] if value == values[1] else values[1]


def _affirmative(values: tuple[str, ...]) -> str | None:
    """The value that says yes, when one says yes and the other no, or when one is the other with a "not"."""
    yes = [value for value in values if tx.low(value).strip() in AFFIRMATIVE]
    no = [value for value in values if tx.low(value).strip() in NEGATIVE]
    if len(yes) == 1 and len(no) == 1:
        return yes[0]
    denied = [value for value in values if _denies(value)]
    return _other(denied[0], values) if len(denied) == 1 else None


def _against(words: str, name: str) -> str | None:
    """A word of the request that denies what the column is called: "who died?" of `Survived`."""
    parts, spoken = tx.names(name), tx.names(words)
    if any(tx.same(word, part) or tx.kin(word, part) for word in spoken for part in parts):
        return None
    return next((word for word in spoken if any(opposite(word, part) for part in parts)), None)


def _denies(value: str) -> bool:
    return tx.low(value).lstrip().startswith(("no ", "not ", "non", "no_", "not_", "un", "never", "without", "no-"))


def _initial(words: str, value: str, values: tuple[str, ...]) -> bool:
    """Whether a one-letter value stands for an event that the words name: `M` for malignant."""
    if any(len(other) != 1 or not other.isalpha() for other in values) or tx.low(value) in (*AFFIRMATIVE, *NEGATIVE):
        return False
    spoken = tx.names(words)
    return any(word.startswith(tx.low(value)) and _event(word) for word in spoken)


def _event(word: str) -> bool:
    return tx.stem(word) in EVENTS or any(tx.kin(word, event) for event in EVENTS)
