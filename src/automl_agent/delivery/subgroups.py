"""Scores by subgroup in words: the table, and the sentences that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from automl_agent.delivery.words import DASH, inline, limit, listing, number, percent, plural, short, title
from automl_agent.records import Breakdown, Constraint, Grade, Subgroup, TaskSpec

_RATES = {
    "predicted_positive": "Predicted positive",
    "recall": "Recall",
    "false_positive_rate": "False-positive rate",
}
_LONGEST = 40
"""Letters of a group's name."""


def group_table(breakdown: Breakdown, metric: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows: group, rows, score, interval, the rates where there are two classes, and a remark."""
    rates = _rates(breakdown)
    head = ("Group", "Rows", metric, "95 % interval", *(_RATES[name] for name in rates), "")
    rows = [
        (
            short(group.name, _LONGEST), number(group.rows), number(group.score), _interval(group),
            *(_share(getattr(group, name)) for name in rates), remark(group),
        )
        for group in breakdown.groups
    ]  # fmt: skip
    return head, rows


def remark(group: Subgroup) -> str:
    """What must be known of a group's score; mostly nothing."""
    if not group.enough:
        return "too small to judge"
    return "worse" if group.worse else ""


def group_lines(breakdowns: Sequence[Breakdown]) -> list[str]:
    """The scores for a terminal: one line for each group."""
    lines = []
    for breakdown in breakdowns:
        width = max(len(short(group.name, _LONGEST)) for group in breakdown.groups)
        lines.append(f"By {short(breakdown.column, _LONGEST)}:")
        for group in breakdown.groups:
            within = f" ({_interval(group)})" if group.interval else ""
            said = f"  {remark(group)}" if remark(group) else ""
            rows = plural(group.rows, "row")
            lines.append(f"  {short(group.name, _LONGEST):<{width}}  {number(group.score)}{within}, {rows}{said}")
    return lines


def weak_groups(grade: Grade, task: TaskSpec) -> list[str]:
    """What to watch: groups that are clearly worse than the whole, and those that miss a limit on the metric."""
    sentences = []
    for breakdown in grade.subgroups:
        column = short(breakdown.column, 60)
        for group in breakdown.groups:
            if group.worse:
                sentences.append(
                    f"By {column}, {_value(group)} is worse than the whole: {inline(title(grade.metric))} "
                    f"{number(group.score)} (95 % interval {_interval(group)}) in {plural(group.rows, 'test row')}, "
                    f"against {number(grade.score)} in all."
                )
        for constraint in task.constraints:
            if constraint.measure == grade.metric:
                sentences += _missing(breakdown, column, constraint)
    return sentences


def rate_spans(breakdown: Breakdown) -> str:
    """From where to where the rates go among the groups that are large enough; empty where there are no two."""
    judged = [group for group in breakdown.groups if group.enough]
    parts = []
    for name in _rates(breakdown):
        known = sorted((group for group in judged if getattr(group, name) is not None), key=attrgetter(name))
        if len(known) > 1:
            lowest, highest = (
                f"{percent(getattr(group, name))} ({short(group.name, _LONGEST)})" for group in (known[0], known[-1])
            )
            parts.append(f"{inline(_RATES[name])} {lowest} to {highest}")
    return f"Among the groups that are large enough: {'; '.join(parts)}." if parts else ""


def _missing(breakdown: Breakdown, column: str, constraint: Constraint) -> list[str]:
    """The groups that do not reach a limit. The verdict is on all rows: here it is told, not decided."""
    bound, least = constraint.value, constraint.comparison in (">=", ">")
    if not isinstance(bound, int | float) or constraint.comparison not in (">=", ">", "<=", "<"):
        return []
    short_of = [
        f"{_value(group)} ({number(group.score)})"
        for group in breakdown.groups
        if group.enough and group.score is not None and (group.score < bound if least else group.score > bound)
    ]
    if not short_of:
        return []
    wanted = f"{title(constraint.measure)} {limit(constraint.comparison, bound, constraint.unit)}"
    return [f"{wanted} is checked on all test rows; by {column}, these groups do not reach it: {listing(short_of)}."]


def _rates(breakdown: Breakdown) -> list[str]:
    """The rates that at least one group has."""
    return [name for name in _RATES if any(getattr(group, name) is not None for group in breakdown.groups)]


def _interval(group: Subgroup) -> str:
    return f"{number(group.interval[0])} to {number(group.interval[1])}" if group.interval else DASH


def _share(value: float | None) -> str:
    return DASH if value is None else percent(value)


def _value(group: Subgroup) -> str:
    """A group inside a sentence."""
    own = group.name.startswith("(") and group.name.endswith(")")
    name = short(group.name, _LONGEST)
    return f"one of the {name[1:-1]}" if own and "other" in name else name[1:-1] if own else f"'{name}'"
