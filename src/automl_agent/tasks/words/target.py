"""Which column the words ask for: named, described, meant by one of its values, or called what targets are called."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from automl_agent.tasks.family import Peek, PeekColumn
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.columns import numeric, plausible
from automl_agent.tasks.words.cues import asks_for, asks_yes_or_no
from automl_agent.tasks.words.lexicon import AFFIRMATIVE, CALENDAR, CONVENTIONAL, GENERIC, NEGATIVE, UNITS, akin
from automl_agent.tasks.words.mentions import Mention, mentions
from automl_agent.tasks.words.spoken import FUNCTION, PREDICATE, Spoken, goal_words, hidden, spoken_words

ENOUGH = 0.38
"""Strength from which on a match is taken without asking."""

_TIE = 0.005
_STRONG, _APART = 0.6, 0.1
"""A match is certain when it is so strong and so far from the next one: synonyms count, last resorts do not."""


@dataclass(frozen=True)
class Match:
    """A column that may be the target."""

    column: str
    strength: float
    """0 to 1."""
    reason: str
    """One sentence."""


def find_target(words: str, peek: Peek, *, without: Collection[str] = (),
                masked: Iterable[tuple[int, int]] = ()) -> tuple[Match, ...]:  # fmt: skip
    """Columns that the words may ask for, the likeliest first.

    Args:
        words: the request.
        peek: what the data look like.
        without: columns that cannot be meant.
        masked: places in the words that speak of something else (metrics), `(start, end)`.
    """
    found = [*_named(words, peek, tuple(masked)), *_described(words, peek, tuple(masked)), *_by_value(words, peek),
             *_by_convention(words, peek), *_by_shape(words, peek)]  # fmt: skip
    best: dict[str, Match] = {}
    for match in found:
        if match.column in without or match.strength <= 0:
            continue
        if match.column not in best or match.strength > best[match.column].strength:
            best[match.column] = match
    return tuple(sorted(best.values(), key=lambda match: -match.strength))


def decided(matches: tuple[Match, ...]) -> tuple[Match, ...]:
    """The best match alone; several when they are equally good; none when all are too weak."""
    if not matches or matches[0].strength < ENOUGH:
        return ()
    return tuple(match for match in matches if matches[0].strength - match.strength < _TIE)


def certain(matches: tuple[Match, ...]) -> bool:
    """Whether the best match is strong, and no other column is nearly as good."""
    best, *others = matches
    return best.strength >= _STRONG and all(best.strength - other.strength >= _APART for other in others)


# ---------------------------------------------------------------- how well a column fits


def _fit(words: str, column: PeekColumn, rows: int) -> float:
    """How well a column fits as a target that was not pointed at."""
    factor = {"id": 0.4, "constant": 0.3, "empty": 0.0, "text": 0.5, "date": 0.3}.get(column.kind, 1.0)
    shape = asks_for(words)
    if shape == "number" and column.kind in ("category", "boolean"):
        factor *= 0.5
    if shape == "class" and numeric(column, rows):
        factor *= 0.6
    if column.kind == "category" and column.distinct > 2 and asks_yes_or_no(words):
        factor *= 0.75  # "whether a passenger dies" does not ask for the passenger's class
    return factor


# ---------------------------------------------------------------- named


def _named(words: str, peek: Peek, masked: tuple[tuple[int, int], ...]) -> list[Match]:
    found = []
    for place, mention in enumerate(mentions(words, peek)):
        column = peek.column(mention.column)
        if column is None:
            continue
        strength = _naming(mention)
        if not (mention.direct or mention.quoted):
            strength *= _fit(words, column, peek.rows)
            strength += (0.01 if mention.marker.startswith(PREDICATE) else -0.01) * min(place, 5)
            if hidden(mention.start, mention.end, masked):
                strength *= 0.3
        phrase = words[mention.start : mention.end]
        said = f"'{mention.marker} ... {phrase}'" if mention.marker else f"'{phrase}'"
        found.append(Match(mention.column, strength, f"The words name this column: {said}."))
    return found


def _naming(mention: Mention) -> float:
    strength = 0.88 if mention.how == "exact" else 0.86
    strength += 0.1 * mention.direct + 0.02 * mention.quoted
    vague = len(mention.column) == 1 or all(part in GENERIC for part in tx.names(mention.column))
    if vague and not mention.quoted:
        strength *= 0.94 if mention.direct else 0.4
    return strength * {"goal": 1.0, "none": 0.92, "by": 0.4, "feature": 0.3}.get(mention.role, 0.0)


# ---------------------------------------------------------------- described


def _described(words: str, peek: Peek, masked: tuple[tuple[int, int], ...]) -> list[Match]:
    spoken = spoken_words(words, masked)
    return [match for column in peek.columns if (match := _description(words, spoken, column, peek.rows))]


def _description(words: str, spoken: list[Spoken], column: PeekColumn, rows: int) -> Match | None:
    """How well the telling words describe a column's name."""
    wanted = tx.names(column.name)
    telling = [part for part in wanted if part not in GENERIC and part not in UNITS] or list(wanted)
    if column.kind == "empty" or not telling or all(len(part) < 3 for part in telling):
        return None
    best = {part: max(((_alike(word, part), word) for word in spoken), key=_level, default=None) for part in telling}
    hits = [(part, *pair) for part, pair in best.items() if pair and pair[0] > 0]
    if not hits:
        return None
    part, level, word = max(hits, key=lambda hit: hit[1])
    if len(hits) == len(best):
        mean = sum(level for _, level, _ in hits) / len(hits)
        strength = mean * (1.0 if len(telling) == len(wanted) else 0.9) + 0.06 * (len(hits) - 1)
    else:
        strength = level * (0.68 if part == telling[-1] else 0.8 / len(telling))  # "price" is the head of "sale price"
    strength += 0.06 * word.direct
    dated = [part for part in wanted if part in CALENDAR]
    if dated and not any(tx.same(one.text, part) for one in spoken for part in dated):
        strength *= 0.7  # "what will it sell for" does not ask for the year sold
    if word.predicate and column.distinct == 2 and len(hits) == len(best):
        strength += 0.25  # "who cancels their contract" asks for who cancels
    strength = min(strength, 0.97) * _fit(words, column, rows)
    relation = "means much the same as" if level < 0.7 else "is close to"
    return Match(column.name, strength, f"'{word.text}' in the words {relation} '{part}' in the column's name.")


def _level(pair: tuple[float, Spoken]) -> float:
    return pair[0]


def _alike(spoken: Spoken, part: str) -> float:
    """How much a word of the request is like a part of a name, 0 to 1."""
    word = spoken.text
    if not spoken.measure:
        if tx.same(word, part):
            return 0.8 if word not in GENERIC else 0.4
        if tx.kin(word, part):
            return 0.78
        if len(part) >= 3 and len(word) > len(part) + 1 and word.startswith(part) and part not in GENERIC:
            return 0.72
        if tx.misspelt(word, part):
            return 0.74
        if tx.shortened(word, part):
            return 0.72
    return 0.62 if akin(word, part) else 0.0


# ---------------------------------------------------------------- meant by a value


def named_values(words: str, column: PeekColumn) -> tuple[str, ...]:
    """Values of a column that the words name where they speak of the goal."""
    spoken = goal_words(words)
    return tuple(value for value in column.examples if _value_said(value, spoken))


def _value_said(value: str, spoken: tuple[str, ...]) -> bool:
    wanted = tx.names(value)
    if not wanted or tx.low(value) in (*AFFIRMATIVE, *NEGATIVE, "other", "unknown", "na", "nan") or len(value) < 3:
        return False
    if all(part in GENERIC or part in FUNCTION or part.isdigit() for part in wanted):
        return False
    return any(
        all(tx.same(word, part) or tx.kin(word, part) for word, part in zip(spoken[i:], wanted, strict=False))
        for i in range(len(spoken) - len(wanted) + 1)
    )


def _by_value(words: str, peek: Peek) -> list[Match]:
    found = []
    for column in peek.columns:
        if column.kind not in ("category", "boolean") or not 2 <= column.distinct <= 20:
            continue
        said = named_values(words, column)
        fit = _fit(words, column, peek.rows)
        if said:
            values = " and ".join(f"'{value}'" for value in said[:2])
            verb = "is a value" if len(said) == 1 else "are values"
            strength = (0.7 + 0.12 * (len(said) > 1)) * fit
            found.append(Match(column.name, strength, f"{values} in the words {verb} of this column."))
        elif pair := _value_meant(words, column):
            reason = f"'{pair[0]}' in the words means much the same as '{pair[1]}', a value of this column."
            found.append(Match(column.name, 0.5 * fit, reason))
    return found


def _value_meant(words: str, column: PeekColumn) -> tuple[str, str] | None:
    """A word of the request and the value of a two-valued column that means the same: `default` and `bad`."""
    if column.distinct != 2:
        return None
    spoken = [word.text for word in spoken_words(words, ())]
    return next(((word, value) for value in column.examples for word in spoken if akin(word, tx.low(value))), None)


# ---------------------------------------------------------------- last resorts


def _by_convention(words: str, peek: Peek) -> list[Match]:
    names = {tx.low(column.name).strip(): column for column in peek.columns}
    found = []
    for name, column in names.items():
        if column.kind in ("id", "constant", "empty", "text", "date") or (name == "y" and "z" in names):
            continue
        if " ".join(tx.names(name)) in CONVENTIONAL:
            unfit = asks_for(words) == "number" and column.kind in ("category", "boolean")
            reason = "A column of this name is usually the one to predict."
            found.append(Match(column.name, 0.2 if unfit else 0.42, reason))
    return found


def _by_shape(words: str, peek: Peek) -> list[Match]:
    """The last column, when it is the only one of the kind that the words ask for."""
    shape, last = asks_for(words), peek.columns[-1:]
    if shape is None or not last:
        return []
    possible = set(plausible(peek))
    columns = [column for column in peek.columns if column.name in possible]
    fitting = [column for column in columns if numeric(column, peek.rows) == (shape == "number")]
    if fitting != list(last) or (asks_yes_or_no(words) and last[0].distinct != 2):
        return []
    kind = "of few different values" if shape == "class" else "of many different numbers"
    reason = f"The last column is the only one {kind}, which is what '{_phrase(words)}' asks for."
    return [Match(last[0].name, 0.4, reason)]


def _phrase(words: str) -> str:
    return re.sub(r"\s+", " ", words).strip(" .?!")[:60]
