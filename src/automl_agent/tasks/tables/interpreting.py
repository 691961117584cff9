"""How the table families understand a request: target, positive class and metric, from the words and the columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from automl_agent.errors import InputError
from automl_agent.records import Inference, Question, Request
from automl_agent.tasks.family import MetricSpec, Peek, PeekColumn, Reading
from automl_agent.tasks.tables.joining import SPOKEN
from automl_agent.tasks.words import cues, text
from automl_agent.tasks.words.columns import TARGETS, numeric, plausible, require_column
from automl_agent.tasks.words.mentions import said_roles
from automl_agent.tasks.words.metric import metric_mentions, named_metric, read_metric
from automl_agent.tasks.words.positive import find_positive
from automl_agent.tasks.words.scales import Scale, find_scale
from automl_agent.tasks.words.several import all_at_once, listed_targets
from automl_agent.tasks.words.target import Match, certain, decided, find_target

Kind = Literal["classification", "regression"]

_OTHER = {"classification": "regression", "regression": "classification"}
_CLASS_NAMES = {
    "class",
    "label",
    "category",
    "type",
    "species",
    "group",
    "kind",
    "cluster",
    "segment",
    "digit",
    "letter",
}
_MANY = 20
_REASON = re.compile(r"\b(?:because|so that|in order to|weil|damit|parce que|porque)\b[^.;!?]*")
"""Why something is wanted: not what."""
_CLEAR = 0.3
"""By how much a target must fit one kind of task better than the other for that to be no guess."""
_SUREST = 0.97
"""A family of a special kind of data can be surer."""
_IMBALANCED = 0.35
"""Share of the rarer of two classes below which accuracy says little."""


def interpret(request: Request, peek: Peek | None, *, kind: Kind, metrics: Mapping[str, MetricSpec]) -> Reading:
    """Say how likely a request means this kind of task on a table, and how it would be done.

    Args:
        request: words and what the caller fixed.
        peek: what the table looks like; without one nothing is meant for a table.
        kind: what the family does with the target.
        metrics: metrics of the family.

    Raises:
        InputError: when the caller fixed a column or a class that is not there.
    """
    if peek is None or not peek.columns:
        return Reading(0.0)
    words = text.composed(request.words)
    said = said_roles(words, peek)
    used = {*request.ignore, *request.by, *(name for role in said if role != "by" for name in said[role])}
    used |= {request.time or "", request.group or "", request.weight or ""}
    matches = _matches(request, words, peek, metrics, used)
    if not request.target and (question := _several(words, peek, matches, used)):
        return Reading(_unsure(words, kind), question=question)
    wish = None if request.family or request.target else _other_wish(words, peek, matches)
    chosen = decided(matches)
    if peek.target and peek.target not in used and not (matches and certain(matches)):
        reason = f"'{peek.target}' is the only column that {peek.sources[-1]} lacks."
        matches = chosen = (Match(peek.target, 0.9, reason),)
    if wish:
        meant = chosen[0].column if len(chosen) == 1 and certain(matches) else None
        return Reading(0.3, meant, question=_not_served(wish, kind))
    if len(chosen) != 1:
        return Reading(_unsure(words, kind), question=_which(chosen, peek, used))
    return _reading(request, words, peek, chosen[0], kind, metrics, sure=certain(matches))


def _reading(request: Request, words: str, peek: Peek, match: Match, kind: Kind, metrics: Mapping[str, MetricSpec],
             *, sure: bool) -> Reading:  # fmt: skip
    """The reading once the target is known, surely or not."""
    column = peek.column(match.column)
    assert column is not None
    named, phrase = read_metric(words, metrics)
    confidence, reason, clear = _confidence(column, peek, words, kind, named or _fixed(request, metrics))
    inferences = [Inference(field="family", value=f"tabular_{kind}", reason=reason, sure=clear)]
    if not request.target:
        sure = sure and column.kind in TARGETS
        inferences.append(Inference(field="target", value=column.name, reason=match.reason, sure=sure))
    positive: str | None = None
    warnings: list[str] = []
    if kind == "classification":
        positive, found, warnings = _positive(request, words, column)
        inferences += found
        if (at_once := all_at_once(words)) and not request.target:
            warnings.append(f"The words say '{at_once}': '{column.name}' is predicted, with one label for each row.")
    scale = _scale(request, words, column) if kind == "classification" else None
    if scale:
        more = "" if scale.said or named else " The metric qwk counts far misses more."
        inferences.append(Inference(field="order", value=scale.text, reason=scale.reason + more))
    metric, because = (named, f"The words say '{phrase}'.") if named else _usual(column, kind, scale)
    if not request.metric:
        inferences.append(Inference(field="metric", value=metric, reason=because, sure=named is not None))
    return Reading(confidence, column.name, positive, metric, inferences=tuple(inferences), warnings=tuple(warnings))


# ---------------------------------------------------------------- target


def _matches(request: Request, words: str, peek: Peek, metrics: Mapping[str, MetricSpec], without: set[str]
             ) -> tuple[Match, ...]:  # fmt: skip
    if request.target:
        return (Match(require_column(request.target, peek, "target"), 1.0, "Given by the caller."),)
    masked = [(mention.start, mention.end) for mention in metric_mentions(words, metrics)]
    masked += [match.span() for pattern in (_REASON, SPOKEN) for match in pattern.finditer(text.low(words))]
    return find_target(words, peek, without=without, masked=masked)


def _which(chosen: tuple[Match, ...], peek: Peek, without: set[str]) -> Question:
    """The question when no column, or several, can be meant."""
    if chosen:
        names = tuple(match.column for match in chosen)
        return Question(field="target", text="Which of these columns shall be predicted?", choices=names)
    names = plausible(peek, without)
    text = f"Which column shall be predicted? The words name none. Columns that could be: {', '.join(names[:_MANY])}"
    return Question(field="target", text=text + (", ..." if len(names) > _MANY else "."), choices=names)


def _unsure(words: str, kind: Kind) -> float:
    return 0.3 if cues.asks_for(words) == {"classification": "class", "regression": "number"}[kind] else 0.25


def _several(words: str, peek: Peek, matches: tuple[Match, ...], without: set[str]) -> Question | None:
    """The question when the words ask for more than one column at once: listed, or all that hold yes or no."""
    listed = tuple(name for name in listed_targets(words, peek) if name not in without)
    if len(listed) > 1:
        return _one_by_one(listed, "the others are left out then")
    if not all_at_once(words) or (matches and certain(matches)):
        return None
    flags = tuple(name for name in plausible(peek, without) if (column := peek.column(name)) and column.distinct == 2)
    return _one_by_one(flags, "leave the others out with --ignore COLUMN") if len(flags) > 1 else None


def _one_by_one(names: tuple[str, ...], others: str) -> Question:
    """A run predicts one column; which of those that were asked for, no language model may decide in silence."""
    shown = names[:_MANY]
    runs = ", ".join(f"--target {name!r}" if re.search(r"\W", name) else f"--target {name}" for name in shown)
    more = ", ..." if len(names) > _MANY else ""
    text = (
        f"The words ask for several columns ({', '.join(shown)}{more}), and a run predicts one: which one?"
        f" For all of them run once for each ({others}): {runs}{more}"
    )
    return Question(field="target", text=text if more else f"{text}.", choices=names, user_only=True)


# ---------------------------------------------------------------- family


def _other_wish(words: str, peek: Peek, matches: tuple[Match, ...]) -> tuple[str, str] | None:
    """A task that tables cannot do row by row, when the words ask for one."""
    wish = cues.other_wish(words)
    if wish is None:
        return None
    best = peek.column(matches[0].column) if matches else None
    if wish[0] == "forecasting":
        dated = any(column.kind == "date" for column in peek.columns)
        return wish if dated and (best is None or numeric(best, peek.rows)) else None
    return None if matches and matches[0].strength >= 0.9 else wish


def _not_served(wish: tuple[str, str], kind: Kind) -> Question:
    names = (f"tabular_{kind}", f"tabular_{_OTHER[kind]}")
    text = (
        f"The words ask for {wish[0]} ('{wish[1]}'), and no installed task family serves that."
        f" A single column can be predicted row by row: choose {' or '.join(names)} and name the target."
    )
    return Question(field="family", text=text, choices=names)


def _fixed(request: Request, metrics: Mapping[str, MetricSpec]) -> str | None:
    """The caller's metric, when it is one of these."""
    try:
        return named_metric(request.metric, metrics) if request.metric else None
    except InputError:
        return None


def _confidence(column: PeekColumn, peek: Peek, words: str, kind: Kind, metric: str | None
                ) -> tuple[float, str, bool]:  # fmt: skip
    """How well the target fits the kind of task, why, and whether it clearly fits one kind better."""
    wanted = cues.asks_for(words)
    if column.kind in ("category", "boolean", "text", "constant", "id"):
        fits = {"classification": 0.95, "regression": 0.05}
        reason = f"'{column.name}' holds {column.distinct} different labels."
    elif column.kind == "number" and numeric(column, peek.rows):
        coded = _codes(column) and (_classified(words) or set(text.names(column.name)) & _CLASS_NAMES)
        fits = {"classification": 0.75 if coded else 0.1, "regression": 0.6 if coded else 0.95}
        reason = f"'{column.name}' holds numbers, {column.distinct} different ones in {peek.rows} rows."
    elif column.kind == "number" and column.distinct > 2:
        number = wanted == "number" or set(text.names(column.name)) & {"count", "number", "amount", "price"}
        fits = {"classification": 0.5, "regression": 0.7} if number else {"classification": 0.7, "regression": 0.5}
        reason = f"'{column.name}' holds only {column.distinct} different numbers."
    elif column.kind == "number":
        fits = {"classification": 0.95, "regression": 0.2}
        reason = f"'{column.name}' holds only {column.distinct} different numbers."
    else:
        fits = {"classification": 0.1, "regression": 0.1}
        reason = f"'{column.name}' is a column of kind {column.kind}."
    confidence = fits[kind]
    if metric and min(fits.values()) > 0.1:  # the metric settles what the column leaves open
        return min(confidence + 0.25, _SUREST), f"{reason} {metric} is a metric of {kind}.", True
    return confidence, reason, max(fits.values()) - min(fits.values()) > _CLEAR


def _classified(words: str) -> bool:
    """Whether the words ask for classes outright ("classify")."""
    weights = {kind: weight for kind, (weight, _) in cues.wishes(words).items()}
    return weights.get("classification", 0.0) >= 1.0 > weights.get("regression", 0.0)


def _codes(column: PeekColumn) -> bool:
    """Whether a column of numbers could hold codes of classes."""
    return column.distinct <= 100 and all(value.strip().lstrip("-").isdigit() for value in column.examples)


# ---------------------------------------------------------------- positive class and metric


def _positive(request: Request, words: str, column: PeekColumn) -> tuple[str | None, list[Inference], list[str]]:
    if request.positive:
        return _given_positive(request.positive, column)
    found = find_positive(words, column)
    if found is None:
        return None, [], []
    return found.value, [Inference(field="positive", value=found.value, reason=found.reason, sure=found.sure)], []


def _given_positive(value: str, column: PeekColumn) -> tuple[str | None, list[Inference], list[str]]:
    """The caller's positive class, as written in the data.

    Raises:
        InputError: when the column has no such value.
    """
    if column.distinct > 2:
        return None, [], [f"'{column.name}' has {column.distinct} classes: the positive class {value!r} is not used."]
    known = {text.low(example).strip(): example for example in column.examples}
    key = text.low(value).strip()
    if column.examples and value not in column.examples and key not in known:
        values = " or ".join(column.examples)
        raise InputError(f"'{column.name}' has no value {value!r} (positive).", hint=f"It is {values}.")
    return value if value in column.examples else known.get(key, value), [], []


def _scale(request: Request, words: str, column: PeekColumn) -> Scale | None:
    """The order of the target's classes, as far as a look shows them all; none where the caller gives one."""
    if column.distinct != len(column.examples) or request.options.get("order"):
        return None
    return find_scale(column.examples, column.name, words)


def _usual(column: PeekColumn, kind: Kind, scale: Scale | None) -> tuple[str, str]:
    """The metric when the words name none, and why."""
    if kind == "regression":
        return "rmse", "No metric was named: rmse is in the unit of the target and punishes large errors."
    if scale and scale.said:
        return (
            "qwk",
            "No metric was named, and the words speak of ordered classes: far misses count more than near ones.",
        )
    rarest = min(column.shares) if len(column.shares) == column.distinct > 0 else None
    if column.distinct != 2:
        if rarest is not None and rarest < 0.25 / column.distinct:
            return (
                "f1_macro",
                f"No metric was named, and the rarest class has {rarest:.1%} of the rows: all classes count.",
            )
        return "accuracy", f"No metric was named: accuracy is usual for {column.distinct} classes."
    if rarest is None:
        return "f1", "No metric was named: f1 of the positive class holds for rare classes, too."
    if rarest < _IMBALANCED:
        return (
            "f1",
            f"No metric was named, and only {rarest:.0%} of the rows are of the rarer class: accuracy misleads.",
        )
    return "accuracy", "No metric was named, and both classes are frequent."
