"""A short look at a graph: the columns of its nodes, so that words and columns are understood together."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Request
from automl_agent.tasks.family import Peek, PeekColumn, kept_examples
from automl_agent.tasks.node_classification.family import graph_io
from automl_agent.tasks.node_classification.sources import ACCEPTED, GraphSource, find_graph
from automl_agent.tasks.tables.kinds import find_kind

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = 300
EXAMPLES = 20
GRAPH, LIKE = "graph", "tables like a graph"
"""Modalities: what is evidently a graph, and two tables of which one may name rows of the other."""


def peek(request: Request) -> Peek | None:
    """Look at the nodes of a graph; `None` when the data are none.

    Raises:
        InputError: it is a graph, and cannot be read.
    """
    source = find_graph(request)
    if source is None:
        return None
    frame = nodes_of(source)
    shown = [column_of(frame[name], source) for name in list(frame.columns)[:COLUMNS]]
    modality = GRAPH if source.evident else LIKE
    return Peek(sources=(source.name,), modality=modality, rows=len(frame), columns=tuple(shown))


def nodes_of(source: GraphSource) -> pd.DataFrame:
    """Raw columns of the nodes, their id first.

    Raises:
        InputError: the graph cannot be read.
    """
    graph = loaded(source)
    frame: pd.DataFrame = graph.columns.copy(deep=False)
    frame.insert(0, source.options["id"], graph.ids)
    return frame


def loaded(source: GraphSource) -> Any:
    """The graph (`graph_io.Graph`).

    Raises:
        InputError: it cannot be read, or has no edges.
    """
    places = source.place if isinstance(source.place, tuple) else (source.place,)
    stamps = tuple(place.stat().st_mtime_ns for place in places)
    return _loaded(source.place, source.name, json.dumps(source.options), stamps)


@lru_cache(maxsize=2)
def _loaded(place: Any, name: str, options: str, _stamps: Any) -> Any:
    try:
        return graph_io().load(place, json.loads(options))
    except (ValueError, OSError, KeyError) as error:
        text = str(error)
        hint = "Without edges, predict from a table of nodes alone." if "no edge" in text else ACCEPTED
        raise InputError(f"The graph in {name} cannot be used: {text}.", hint=hint) from error


def column_of(series: pd.Series[Any], source: GraphSource) -> PeekColumn:
    from automl_agent.tasks.tables.shared.table_values import label

    kind = find_kind(series, source.options.get("decimal") or ".")
    shares: tuple[float, ...] = ()
    examples = kind.values[:EXAMPLES]
    if kind.counts:
        total = max(sum(kind.counts), 1)
        shares = tuple(round(count / total, 4) for count in kind.counts[:EXAMPLES])
    elif not kind.nested:
        counts = series.map(label, na_action="ignore").dropna().value_counts()
        examples = tuple(str(value) for value in counts.head(EXAMPLES).index)
        shares = tuple(round(float(count) / max(float(counts.sum()), 1.0), 4) for count in counts.head(EXAMPLES))
    missing = round(kind.missing / max(kind.rows, 1), 4)
    return PeekColumn(kind.name, kind.kind, kind.distinct, kept_examples(examples, kind.distinct), missing, shares)
