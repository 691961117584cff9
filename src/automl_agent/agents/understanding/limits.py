"""Limits on time, size and memory, and whether limits can hold together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from automl_agent.agents.understanding import numbers as nb
from automl_agent.errors import InputError
from automl_agent.records import Comparison, Constraint
from automl_agent.tasks.family import MetricSpec
from automl_agent.tasks.words import text as tx

MEASURES = {
    "latency_ms": "latency",
    "train_seconds": "training time",
    "size_mb": "model size",
    "memory_mb": "memory",
}
"""What is limited besides metrics, and what it is called in plain words."""

_CUES = {
    "latency_ms": r"laten\w*|answer\w*|respon[ds]\w*|inference|infers?\b|predict(?:s|ions?|ing)\b|predict (?:in"
    r"|within|under)|per (?:row|record|request|call|sample|item|query|customer|case)|repl(?:y|ies)|score[sd]? (?:a"
    r"|one|each)|scoring|serv(?:e|es|ed|ing)\b|p\d\d\b|real[- ]time|antwort\w*|repon\w*|respuesta|fast enough",
    "train_seconds": r"train\w*|fit(?:s|ted|ting)?\b|learn(?:s|ed|ing)?\b(?! model)|build(?:ing)?\b|entren\w*"
    r"|entrain\w*",
    "memory_mb": r"memory|ram\b|arbeitsspeicher|memoire|memoria",
    "size_mb": r"model\w*|size\w*|small\w*|disk|bundle|artifact|artefact|footprint|download|weigh\w*|modell\w*"
    r"|taille|tamano",
}
_CUES_RE = {measure: re.compile(rf"(?<!\w)(?:{words})") for measure, words in _CUES.items()}
_NOUN = re.compile(r"laten\w*|(?:inference|response|prediction|training) time|size|memory|ram\b")
_WAITING = re.compile(r"\b(?:give|deliver|need|want|get|finish\w*|done|ready|result|run|model|takes?)\b")
_STORY = re.compile(r"\b(?:whether|which|who|if|that|deliver(?:y|ies)|trips?|files?|dataset|data)\b")
_FILLER = r"[\s(~:=]*(?:about|around|the|an?|be|of|is|total|only|just)?\s*"
_PARAMETERS = re.compile(
    r"\d[\d.,]*\s*(?:k|m|b|thousand|million|billion)?\s*(?:trainable |model )?(?:parameters|params)\b"
)
_UNIT = {"latency_ms": ("ms", 1.0), "train_seconds": ("s", 0.001), "size_mb": ("MB", 1.0), "memory_mb": ("MB", 1.0)}


@dataclass(frozen=True)
class _Quantity:
    """A number with a unit, and the clause that it stands in."""

    value: float
    """In ms or MB."""
    unit: str
    """As written."""
    start: int
    end: int
    before: str
    after: str
    sentence: str

    @property
    def clause(self) -> str:
        return f"{self.before}#{self.after}"


def read_resources(flat: str, words: str) -> tuple[list[Constraint], list[str]]:
    """Limits on latency, training time, size and memory in a text (`flat` is its plain form), and warnings."""
    found: list[tuple[int, Constraint]] = []
    warnings: list[str] = []
    for units, measures in (
        (nb.TIME_UNITS, ("latency_ms", "train_seconds")),
        (nb.SIZE_UNITS, ("memory_mb", "size_mb")),
    ):
        for quantity in _quantities(flat, units):
            constraint, warning = _limit(quantity, measures, words)
            found += [(quantity.start, constraint)] if constraint else []
            warnings += [warning] if warning else []
    for match in _PARAMETERS.finditer(flat):
        warnings.append(f"'{match.group().strip()}' is not checked: the number of parameters is not measured.")
    return [constraint for _, constraint in sorted(found, key=lambda pair: pair[0])], warnings


def _quantities(flat: str, units: Mapping[str, float]) -> list[_Quantity]:
    found = []
    for unit, factor in units.items():
        for match in re.finditer(rf"{nb.NUMBER}[\s-]*(?P<unit>{unit})(?!\w)", flat):
            start, end = match.start("number"), match.end()
            left, right = tx.sentence(flat, start)
            before = re.split(r", | and | but |\(", flat[left:start])[-1]
            after = re.split(r", | and | but |\)|;", flat[end:right])[0]
            value = nb.value(match.group("number")) * factor
            found.append(_Quantity(value, match.group("unit"), start, end, before, after, flat[left:right]))
    return found


def _limit(quantity: _Quantity, measures: tuple[str, str], words: str) -> tuple[Constraint | None, str]:
    """The constraint that a quantity states, if it states one, and a warning."""
    measure = _cue(quantity.clause, measures) or _cue(quantity.sentence, measures)
    sign, start, end = _sign(quantity, measure)
    if sign is None:
        return None, ""
    phrase = re.sub(r"\s+", " ", words[start:end]).strip(" ,;(")
    warning = ""
    if sign in (">", ">=") and not _NOUN.search(quantity.clause):
        return None, ""  # "trips of more than 30 minutes" tells of the data
    if measure is None:
        if _STORY.search(quantity.before):
            return None, ""
        measure, warning = _guess(quantity, measures, phrase)
        if measure is None:
            return None, warning
    unit, scale = _UNIT[measure]
    value = round(quantity.value * scale, 9)
    if value <= 0:
        raise InputError(f"'{phrase}' is impossible: {measure} must be greater than 0.", hint="Give a reachable value.")
    return Constraint(measure=measure, comparison=sign, value=value, unit=unit, words=phrase), warning


def _cue(text: str, measures: tuple[str, str]) -> str | None:
    """The measure whose cue stands nearest to the quantity (`#` in a clause), the first of them when in doubt."""
    place = max(text.find("#"), 0)
    found = [
        (min(abs(match.start() - place), abs(match.end() - place)), measure)
        for measure in measures
        for match in _CUES_RE[measure].finditer(text)
    ]
    if "memory_mb" in {measure for _, measure in found}:
        return "memory_mb"  # "the model needs at most 2 GB of memory" speaks of the model, too
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _sign(quantity: _Quantity, measure: str | None) -> tuple[Comparison | None, int, int]:
    """The comparison, and where the phrase begins and ends."""
    offset = quantity.start - len(quantity.before)
    said = nb.worded(quantity.before, _FILLER, "<")
    if said:
        tail = re.match(r" (?:of (?:training|memory|ram|disk)|per \w+|latency)\b", quantity.after)
        return said[0], offset + said[1], quantity.end + (tail.end() if tail else 0)
    after = nb.afterwards(quantity.after, "<") or nb.afterwards(quantity.after.lstrip(), "<")
    if after:
        return after[0], quantity.start, quantity.end + after[1]
    noun = re.search(rf"(?:{_NOUN.pattern})(?: (?:of|is|must be|should be|limit|limit of|budget|budget of)|:| =)? *$",
                     quantity.before)  # fmt: skip
    if noun:
        return "<=", offset + noun.start(), quantity.end
    within = re.search(r"\b(?:in|takes?) *$", quantity.before)
    if within and measure in ("latency_ms", "train_seconds"):
        return "<=", offset + within.start(), quantity.end
    trailing = re.match(r"[ -](?:latency|inference|response|training|memory|size)\b", quantity.after)
    return ("<=", quantity.start, quantity.end + trailing.end()) if trailing else (None, 0, 0)


def _guess(quantity: _Quantity, measures: tuple[str, str], phrase: str) -> tuple[str | None, str]:
    """What a limit without a cue is on, and a warning when that is a guess."""
    if measures[0] == "memory_mb":
        return "size_mb", ""
    if quantity.unit.startswith(("ms", "milli", "us", "µs", "μs", "micro", "mili")):
        return "latency_ms", ""
    if _WAITING.search(quantity.sentence):
        return "train_seconds", f"'{phrase}' was taken as the training time; the whole run is bounded by the budget."
    return None, ""


# ---------------------------------------------------------------- together


def check_limits(constraints: Iterable[Constraint], metrics: Mapping[str, MetricSpec]) -> None:
    """Refuse limits that no model can meet, alone or together.

    Raises:
        InputError: names the phrases.
    """
    lowest: dict[str, Constraint] = {}
    highest: dict[str, Constraint] = {}
    for limit in constraints:
        if not isinstance(limit.value, float):
            continue
        _reachable(limit, metrics)
        if limit.comparison in (">", ">=", "=="):
            lowest[limit.measure] = max(lowest.get(limit.measure, limit), limit, key=_number)
        if limit.comparison in ("<", "<=", "=="):
            highest[limit.measure] = min(highest.get(limit.measure, limit), limit, key=_number)
    for measure in lowest.keys() & highest.keys():
        low, high = lowest[measure], highest[measure]
        strict = high.comparison == "<" or low.comparison == ">"
        if _number(low) > _number(high) or (strict and _number(low) == _number(high)):
            raise InputError(
                f"'{low.words}' and '{high.words}' contradict each other ({measure}).", hint="Keep one of them."
            )


def _number(limit: Constraint) -> float:
    return float(limit.value) if isinstance(limit.value, float) else 0.0


def _reachable(limit: Constraint, metrics: Mapping[str, MetricSpec]) -> None:
    spec = metrics.get(limit.measure)
    if spec is None:
        return
    over = limit.comparison == ">" and spec.high is not None and _number(limit) >= spec.high
    beneath = limit.comparison == "<" and spec.low is not None and _number(limit) <= spec.low
    if over or beneath:
        bound, side = (spec.high, "above") if over else (spec.low, "below")
        reason = f"{limit.measure} is never {side} {bound:g}"
        raise InputError(f"'{limit.words}' is impossible: {reason}.", hint="Give a reachable value.")
