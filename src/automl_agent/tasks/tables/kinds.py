"""Kinds of columns: what a column of raw values holds, and which words in it mean the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

MAX_VALUES = 1000
"""Labels kept in a schema."""
MOSTLY = 0.9
"""Share of present values that must be numbers (or dates) for the column to be of that kind."""
BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"on", "off"})
DATE_FORMATS = (
    None,  # ISO 8601
    *(day + time for time in ("", " %H:%M", " %H:%M:%S")
      for day in ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%m/%d/%y")),
    *("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%y"),
)  # fmt: skip
_DATE_LIKE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4}|[A-Za-z]{3,9} \d{1,2}, \d{4}"
)
_DATE_NAME = re.compile(r"date|day|datum|(^|_)dt($|_)", re.IGNORECASE)
_ID_NAME = re.compile(
    r"(^|[^a-z])(id|ids|uuid|guid|index|idx|key|row|rowid|rownames?|no|nr|number)$|[a-z](ID|Id)$|^unnamed"
)


@dataclass(frozen=True)
class ColumnKind:
    """What was found out about a column's raw values."""

    name: str
    kind: str
    """`number`, `category`, `boolean`, `date`, `text`, `id`, `constant` or `empty`."""
    rows: int
    missing: int
    distinct: int
    values: tuple[str, ...] = ()
    """Labels, the most frequent first, one spelling each."""
    counts: tuple[int, ...] = ()
    format: str | None = None
    """strptime format of dates; `None` for ISO 8601 or native ones."""
    integer: bool = False
    infinite: int = 0
    unreadable: tuple[str, ...] = ()
    """Words in a column of numbers or dates, taken as missing."""
    unreadable_rows: int = 0
    merged: tuple[tuple[str, str], ...] = ()
    """Spellings that were taken for another: (found, meant)."""
    nested: str = ""
    """`lists`, `objects` or `binary` when the values are no plain values."""


@dataclass
class _Facts:
    """A column as distinct values and how many rows hold each."""

    values: list[Any]
    counts: npt.NDArray[Any]
    rows: int
    span: int
    """Rows that there are from the first to the last one in the file: more than `rows` where only some were read."""

    @cached_property
    def labels(self) -> list[str | None]:
        from automl_agent.tasks.tables.shared.table_values import label

        return [label(value) for value in self.values]


def find_kind(series: pd.Series[Any], decimal: str = ".", name: str | None = None) -> ColumnKind:
    """Find the kind of one column of raw values. Work is done on distinct values, so long columns are cheap."""
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import factor, parse_numbers

    name = str(series.name) if name is None else name
    codes, values = factor(series)
    facts = _Facts(values, np.bincount(codes[codes >= 0], minlength=len(values)), len(series), _span(series))
    if nested := _nested(values):
        return ColumnKind(name, "text", len(series), 0, len(values), nested=nested)
    floats, bad = parse_numbers(values, decimal)
    there = bad | ~np.isnan(floats)
    present = int(facts.counts[there].sum())
    if not present:
        return _empty(name, facts)
    if series.dtype.kind in "iuf":
        return _number(name, facts, floats, bad) or _empty(name, facts)
    if series.dtype.kind == "M":
        return _plain(name, "date", facts)
    if not all(isinstance(values[position], bool) for position in np.flatnonzero(there)):
        few = facts.counts[bad].sum() <= present * (1 - MOSTLY)
        if few and not _is_code(values) and not _is_day_number(name, facts):
            found = _number(name, facts, floats, bad)
            if found is not None:
                return found
        if (form := _date_format(name, facts)) is not False:
            return _dates(name, facts, form)
    return _words(name, facts, present)


def _span(series: pd.Series[Any]) -> int:
    index, rows = series.index, len(series)
    return max(rows, int(index[-1]) - int(index[0]) + 1) if rows and index.dtype.kind == "i" else rows


def _nested(values: Sequence[Any]) -> str:
    import numpy as np

    for value in values[:1000]:
        if isinstance(value, (list, tuple, set, np.ndarray)):
            return "lists"
        if isinstance(value, dict):
            return "objects"
        if isinstance(value, (bytes, bytearray)):
            return "binary"
    return ""


def _empty(name: str, facts: _Facts) -> ColumnKind:
    return ColumnKind(name, "empty", facts.rows, facts.rows, 0)


def _number(name: str, facts: _Facts, floats: npt.NDArray[np.float64], bad: npt.NDArray[np.bool_]) -> ColumnKind | None:
    """A column of numbers, or `None` when there is no number in it."""
    import numpy as np

    finite = np.isfinite(floats)
    rows = int(facts.counts[finite].sum())
    if not rows:
        return None
    unique = np.unique(floats[finite])
    integer = bool((unique == np.round(unique)).all())
    missing = facts.rows - rows
    kind = "constant" if len(unique) == 1 and not missing else "number"
    if integer and len(unique) == facts.rows >= 20 and (unique[-1] - unique[0] < facts.span or _ID_NAME.search(name)):
        kind = "id"
    words = [str(facts.values[position])[:40] for position in np.flatnonzero(bad)[:5]]
    infinite = int(facts.counts[np.isinf(floats)].sum())
    return ColumnKind(name, kind, facts.rows, missing, len(unique), integer=integer, infinite=infinite,
                      unreadable=tuple(words), unreadable_rows=int(facts.counts[bad].sum()))  # fmt: skip


def _plain(name: str, kind: str, facts: _Facts) -> ColumnKind:
    missing = facts.rows - sum(int(n) for n, text in zip(facts.counts, facts.labels, strict=True) if text is not None)
    distinct = len({text for text in facts.labels if text is not None})
    return ColumnKind(name, "constant" if distinct == 1 and not missing else kind, facts.rows, missing, distinct)


def _is_code(values: Sequence[Any]) -> bool:
    """Digits with leading zeros ("007"): a code, not a number."""
    some = values[:: len(values) // 2000 + 1]
    zeros = sum(isinstance(value, str) and value[:1] == "0" and len(value) > 1 and value.isdigit() for value in some)
    return zeros > len(some) * 0.02


def _is_day_number(name: str, facts: _Facts) -> bool:
    """Days written as 20240131, in a column that is named like a date."""
    if not _DATE_NAME.search(name):
        return False
    found = [text for text in facts.labels if text is not None]
    return all(re.fullmatch(r"(19|20)\d\d[01]\d[0-3]\d", text) for text in found)


def _date_format(name: str, facts: _Facts) -> str | bool | None:
    """The format of a column of dates; `False` when it holds something else."""
    from datetime import date

    from automl_agent.tasks.tables.shared.table_values import moment

    values = [value for value, text in zip(facts.values, facts.labels, strict=True) if text is not None]
    if any(isinstance(value, date) for value in values[:100]):
        return None if sum(moment(value) is not None for value in values) >= len(values) * MOSTLY else False
    forms: Sequence[str | None] = DATE_FORMATS
    if _is_day_number(name, facts):
        forms = ("%Y%m%d",)
    elif sum(bool(_DATE_LIKE.fullmatch(str(value).strip())) for value in values[:200]) < len(values[:200]) * MOSTLY:
        return False
    for form in forms:
        for part in (values[:200], values):
            if sum(moment(value, form) is not None for value in part) < len(part) * MOSTLY:
                break
        else:
            return form
    return False


def _dates(name: str, facts: _Facts, form: str | bool | None) -> ColumnKind:
    from automl_agent.tasks.tables.shared.table_values import moment

    form = form if isinstance(form, str) else None
    bad = [
        position
        for position, (value, text) in enumerate(zip(facts.values, facts.labels, strict=True))
        if text is not None and moment(value, form) is None
    ]
    plain = _plain(name, "date", facts)
    words = tuple(str(facts.values[position])[:40] for position in bad[:5])
    rows = int(facts.counts[bad].sum()) if bad else 0
    return ColumnKind(name, plain.kind, plain.rows, plain.missing + rows, plain.distinct - len(bad), format=form,
                      unreadable=words, unreadable_rows=rows)  # fmt: skip


def _words(name: str, facts: _Facts, present: int) -> ColumnKind:
    """A column of words: boolean, category, text or id."""
    counts: Counter[str] = Counter()
    for text, count in zip(facts.labels, facts.counts, strict=True):
        if text is not None:
            counts[text] += int(count)
    folded = {text.casefold() for text in counts}
    boolean = any(folded <= words for words in BOOLEANS)
    merged = merge_spellings(counts, boolean=boolean)
    for found, meant in merged:
        counts[meant] += counts.pop(found)
    ordered = sorted(counts, key=lambda text: (-counts[text], text))
    distinct, missing = len(counts), facts.rows - present
    kind = "category"
    if distinct == 1 and not missing:
        kind = "constant"
    elif boolean:
        kind = "boolean"
    elif _is_text(ordered, present):
        kind = "text"
    elif distinct >= max(20, 0.99 * present):
        kind = "id"
    return ColumnKind(name, kind, facts.rows, missing, distinct, values=tuple(ordered[:MAX_VALUES]),
                      counts=tuple(counts[text] for text in ordered[:MAX_VALUES]), merged=tuple(merged))  # fmt: skip


def _is_text(labels: list[str], present: int) -> bool:
    """Sentences rather than labels: many different ones, of several words each."""
    if len(labels) < max(20, present * 0.5):
        return False
    some = labels[:1000]
    words = sum(len(text.split()) for text in some) / len(some)
    return words >= 3 or sum(len(text) for text in some) / len(some) > 60


def merge_spellings(counts: Counter[str], *, boolean: bool = False) -> list[tuple[str, str]]:
    """Labels that differ in case or spaces only from a more frequent one, as (found, meant).

    Single letters are left alone ("a" and "A" may be two things), unless they answer yes or no.
    """
    from automl_agent.tasks.tables.shared.table_values import fold

    spellings: dict[str, list[str]] = {}
    for text in sorted(counts, key=lambda text: (-counts[text], text)):
        spellings.setdefault(fold(text), []).append(text)
    same = (texts for key, texts in spellings.items() if len(texts) > 1 and (boolean or len(key) > 1))
    return [(other, texts[0]) for texts in same for other in texts[1:]]
