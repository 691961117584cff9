"""Constraints as comparisons of numbers (or of names), with a sentence for people."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping

from automl_agent.records import Constraint, ConstraintCheck

Measured = Mapping[str, float | str | tuple[str, ...] | None]

_COMPARE = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt, "==": operator.eq}


def check_constraints(constraints: Iterable[Constraint], measured: Measured) -> tuple[ConstraintCheck, ...]:
    """Check each constraint against what was measured; a measure that is missing counts as not met."""
    return tuple(_check(constraint, measured.get(constraint.measure)) for constraint in constraints)


def missed(checks: Iterable[ConstraintCheck]) -> tuple[ConstraintCheck, ...]:
    return tuple(check for check in checks if not check.met)


def _check(constraint: Constraint, measured: float | str | tuple[str, ...] | None) -> ConstraintCheck:
    fields = {name: getattr(constraint, name) for name in ("measure", "comparison", "value", "unit")}
    if constraint.comparison in ("in", "not in"):
        return _check_names(constraint, measured, fields)
    value = constraint.value
    met = (
        isinstance(measured, int | float)
        and isinstance(value, int | float)
        and bool(_COMPARE[constraint.comparison](measured, value))
    )
    unit = f" {constraint.unit}" if constraint.unit else ""
    shown = f"{measured:.4g}{unit}" if isinstance(measured, int | float) else "not measured"
    wanted = f"{value:g}" if isinstance(value, int | float) else str(value)
    text = (
        f"{constraint.measure} {constraint.comparison} {wanted}{unit}: measured {shown}, {'met' if met else 'missed'}"
    )
    return ConstraintCheck(**fields, measured=measured, met=met, text=text)


def _check_names(
    constraint: Constraint, measured: float | str | tuple[str, ...] | None, fields: dict[str, object]
) -> ConstraintCheck:
    """`measured` holds the names that violate or follow the wish, as decided with the candidates' tags."""
    met = measured == ()
    wanted = constraint.value if isinstance(constraint.value, tuple) else (str(constraint.value),)
    found = ", ".join(measured) if isinstance(measured, tuple) else str(measured)
    outcome = "met" if met else f"missed by {found}"
    return ConstraintCheck.model_validate(
        {
            **fields,
            "measured": measured,
            "met": met,
            "text": f"{constraint.measure} {constraint.comparison} {', '.join(wanted)}: {outcome}",
        }
    )
