"""Which metric the words name, under any of its usual names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from automl_agent.errors import InputError
from automl_agent.tasks.family import MetricSpec
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.numbered import priced, tops

_WANTED = re.compile(
    r"\b(?:optimi[sz]\w*|maximi[sz]\w*|minimi[sz]\w*|metric|measured?|scored?|evaluat\w*|judged?|care about"
    r"|according to"
    r"|in terms of|priorit\w*|focus on|tune\w* for|goal is|use|using)\b[^.;!?,]{0,24}$"
)  # before the name
_PRAISED = re.compile(r"\b(?:best|highest|lowest|good|high|low)\b[^.;!?,]{0,24}$")
_MATTERS = re.compile(
    r"^[^.;!?]{0,12}\b(?:matters?|counts?|is (?:what|the|important|key|our|my|decisive)|(?:is|as) (?:the )?metric"
    r"|optimi[sz]ed|should be|must be|at least|at most|above|below|under|over|of|better|>|<|=|[0-9.])"
)  # after it
_DENIED = re.compile(
    r"\b(?:not|rather than|instead of|nor|don't use|do not use|ignore|never|except)(?: the| by| on| for)? ?$"
)
_DISMISSED = re.compile(r"^ (?:is|would be) (?:misleading|useless|not|no good|meaningless|unsuitable|the wrong)")
_VERB = re.compile(r"^ (?:that|the|when|how|who|from|my|our)\b")
_EVERYDAY = frozenset({"precision", "accuracy", "recall", "specificity", "roc", "poisson", "l1", "l2", "acc"})


@dataclass(frozen=True)
class MetricMention:
    """A metric that the words name."""

    name: str
    start: int
    end: int
    phrase: str
    weight: float
    """0 when it is denied; more when it is said to matter."""
    everyday: bool
    """Whether the word has another meaning in plain language ("with high precision")."""


def metric_mentions(words: str, metrics: Mapping[str, MetricSpec]) -> tuple[MetricMention, ...]:
    """All metrics named in the words, in order of place; of overlapping names the longest counts."""
    flat = tx.low(words)
    found = [
        (match.start(), match.end(), name) for name, pattern in _patterns(metrics) for match in pattern.finditer(flat)
    ]
    found += [hit for hit in (*tops(flat), *priced(flat)) if hit[2] in metrics]
    found.sort(key=lambda hit: (hit[0] - hit[1], hit[0]))
    kept: list[tuple[int, int, str]] = []
    for start, end, name in found:
        if not any(start < other_end and other_start < end for other_start, other_end, _ in kept):
            kept.append((start, end, name))
    return tuple(_mention(flat, words, *hit) for hit in sorted(kept))


def read_metric(words: str, metrics: Mapping[str, MetricSpec]) -> tuple[str | None, str]:
    """The metric that the words ask for, and the phrase; `(None, "")` when they name none.

    Of several, the one that is said to matter or that has a limit; else the first. A bare "error" names none.
    """
    found = [mention for mention in metric_mentions(words, metrics) if mention.weight > 0]
    if not found:
        return None, ""
    best = max(found, key=lambda mention: mention.weight)
    return best.name, best.phrase


def named_metric(name: str, metrics: Mapping[str, MetricSpec]) -> str:
    """The metric that a single name means (`--metric AUC`).

    Raises:
        InputError: when there is none of this name; lists those that there are.
    """
    if (exact := re.sub(r"\s+", "", name.lower())) in metrics:
        return exact
    key = _key(name)
    for known, spec in metrics.items():
        if key in {_key(alias) for alias in (known, spec.title, *spec.synonyms)}:
            return known
    near = tx.nearest(name, [*metrics], 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    listed = (*metrics, *getattr(metrics, "forms", ()))
    raise InputError(f"There is no metric {name!r} here.", hint=f"{hint}Metrics: {', '.join(listed)}.")


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "", tx.low(name))


def _patterns(metrics: Mapping[str, MetricSpec]) -> list[tuple[str, re.Pattern[str]]]:
    return [
        (name, _pattern(alias))
        for name, spec in metrics.items()
        for alias in dict.fromkeys((name, tx.low(spec.title), *spec.synonyms))
    ]


_CACHE: dict[str, re.Pattern[str]] = {}


def _pattern(alias: str) -> re.Pattern[str]:
    """The alias with blanks, hyphens, underscores or nothing between its words: `roc auc`, `ROC-AUC`, `rocauc`."""
    if alias not in _CACHE:
        pieces = [re.escape(piece) for piece in re.split(r"[\W_]+", alias) if piece]
        body = r"[\s_'()-]*".join(pieces)
        plural = "s?" if len(alias) > 4 else ""
        _CACHE[alias] = re.compile(rf"(?<![\w.]){body}{plural}(?!\w)")
    return _CACHE[alias]


def _mention(flat: str, words: str, start: int, end: int, name: str) -> MetricMention:
    begin, stop = tx.sentence(flat, start)
    before, after = flat[begin:start], flat[end:stop]
    weight = 1.0
    if _DENIED.search(before) or _DISMISSED.match(after) or (flat[start:end] == "recall" and _VERB.match(after)):
        weight = 0.0
    else:
        weight += (
            bool(_WANTED.search(before))
            + 0.5 * bool(_PRAISED.search(before))
            + 1.5 * bool(_MATTERS.match(after))
            + _limited(before)
        )
    phrase = words[start:end] if weight <= 1 else _trim(words, start, end, begin, stop)
    return MetricMention(name, start, end, phrase, weight, flat[start:end] in _EVERYDAY)


def _limited(before: str) -> float:
    """A number right before the name: "90 % accuracy", "at least .9 AUC"."""
    return 1.5 if re.search(r"\d\s*(?:%|percent|per cent)?\s*(?:of |in |\()?$", before) else 0.0


def _trim(words: str, start: int, end: int, begin: int, stop: int) -> str:
    """The clause around a name: up to the nearest commas, at most a few words."""
    left = max(begin, *(words.rfind(sign, begin, start) + 1 for sign in ",;("), start - 40)
    right = min([stop, end + 40, *(place for sign in ",;)" if (place := words.find(sign, end, stop)) >= 0)])
    while left > begin and words[left - 1].isalnum() and left < start:
        left += 1
    while right < stop and words[right - 1].isalnum() and words[right].isalnum() and right > end:
        right -= 1
    return re.sub(r"\s+", " ", words[left:right]).strip(" ,;.()")
