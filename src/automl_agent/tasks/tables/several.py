"""Cells that hold several labels at once ("action;comedy"): a model of classes would take each combination for one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

COMBINATIONS = "combinations"
"""Option: each combination of labels is a class of its own."""
SEPARATORS = (";", "|", ",")
SHARE, ROWS = 0.03, 3
"""Share of the labelled cells, and number of them, that must hold several labels."""
REPEATED = 5
"""How often a label occurs on average at least."""
MOST, MOVED = 0.8, 0.5
"""Share of the labels in several combinations, and of those that stand alone or now first, now later. "Smith, John" and
"Urban, high" are one value in two parts: none of theirs changes its place."""
WORDS = 4
"""Words of a label at most: longer parts are clauses of a text."""
_LIST = re.compile(r"\s*\[.*\]\s*", re.DOTALL)


@dataclass(frozen=True)
class Several:
    """What cells with several labels hold."""

    labels: tuple[tuple[str, int], ...]
    """Labels with the number of cells that hold them, the most frequent first."""
    share: float
    """Of the labelled cells, that hold several."""
    separator: str
    """As written, empty for lists."""


def find_several(counts: Mapping[str, int]) -> Several | None:
    """The labels that cells combine, or `None` where each cell is one label.

    Args:
        counts: how many cells hold a text.
    """
    for separator, split in _WAYS.items():
        cells = [(parts, count) for text, count in counts.items() if (parts := split(text)) is not None]
        if sum(count for _, count in cells) == sum(counts.values()) and _evident(cells):
            several = sum(count for parts, count in cells if len(parts) > 1)
            spaced = separator + " " if separator and any(f"{separator} " in text for text in counts) else separator
            return Several(_tally(cells), several / sum(counts.values()), spaced)
    return None


def refuse_several(series: pd.Series[Any], name: str, *, nested: bool, option: bool) -> None:
    """Refuse a target whose cells hold several labels, before anything is learned.

    Args:
        nested: whether the cells are lists.
        option: whether the family has the option that makes each combination a class.

    Raises:
        InputError: says which labels were seen, and how often.
    """
    from automl_agent.tasks.tables.shared.table_values import labels

    if nested:
        cells = [(tuple(map(str, cell)), 1) for cell in series if isinstance(cell, (list, tuple, set)) and len(cell)]
        several = sum(len(parts) > 1 for parts, _ in cells)
        found = Several(_tally(cells), several / len(cells), "") if several else None
    else:
        found = find_several(Counter(text for text in labels(series) if text is not None))
    if found is None:
        return
    shown = ", ".join(f"{label} ({count:,})" for label, count in found.labels[:8])
    shown += f" and {len(found.labels) - 8} more" if len(found.labels) > 8 else ""
    how = f"separated by {found.separator.strip()!r}" if found.separator else "as lists"
    raise InputError(
        f"Target column {name!r} holds several labels in {found.share:.0%} of its cells ({how}): {shown}.",
        hint="A run predicts one label: make a column of 1 and 0 for each"
        + (f" (pandas: data[{name!r}].str.get_dummies({found.separator!r}))" if found.separator else "")
        + f" and run once for each: --target {_word(found.labels[0][0])}."
        + ("" if nested or not option else f" Or make each combination a class: --set {COMBINATIONS}=true."),
    )


def _word(label: str) -> str:
    return f"'{label}'" if re.search(r"\W", label) else label


# ---------------------------------------------------------------- cells and their parts

Cells = Sequence[tuple[tuple[str, ...], int]]
"""Labels of a cell, and how many cells hold them."""


def _separated(separator: str) -> Callable[[str], tuple[str, ...] | None]:
    def split(text: str) -> tuple[str, ...] | None:
        return tuple(part.strip() for part in text.strip(f" {separator}").split(separator))

    return split


def _listed(text: str) -> tuple[str, ...] | None:
    """The items of a list as JSON or Python writes it."""
    if not _LIST.fullmatch(text):
        return None
    for written in (text, text.replace("'", '"')):
        try:
            items = json.loads(written)
        except ValueError:
            continue
        return tuple(map(str, items)) if all(isinstance(item, (str, int)) for item in items) else None
    return None


_WAYS = {"": _listed, **{separator: _separated(separator) for separator in SEPARATORS}}


def _tally(cells: Cells) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for parts, count in cells:
        for part in set(parts):
            found[part] += count
    return tuple(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _evident(cells: Cells) -> bool:
    """Whether the parts of cells are labels that are combined freely, and not one value in several parts."""
    several = [parts for parts, _ in cells if len(parts) > 1]
    rows = sum(count for parts, count in cells if len(parts) > 1)
    if rows < max(ROWS, SHARE * sum(count for _, count in cells)) or len(set(map(frozenset, several))) < 2:
        return False
    if any(len(set(parts)) < len(parts) or "" in parts for parts in several):
        return False
    vocabulary = _tally(cells)
    if any(len(label.split()) > WORDS for label, _ in vocabulary):
        return False
    if len(vocabulary) < 3 or sum(count for _, count in vocabulary) < REPEATED * len(vocabulary):
        return False
    if all(re.fullmatch(r"[\d.,+-]+", label) for label, _ in vocabulary):  # ranges and places are pairs of numbers
        return len({len(parts) for parts, _ in cells}) > 2
    return _free(several, {parts[0] for parts, _ in cells if len(parts) == 1})


def _free(several: Sequence[tuple[str, ...]], alone: set[str]) -> bool:
    """Whether most parts of combinations are found elsewhere, too, and not always at the same place."""
    where: dict[str, set[frozenset[str]]] = {}
    first, later = {parts[0] for parts in several}, {part for parts in several for part in parts[1:]}
    for parts in several:
        for part in parts:
            where.setdefault(part, set()).add(frozenset(parts))
    elsewhere = sum(len(combinations) > 1 or part in alone for part, combinations in where.items())
    moved = sum(part in alone or (part in first and part in later) for part in where)
    return elsewhere >= MOST * len(where) and moved >= MOVED * len(where)
