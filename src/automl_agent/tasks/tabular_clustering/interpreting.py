"""Whether a request asks for clusters, how many, and which column says the truth."""

from __future__ import annotations

import re

from automl_agent.records import Inference, Request, Scalar
from automl_agent.tasks.family import Peek, Reading
from automl_agent.tasks.tabular_clustering import scores
from automl_agent.tasks.words import cues
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.mentions import mentions
from automl_agent.tasks.words.metric import read_metric
from automl_agent.tasks.words.target import find_target

NAME = "tabular_clustering"
STRONG = 0.9
"""Strength of a named target from which on a prediction is meant, whatever else the words say; as for tables."""

_WORDS = {word: number for number, word in enumerate(
    ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), 2)}  # fmt: skip
_NUMBER = rf"(?P<number>\d{{1,3}}|{'|'.join(_WORDS)})"
_GROUPS = r"(?:clusters?|segments?|groups?|personas?|types|classes|categories|gruppen|segmente|grupos|groupes)\b"
_HOW_MANY = tuple(re.compile(pattern) for pattern in (
    rf"(?<![\w.,-]){_NUMBER}[ -](?:(?!(?:to|or|and)\b)[a-z-]+ ){{0,2}}{_GROUPS}",
    rf"(?<!\w)k ?(?:=|is|of) ?{_NUMBER}\b",
    rf"number of (?:clusters|groups|segments)(?: is| =|:| should be| must be)? {_NUMBER}\b",
))  # fmt: skip
_CHECKING = re.compile(
    r"\b(?:check\w*|compar\w*|evaluat\w*|verif\w*|validat\w*|ground truth|true (?:labels?|groups?|class\w*|clusters?"
    r"|types?)|(?:only|just) (?:for|to) (?:scor\w*|check\w*|compar\w*|evaluat\w*)|labels?|scor(?:e|ed|ing) (?:against"
    r"|with)|how well [^.;!?]*(?:agree|match)\w*)\b"
)


def interpret(request: Request, peek: Peek | None) -> Reading:
    """Say how likely a request means clusters of the rows of a table, and how they would be sought.

    Args:
        request: words and what the caller fixed.
        peek: what the table looks like; without one nothing is meant for a table.
    """
    if peek is None or not peek.columns:
        return Reading(0.0)
    words = tx.composed(request.words)
    asked = cues.wishes(words).get("clustering")
    if request.family != NAME and (asked is None or request.target):
        return Reading(0.0)
    labels, phrase = _labels(words, peek)
    if request.family != NAME and _predicts(request, words, peek, labels):
        return Reading(0.2)
    reason = f"The words say '{asked[1]}'." if asked else "Given by the caller."
    inferences = [Inference(field="family", value=NAME, reason=reason)]
    options: dict[str, Scalar] = {}
    given = request.target if request.family == NAME else None
    labels = given or labels
    if labels and "labels" not in request.options:
        options["labels"] = labels
        why = "Given as the target." if given else f"The words say '{phrase}'."
        inferences.append(Inference(field="labels", value=labels, reason=f"{why} It is used for scoring only."))
    number, said = how_many(words)
    if number is not None and "clusters" not in request.options:
        options["clusters"] = number
        inferences.append(Inference(field="clusters", value=str(number), reason=f"The words say '{said}'."))
    metric, named = read_metric(words, scores.METRICS)
    if metric in scores.EXTERNAL and not labels and "labels" not in request.options:
        metric = None
    because = (f"The words say '{named}'." if metric else
               "No metric was named: cluster quality is the mean of indices that fail in different ways.")  # fmt: skip
    if not request.metric:
        inferences.append(
            Inference(field="metric", value=metric or scores.QUALITY, reason=because, sure=metric is not None)
        )
    return Reading(0.95, None, metric=metric or scores.QUALITY, options=options, inferences=tuple(inferences),
                   warnings=_unused(request))  # fmt: skip


def how_many(words: str) -> tuple[int | None, str]:
    """The number of clusters that the words ask for, and the phrase; `(None, "")` when they do not say."""
    flat = tx.low(words)
    for pattern in _HOW_MANY:
        match = pattern.search(flat)
        if match:
            number = match.group("number")
            return _WORDS.get(number) or int(number), re.sub(r"\s+", " ", words[match.start() : match.end()]).strip()
    return None, ""


def _labels(words: str, peek: Peek) -> tuple[str | None, str]:
    """The column that the words name as the truth to check against, and the phrase."""
    flat = tx.low(words)
    for mention in mentions(words, peek):
        start, end = tx.sentence(flat, mention.start)
        begin, stop = max(start, mention.start - 60), min(end, mention.end + 60)
        around = flat[begin : mention.start] + " " * (mention.end - mention.start) + flat[mention.end : stop]
        if _CHECKING.search(around):
            return mention.column, re.sub(r"\s+", " ", words[begin:stop]).strip()
    return None, ""


def _predicts(request: Request, words: str, peek: Peek, labels: str | None) -> bool:
    """Whether the words name a column to be predicted, so that clusters are but a word in them."""
    without = {*request.ignore, *([labels] if labels else [])}
    matches = find_target(words, peek, without=without)
    return bool(matches) and matches[0].strength >= STRONG


def _unused(request: Request) -> tuple[str, ...]:
    return tuple(
        f"Clusters are sought in all rows alike: the {role} column {name!r} is a column as any other."
        for role, name in (("group", request.group), ("time", request.time))
        if name
    )
