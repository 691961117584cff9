"""When texts are meant: the target has classes, and what tells them is written in one column or two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from automl_agent.errors import InputError
from automl_agent.records import Inference, Request
from automl_agent.tasks.family import MetricSpec, Peek, PeekColumn, Reading
from automl_agent.tasks.tables import interpreting as tables
from automl_agent.tasks.text_classification.columns import named_texts
from automl_agent.tasks.text_classification.peeking import MODALITY
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.columns import TARGETS, numeric

_SPOKEN = re.compile(
    r"(?<!\w)(?:texts?|reviews?|messages?|e-?mails?|comments?|sentences?|articles?|documents?|tweets?|posts?|headlines?"
    r"|paragraphs?|passages?|abstracts?|questions?|answers?|tickets?|complaints?|feedback|transcripts?|wording|wrote"
    r"|written|sentiment|topics?|spam|ham|toxic\w*|intents?|language|paraphras\w*|duplicate questions|entailment|sms"
    r"|news(?:groups?)?|nlp|kommentare?|nachrichten?|bewertung(?:en)?|textes?|avis|messaggi|mensajes?|resenas?)(?!\w)"
)
"""Words that speak of texts."""
FEW = 2
"""Columns beside the texts up to which these are what the table is about."""
MANY = 8
"""The same where the words speak of texts."""
LONG = 4.5
"""Words of a text on average, from which it says more than a name or an address. Examples are cut at 80 letters."""
ABOVE = 0.02
"""By how much texts are surer than tables where they are meant."""


def interpret(request: Request, peek: Peek | None, *, metrics: Mapping[str, MetricSpec]) -> Reading:
    """Say how likely a request means to classify texts, and how.

    Target, positive class and metric are read as for tables. Where the words leave the target open, it is the only
    column that is no text and could be one.

    Raises:
        InputError: the caller asked for this family and there are no texts, or fixed a column that is not there.
    """
    if peek is None or not peek.columns:
        return Reading(0.0)
    asked = request.family is not None or "text" in request.options
    names = {column.name for column in peek.columns}
    texts = named_texts(request.options, names, peek.sources[0]) or tuple(
        column.name for column in peek.columns if column.kind == "text" and column.name != request.target
    )
    if not texts:
        if request.family is not None:
            hint = "Name the column, or two of them with a comma between: text=COLUMN (--set on the command line)."
            raise InputError(f"No column of {peek.sources[0]!r} looks like texts.", hint=hint)
        return Reading(0.0)
    reading, guessed = _as_table(request, peek, texts, metrics)
    if reading.question is not None:
        return reading if asked else Reading(0.0)
    target = peek.column(reading.target or "")
    if target is None or target.name in texts or (numeric(target, peek.rows) and not asked):
        return Reading(0.0)
    if not asked and peek.modality != MODALITY and not _meant(request, peek, texts, target.name):
        return Reading(0.0)
    return _as_text(reading, texts, target, guessed)


def _as_table(request: Request, peek: Peek, texts: tuple[str, ...], metrics: Mapping[str, MetricSpec]
              ) -> tuple[Reading, bool]:  # fmt: skip
    """The reading as a table, and whether its target was guessed here."""
    if peek.modality == MODALITY:
        request = request.model_copy(update={"target": request.target or peek.columns[-1].name})
        return tables.interpret(request, peek, kind="classification", metrics=metrics), False
    reading = tables.interpret(request, peek, kind="classification", metrics=metrics)
    missed = reading.question is not None and reading.question.field == "target" and not request.target
    if missed or reading.target in texts:
        left = [column.name for column in _others(request, peek, texts) if not numeric(column, peek.rows)]
        if len(left) == 1:
            known = request.model_copy(update={"target": left[0]})
            return tables.interpret(known, peek, kind="classification", metrics=metrics), True
    return reading, False


def _as_text(reading: Reading, texts: tuple[str, ...], target: PeekColumn, guessed: bool) -> Reading:
    """The reading of a table as one of texts."""
    told = " and ".join(f"'{name}'" for name in texts)
    reason = (
        f"{told} {'holds' if len(texts) == 1 else 'hold'} texts, '{target.name}' {target.distinct} different labels."
    )
    inferences = [
        Inference(field="family", value="text_classification", reason=reason, sure=inference.sure)
        if inference.field == "family"
        else inference
        for inference in reading.inferences
    ]
    if guessed:
        why = "It is the only column beside the texts that could be predicted."
        inferences.append(Inference(field="target", value=target.name, reason=why, sure=False))
    return replace(reading, confidence=min(1.0, reading.confidence + ABOVE), inferences=tuple(inferences))


def _meant(request: Request, peek: Peek, texts: tuple[str, ...], target: str) -> bool:
    """Whether the texts carry the information: they are long, and few other columns are there or the words say so."""
    found = [column for column in peek.columns if column.name in texts]
    beside = [column for column in _others(request, peek, texts) if column.name != target]
    bound = MANY if _SPOKEN.search(tx.low(tx.without_files(request.words))) else FEW
    return max(map(_length, found)) >= LONG and len(beside) <= bound


def _others(request: Request, peek: Peek, texts: tuple[str, ...]) -> list[PeekColumn]:
    """Columns that are no texts and that a model could learn from, or predict."""
    used = {*texts, *request.ignore, *request.by, request.time, request.group}
    return [c for c in peek.columns if c.kind in (*TARGETS, "date") and c.distinct > 1 and c.name not in used]


def _length(column: PeekColumn) -> float:
    """Words of a text on average."""
    return sum(len(text.split()) for text in column.examples) / max(1, len(column.examples))
