"""How the family understands a request: the label is found like the target of a table, the graph by the data."""

from __future__ import annotations

import re
from dataclasses import replace

from automl_agent.records import Inference, Request
from automl_agent.tasks import metrics
from automl_agent.tasks.family import Peek, PeekColumn, Reading
from automl_agent.tasks.node_classification.peeking import GRAPH
from automl_agent.tasks.node_classification.sources import LABEL
from automl_agent.tasks.tables import interpreting as tables
from automl_agent.tasks.words import text as tx

NAME = "node_classification"
_GRAPH_WORDS = re.compile(
    r"\b(?:nodes?|graphs?|networks?|edges?|vertices|vertex|neighbou?rs?|citations?|citing|linked|links|friends?"
    r"|connected|connections?|followers?)\b"
)
_DIRECTED = re.compile(r"\b(un)?directed (?:graph|network|edges?|links?)\b")
SURE, LIKELY, MAYBE = 0.98, 0.9, 0.4


def interpret(request: Request, peek: Peek | None) -> Reading:
    """Say how likely the labels of a graph's nodes are meant, and which they are.

    Raises:
        InputError: when the caller fixed a column or a class that is not there.
    """
    if peek is None or not peek.columns:
        return Reading(0.0)
    said = _GRAPH_WORDS.search(tx.low(request.words))
    graph = peek.modality == GRAPH
    confidence = SURE if graph else LIKELY if said else MAYBE
    shown = replace(peek, columns=tuple(column for column in peek.columns[1:] if column.kind not in ("empty", "text")))
    chosen = request if request.target else request.model_copy(update={"target": _label(shown)})
    reading = tables.interpret(chosen, shown, kind="classification", metrics=metrics.CLASSIFICATION)
    if reading.question is not None or reading.target is None:
        return replace(reading, confidence=confidence)
    because = "the data are a graph" if graph else "rows of one table name rows of the other"
    inferences = [one for one in reading.inferences if one.field != "family"]
    inferences.insert(0, Inference(field="family", value=NAME, reason=f"There are nodes and edges: {because}."))
    if not request.target and chosen.target:
        reason = f"'{reading.target}' is the column of labels by its name, and the only one."
        inferences.append(Inference(field="target", value=reading.target, reason=reason, sure=False))
    options = dict(reading.options)
    if (way := _DIRECTED.search(tx.low(request.words))) and "directed" not in request.options:
        options["directed"] = way.group(1) is None
    return replace(reading, confidence=confidence, options=options, inferences=tuple(inferences))


def _label(peek: Peek) -> str | None:
    """The one column that is named like labels, or the only one that could be them."""
    able = [column for column in peek.columns if _classes(column, peek.rows)]
    named = [column.name for column in able if LABEL.fullmatch(column.name)]
    if len(named) == 1:
        return named[0]
    labels = [column.name for column in able if column.kind != "number"]
    return labels[0] if len(able) == 1 == len(labels) else None


def _classes(column: PeekColumn, rows: int) -> bool:
    return column.kind in ("category", "boolean") or (column.kind == "number" and column.distinct <= min(50, rows // 2))
