"""How the family understands a request: whether images are meant, which label, which metric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from automl_agent.errors import InputError
from automl_agent.records import Inference, Question, Request
from automl_agent.tasks.family import MetricSpec, Peek, PeekColumn, Reading
from automl_agent.tasks.words import cues, text
from automl_agent.tasks.words.columns import require_column
from automl_agent.tasks.words.metric import metric_mentions, read_metric
from automl_agent.tasks.words.positive import find_positive
from automl_agent.tasks.words.target import certain, decided, find_target

if TYPE_CHECKING:
    from automl_agent.records import Scalar

FAMILY = "image_classification"
MODALITY = "images"
_IMBALANCED = 0.35
"""Share of the rarer of two classes below which accuracy says little."""
_NONE = re.compile(r"\b(?:no|without|don't use|do not use|not use)(?: any| data| image)* ?augment\w*")
_ASKED = re.compile(r"(?<!\w)(?:augment\w*|mirror\w*|flip\w*|rotat\w*|shift\w*)(?!\w)")
_WANTED = {
    "flips": r"(?:horizontal\w* )?(?:flip|mirror)\w*",
    "upside_down": r"vertical\w* (?:flip|mirror)\w*|upside[- ]down",
    "turns": r"rotat\w*|turn(?:s|ed|ing) (?:by|of) 90",
    "shifts": r"shift\w*|translat(?:ed|ion|ions)|crops?\b|cropp\w*",
}


def interpret(request: Request, peek: Peek | None, *, metrics: Mapping[str, MetricSpec]) -> Reading:
    """Say how likely a request means to classify images, and how it would be done.

    Raises:
        InputError: when the caller fixed a class or column that is not there.
    """
    if peek is None or peek.modality != MODALITY or not peek.columns:
        return Reading(0.0)
    words = text.composed(request.words)
    image, *others = peek.columns
    said = "images" in cues.wishes(words)
    confidence = 0.97 if said or request.family or len(others) <= 1 else 0.5
    if len(peek.sources) > 1 and not (said or request.family):
        confidence = 0.2  # pictures beside a table that says nothing of them
    if not others:
        say = "The images have no labels: put those of each class into a folder of its own, or add a table with labels."
        return Reading(confidence, question=Question(field="data", text=say))
    target, reason, sure = _target(request, words, image, others, peek, metrics)
    if target is None:
        names = tuple(column.name for column in others)
        return Reading(confidence, question=Question(field="target", text=reason, choices=names))
    seen = f"{peek.rows} images were given" + ("" if len(others) > 1 else f" with {target.distinct} labels")
    inferences = [Inference(field="family", value=FAMILY, reason=f"{seen}.", sure=confidence > 0.9)]
    if not request.target:
        inferences.append(Inference(field="target", value=target.name, reason=reason, sure=sure))
    positive = _positive(request, words, target, inferences)
    named, phrase = read_metric(words, metrics)
    metric, because = (named, f"The words say '{phrase}'.") if named else _usual(target)
    if not request.metric:
        inferences.append(Inference(field="metric", value=metric, reason=because, sure=named is not None))
    unused = [column.name for column in others if column is not target and column.name not in (request.group,)]
    left = (f"Only the images are looked at; not used: {', '.join(unused[:8])}.",) if unused else ()
    return Reading(confidence, target.name, positive, metric, _options(words), tuple(inferences), warnings=left)


def _target(request: Request, words: str, image: PeekColumn, others: list[PeekColumn], peek: Peek,
            metrics: Mapping[str, MetricSpec]) -> tuple[PeekColumn | None, str, bool]:  # fmt: skip
    """The column of labels, why, and whether that is sure; without one, what to ask."""
    if request.target:
        name = require_column(request.target, peek, "target")
        if name == image.name:
            raise InputError(f"{name!r} holds the images and cannot be predicted.", hint="Name the column of labels.")
        return peek.column(name), "Given by the caller.", True
    if len(others) == 1:
        return others[0], "It is what is known of each image.", True
    masked = [(mention.start, mention.end) for mention in metric_mentions(words, metrics)]
    matches = find_target(words, peek, without={image.name, request.group or "", *request.ignore}, masked=masked)
    chosen = decided(matches)
    if len(chosen) == 1:
        return peek.column(chosen[0].column), chosen[0].reason, certain(matches)
    named = [column for column in others if set(text.names(column.name)) & {"label", "class", "category", "target"}]
    if not chosen and len(named) == 1:
        return named[0], f"'{named[0].name}' is what a column of labels is called.", False
    return None, "Which column holds the labels of the images?", False


def _positive(request: Request, words: str, column: PeekColumn, inferences: list[Inference]) -> str | None:
    """The positive class of two, as written in the data.

    Raises:
        InputError: when the caller named one that is not there.
    """
    if request.positive and column.distinct <= 2:
        known = {text.low(example).strip(): example for example in column.examples}
        key = text.low(request.positive).strip()
        if key not in known:
            raise InputError(
                f"'{column.name}' has no value {request.positive!r} (positive).",
                hint=f"It is {' or '.join(column.examples)}.",
            )
        return known[key]
    found = find_positive(words, column)
    if found is None:
        return None
    inferences.append(Inference(field="positive", value=found.value, reason=found.reason, sure=found.sure))
    return found.value


def _usual(column: PeekColumn) -> tuple[str, str]:
    """The metric when the words name none, and why."""
    rarest = min(column.shares) if len(column.shares) == column.distinct > 0 else None
    if column.distinct == 2 and rarest is not None and rarest < _IMBALANCED:
        return "f1", f"No metric was named, and only {rarest:.0%} are of the rarer class: accuracy misleads."
    if column.distinct > 2 and rarest is not None and rarest < 0.25 / column.distinct:
        return "f1_macro", f"No metric was named, and the rarest class has {rarest:.1%} of the images: all count."
    return "accuracy", "No metric was named: accuracy is usual where all classes are frequent."


def _options(words: str) -> dict[str, Scalar]:
    """What the words say of changing training images."""
    flat = text.low(words)
    if _NONE.search(flat):
        return {"augment": "none"}
    if not re.search(r"augment\w*", flat) or not _ASKED.search(flat):
        return {}
    wanted = [name for name, pattern in _WANTED.items() if re.search(rf"(?<!\w)(?:{pattern})", flat)]
    return {"augment": ",".join(wanted)} if wanted else {}
