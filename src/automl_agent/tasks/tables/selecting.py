"""Which columns a model may see: the roles that the user gave, the kinds found, and what is left out and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding, TaskSpec
from automl_agent.tasks.tables.kinds import MAX_VALUES, ColumnKind, find_kind
from automl_agent.tasks.tables.reading import Table
from automl_agent.tasks.tables.targets import find_column

if TYPE_CHECKING:
    import pandas as pd

_REPEATED_ID = re.compile(r"(^|[^a-z])(id|uuid|guid)$|[a-z](ID|Id)$")


@dataclass(frozen=True)
class Roles:
    """Columns by what they are for, with the names that the table has."""

    target: str
    time: str | None = None
    group: str | None = None
    weight: str | None = None
    ignore: tuple[str, ...] = ()


def find_roles(task: TaskSpec, table: Table, source: str) -> Roles:
    """Resolve the columns that a task names.

    Raises:
        InputError: one does not exist, or the target cannot be told from a column of the same name.
    """
    names = [str(name) for name in table.frame.columns]
    if not task.target:
        raise InputError("It is not said which column is to be predicted.", hint=f"Columns: {', '.join(names[:20])}.")
    target = find_column(task.target, names, f"the target, in {source!r}")
    if target in table.repeated:
        raise InputError(
            f"Column {target!r}, the target, stands more than once in {source!r}.", hint="Rename one of them."
        )
    time = find_column(task.time, names, "the time") if task.time else None
    group = find_column(task.group, names, "the group") if task.group else None
    weight = find_column(task.weight, names, "the weight") if task.weight else None
    for role, name in (("time", time), ("group", group), ("weight", weight)):
        if name == target:
            raise InputError(f"Column {target!r} cannot be both the target and the {role}.")
    if weight and weight in table.repeated:
        raise InputError(
            f"Column {weight!r}, the weight, stands more than once in {source!r}.", hint="Rename one of them."
        )
    ignore = tuple(find_column(name, names, "to ignore") for name in task.ignore)
    if target in ignore:
        raise InputError(f"Column {target!r} cannot be both the target and ignored.")
    return Roles(target, time, group, weight, ignore)


@dataclass(frozen=True)
class Selection:
    """The columns that models may see, and the others."""

    kept: dict[str, ColumnKind]
    dropped: dict[str, str]
    """Name -> reason."""
    findings: tuple[Finding, ...]


def select_columns(frame: pd.DataFrame, roles: Roles, decimal: str) -> Selection:
    """Sort the columns of the labelled rows.

    Raises:
        InputError: none is left.
    """
    kept: dict[str, ColumnKind] = {}
    dropped = dict.fromkeys(roles.ignore, "ignored")
    if roles.group:
        dropped[roles.group] = "group"
    if roles.weight:
        dropped[roles.weight] = "weight"
    findings: list[Finding] = []
    for name in map(str, frame.columns):
        if name == roles.target or name in dropped:
            continue
        kind = find_kind(frame[name], decimal, name)
        reason = "nested" if kind.nested else kind.kind if kind.kind in ("id", "constant", "empty") else ""
        if reason and not (reason == "id" and name == roles.time):
            dropped[name] = reason
        elif kind.kind == "id":  # a time that counts the rows
            dropped[name] = "time"
        else:
            kept[name] = kind
            findings += _remarks(kind)
    findings = _dropped_findings(dropped) + findings
    if not kept:
        raise InputError(f"Besides the target {roles.target!r} the table has no column that could predict anything.",
                         hint=_why_none(dropped))  # fmt: skip
    return Selection(kept, dropped, tuple(findings))


def _why_none(dropped: dict[str, str]) -> str:
    """Why each column was left out, the first five of them."""
    reasons = {"id": "names rows", "constant": "has one value only", "empty": "is empty", "ignored": "is ignored",
               "nested": "holds lists or objects", "time": "orders the rows", "group": "groups the rows",
               "weight": "weights the rows"}  # fmt: skip
    parts = [f"{name!r} {reasons.get(reason, reason)}" for name, reason in list(dropped.items())[:5]]
    return f"Left out: {', '.join(parts)}." if parts else ""


_REASONS = {
    "id": "number the rows or name them one by one",
    "constant": "have the same value everywhere",
    "empty": "have no values",
    "nested": "hold lists, objects or binary data",
    "group": "only bind rows together",
}


def _dropped_findings(dropped: dict[str, str]) -> list[Finding]:
    found = []
    for reason, text in _REASONS.items():
        if names := tuple(name for name, why in dropped.items() if why == reason):
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            text = f"columns that {text}: {shown}"
            found.append(Finding(kind=reason, columns=names, count=len(names), text=text, action="dropped"))
    return found


def _remarks(kind: ColumnKind) -> list[Finding]:
    """What was put right in a column that is kept."""
    name, found = kind.name, []
    if kind.infinite:
        text = f"{kind.infinite} infinite values in {name!r}"
        found.append(
            Finding(kind="infinite", columns=(name,), count=kind.infinite, text=text, action="replaced by missing")
        )
    if kind.unreadable_rows:
        words = ", ".join(repr(word) for word in kind.unreadable[:3])
        text = f"{kind.unreadable_rows} values in {name!r} are no {kind.kind}s (such as {words})"
        found.append(
            Finding(kind="mixed", columns=(name,), count=kind.unreadable_rows, text=text, action="replaced by missing")
        )
    if kind.merged:
        pairs = ", ".join(f"{other!r} is {meant!r}" for other, meant in kind.merged[:3])
        text = f"spellings in {name!r} were merged ({pairs})"
        found.append(Finding(kind="spelling", columns=(name,), count=len(kind.merged), text=text, action="merged"))
    repeats = 2 * kind.distinct <= kind.rows and kind.distinct >= max(20, 0.02 * kind.rows)
    if kind.kind in ("number", "category") and repeats and _REPEATED_ID.search(name) and (kind.integer or kind.values):
        text = f"{name!r} looks like the id of something with several rows; name it as the group to keep these together"
        found.append(Finding(kind="repeated_id", columns=(name,), count=kind.distinct, text=text, action="kept"))
    return found


def draft_columns(kinds: dict[str, ColumnKind]) -> list[dict[str, Any]]:
    """Columns of a schema as far as kinds go: enough to type a table, before anything is measured."""
    return [
        {"name": name, "kind": kind.kind, "format": kind.format, "integer": kind.integer, "values": list(kind.values)}
        for name, kind in kinds.items()
    ]


def measured_column(kind: ColumnKind, values: pd.Series[Any]) -> dict[str, Any]:
    """A column of the schema, measured on typed training rows."""
    import numpy as np

    column: dict[str, Any] = {"name": kind.name, "kind": kind.kind}
    missing = int(values.isna().sum()) if kind.kind != "text" else int((values == "").sum())
    if kind.kind == "number":
        present = values.dropna().to_numpy()
        low, high, middle = (float(how(present)) if len(present) else None for how in (np.min, np.max, np.median))
        return column | {"integer": kind.integer, "min": low, "max": high, "median": middle, "missing": missing}
    if kind.kind == "date":
        low, high = (getattr(values, how)().isoformat() if missing < len(values) else None for how in ("min", "max"))
        return column | {"format": kind.format, "min": low, "max": high, "missing": missing}
    if kind.kind == "text":
        return column | {"max_length": int(values.str.len().max()), "missing": missing}
    counts = values.value_counts()
    levels = (
        sorted(counts.index, key=lambda text: (-counts[text], text))
        if len(counts) <= MAX_VALUES
        else list(counts.index)
    )
    return column | {"values": [str(text) for text in levels[:MAX_VALUES]], "distinct": len(counts),
                     "mode": str(levels[0]) if levels else None, "missing": missing}  # fmt: skip
