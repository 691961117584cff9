"""The target: which column is meant, its classes or values, and which class is the positive one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding
from automl_agent.tasks.family import PeekColumn
from automl_agent.tasks.tables.kinds import ColumnKind, merge_spellings
from automl_agent.tasks.tables.several import refuse_several
from automl_agent.tasks.words.positive import find_positive
from automl_agent.tasks.words.scales import find_scale, given_order
from automl_agent.tasks.words.text import nearest

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

MIN_ROWS = 10
"""Labelled rows without which nothing can be learned and checked."""
MAX_CLASSES = 1000
"""Predictions hold a probability for each class of each row: more of them would not fit into memory."""
HUGEST = 1e150
"""Sums of squares of greater numbers are infinite."""


@dataclass(frozen=True)
class Target:
    """The target of the rows that have one."""

    name: str
    codes: npt.NDArray[Any]
    """Class codes (int64, -1 without label) or values (float64, NaN without), for every row of the table."""
    classes: tuple[str, ...] = ()
    positive: str | None = None
    findings: tuple[Finding, ...] = ()
    ranked: bool = False
    """Whether the classes stand in an order that means something: from one end of a scale to the other."""


def find_column(name: str, names: Sequence[str], what: str) -> str:
    """The column that a user means: case, spaces and underscores do not count.

    Raises:
        InputError: there is none; offers the nearest ones.
    """
    if name in names:
        return name
    same = [other for other in names if _plain(other) == _plain(name)]
    if len(same) == 1:
        return same[0]
    near = nearest(name, list(names), 5) or names[:5]
    raise InputError(f"There is no column {name!r} ({what}).", hint=f"Nearest: {', '.join(near)}.")


def _plain(name: str) -> str:
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def read_target(
    series: pd.Series[Any],
    kind: ColumnKind,
    *,
    classes: bool,
    positive: str | None,
    decimal: str,
    order: str = "",
    combinations: bool | None = None,
    words: str = "",
) -> Target:
    """Encode the target column of the whole table.

    Args:
        order: the classes from one end to the other as the user gave them (`given_order`).
        combinations: whether a cell with several labels is meant as one class; `None` where that cannot be said.
        words: the request, which may speak of the order of the classes.

    Raises:
        InputError: it is empty, constant, of the wrong kind, holds several labels in a cell, or labels too few rows.
    """
    name = kind.name
    if classes and kind.kind not in ("number", "date") and not combinations:
        refuse_several(series, name, nested=kind.nested == "lists", option=combinations is not None)
    if kind.nested:
        raise InputError(f"Target column {name!r} holds {kind.nested}, not single values.")
    if kind.kind == "empty":
        raise InputError(f"Target column {name!r} is empty.")
    if kind.kind == "constant":
        raise InputError(f"Target column {name!r} has one value only: there is nothing to predict.")
    target = _labels(series, kind, positive, order, words) if classes else _values(series, kind, decimal)
    labelled = int((target.codes >= 0).sum()) if classes else int((target.codes == target.codes).sum())
    if labelled < MIN_ROWS:
        raise InputError(f"Only {labelled} rows have a target ({name!r}); at least {MIN_ROWS} are needed.")
    return target


def _values(series: pd.Series[Any], kind: ColumnKind, decimal: str) -> Target:
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import numbers

    if kind.kind not in ("number", "id") or (kind.kind == "id" and kind.values):
        words = ", ".join(repr(value) for value in kind.values[:3])
        holds = f" (such as {words})" if words else ""
        raise InputError(f"Target column {kind.name!r} holds {kind.kind} values{holds}; regression needs numbers.",
                         hint="Ask for a classification instead.")  # fmt: skip
    values, bad = numbers(series, decimal)
    infinite = np.isinf(values)
    values = np.where(infinite, np.nan, values)
    present = values[~np.isnan(values)]
    refuse_huge(kind.name, present)
    if len(present) and present.min() == present.max():
        raise InputError(f"Target column {kind.name!r} has one value only: there is nothing to predict.")
    return Target(kind.name, values, findings=tuple(_lost(kind.name, np.isnan(values), bad, infinite)))


def refuse_huge(name: str, values: npt.NDArray[Any]) -> None:
    """Refuse a target whose errors cannot be squared.

    Raises:
        InputError: a number is so large.
    """
    if len(values) and (largest := abs(values).max()) > HUGEST:
        raise InputError(
            f"Target column {name!r} holds numbers of up to {largest:.3g}; at most {HUGEST:g} can be used.",
            hint="Give it in another unit.",
        )


def _lost(name: str, missing: npt.NDArray[Any], bad: npt.NDArray[Any], infinite: npt.NDArray[Any]) -> list[Finding]:
    found = []
    if count := int(missing.sum()):
        parts = [
            f"{int(rows.sum())} {what}"
            for rows, what in ((bad, "are no numbers"), (infinite, "are infinite"))
            if rows.any()
        ]
        text = f"{count} rows have no target and were left out" + (f" ({', '.join(parts)})" if parts else "")
        found.append(Finding(kind="missing_target", columns=(name,), count=count, text=text, action="dropped"))
    return found


def _labels(series: pd.Series[Any], kind: ColumnKind, positive: str | None, order: str, words: str) -> Target:
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import label, labels

    found = labels(series)
    counts: Counter[str] = Counter(text for text in found if text is not None)
    _check_class_count(kind, counts)
    merged = merge_spellings(counts, boolean=kind.kind == "boolean")
    for other, meant in merged:
        counts[meant] += counts.pop(other)
    single = sorted(text for text, count in counts.items() if count == 1)
    classes = sorted((text for text, count in counts.items() if count > 1), key=_class_order)
    if len(classes) < 2:
        only = f" Only {classes[0]!r} is there more than once." if classes and single else ""
        raise InputError(f"Target column {kind.name!r} has one class only: there is nothing to predict.{only}")
    scale = find_scale(classes, kind.name, words)
    if order or scale:
        classes = list(given_order(order, classes, kind.name) if order else scale.labels if scale else classes)
    code = {text: number for number, text in enumerate(classes)} | {}
    code |= {other: code[meant] for other, meant in merged if meant in code}
    codes = np.array([-1 if text is None else code.get(text, -1) for text in found], np.int64)
    missing = np.array([text is None for text in found], bool)
    findings = _lost(kind.name, missing, np.zeros(0, bool), np.zeros(0, bool))
    if merged:
        text = "spellings were merged: " + ", ".join(f"{other!r} is {meant!r}" for other, meant in merged[:5])
        findings.append(Finding(kind="spelling", columns=(kind.name,), count=len(merged), text=text, action="merged"))
    if single:
        names = ", ".join(repr(text) for text in single[:5])
        text = f"classes with a single row ({names}) can be learned or checked, not both; these rows were left out"
        findings.append(
            Finding(kind="rare_class", columns=(kind.name,), count=len(single), text=text, action="dropped")
        )
    positive = _positive(kind.name, label(positive) if positive else None, classes, counts)
    ranked = len(classes) > 2 and bool(order or scale)
    return Target(kind.name, codes, tuple(classes), positive, tuple(findings), ranked)


def _check_class_count(kind: ColumnKind, counts: Counter[str]) -> None:
    rows, many = sum(counts.values()), len(counts)
    numeric = kind.kind in ("number", "id") and not kind.values
    if numeric and many > 20 and (not kind.integer or many > max(50, 0.1 * rows)):
        raise InputError(f"Target column {kind.name!r} holds {many} different numbers: too many for classes.",
                         hint="Ask for a number to be predicted (tabular_regression).")  # fmt: skip
    if many > 20 and many > 0.5 * rows:
        raise InputError(
            f"Target column {kind.name!r} has {many} different values in {rows} rows: it names rows, not classes."
        )
    if many > MAX_CLASSES:
        raise InputError(f"Target column {kind.name!r} has {many:,} classes; at most {MAX_CLASSES:,} can be learned.",
                         hint="Put the rare ones together, or predict a coarser column.")  # fmt: skip


def _class_order(text: str) -> tuple[int, float, str]:
    """Numbers by size, then words."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _positive(name: str, asked: str | None, classes: list[str], counts: Counter[str]) -> str | None:
    """The positive class of a binary task: the one asked for, or the one that would be taken when none was named."""
    if asked is not None:
        same = [text for text in classes if text == asked] or [
            text for text in classes if _plain(text) == _plain(asked)
        ]
        if not same:
            raise InputError(
                f"Column {name!r} has no class {asked!r}.", hint=f"Its classes: {', '.join(classes[:10])}."
            )
        return same[0]
    if len(classes) != 2:
        return None
    examples = tuple(sorted(classes, key=lambda text: (-counts[text], text)))
    found = find_positive("", PeekColumn(name, "category", len(classes), examples))
    return found[0] if found else None
