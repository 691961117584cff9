"""A short look at images: how many there are, and how often each label, so that the words can be understood."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.records import Request
from automl_agent.tasks.family import Peek, PeekColumn, kept_examples
from automl_agent.tasks.image_classification.sources import Images, find_images

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 20
MODALITY = "images"
ROWS = 20_000
"""Rows of a table that are looked at."""


def peek(request: Request) -> Peek | None:
    """Look at the images of a request; `None` when it brings none.

    The first column is that of the images. Labels of class folders are the column `label`. A second source is a table
    that lies there, too, and says nothing of the images.

    Raises:
        InputError: there are images, but they cannot be read.
    """
    stamps = tuple(_stamp(given) for given in request.data)
    return _peek(request.data, stamps)


def _stamp(given: str) -> float:
    try:
        return Path(given).expanduser().stat().st_mtime
    except OSError:
        return 0.0


@lru_cache(maxsize=4)
def _peek(data: tuple[str, ...], _stamps: tuple[float, ...]) -> Peek | None:
    found = find_images(Request(words="", data=data))
    if found is None:
        return None
    frame = found.frame.head(ROWS)
    image = PeekColumn(found.column, "id", len(frame), tuple(str(name) for name in frame[found.column].head(3)))
    others = tuple(_column(frame[name], found) for name in frame.columns if name != found.column)
    sources = (found.path.name, found.beside) if found.beside else (found.path.name,)
    return Peek(sources=sources, modality=MODALITY, rows=len(frame), columns=(image, *others))


def _column(series: pd.Series[Any], found: Images) -> PeekColumn:
    from automl_agent.tasks.tables.kinds import find_kind
    from automl_agent.tasks.tables.shared.table_values import label

    labels = series.map(label, na_action="ignore").dropna()
    counts = labels.value_counts()
    folders = found.options["layout"] == "folders"
    kind = "category" if folders else find_kind(series, found.options["table"]["decimal"]).kind
    examples = kept_examples([str(value) for value in counts.head(EXAMPLES).index], len(counts))
    shares = tuple(round(float(count) / max(1, len(labels)), 4) for count in counts.head(EXAMPLES))
    missing = round(1 - len(labels) / max(1, len(series)), 4)
    return PeekColumn(str(series.name), kind, len(counts), examples, missing, shares)
