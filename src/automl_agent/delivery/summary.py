"""The result of a run in a few lines of plain text, for a terminal or a chat."""

from __future__ import annotations

from pathlib import Path

from automl_agent.records import ConstraintCheck, Report

_TITLES = {
    "delivered": "A model was delivered.",
    "missed": "A model was delivered, but not everything that was asked for was reached.",
    "refused": "The request was refused.",
    "needs_answer": "A question must be answered first.",
    "planned": "Plans were made; nothing was trained.",
    "failed": "The run failed.",
}


def summarize(report: Report) -> str:
    """Score against the baseline, constraints, where things are, and what to do next."""
    parts = [
        [_TITLES[report.status], *([report.reason] if report.reason else [])],
        _choices(report),
        _score(report),
        [_constraint(check) for check in report.constraints if check.measured is not None],
        _plans(report) if report.status == "planned" else [],
        [f"warning: {warning}" for warning in report.warnings],
        _places(report),
        _next(report),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def score_line(report: Report) -> str:
    """The score on the locked test in half a line; empty when there is none."""
    if report.score is None:
        return ""
    return f"{report.metric.get('name', 'score')} {_number(report.score)} on the locked test"


def _choices(report: Report) -> list[str]:
    question = report.question
    return [f"  {number}. {choice}" for number, choice in enumerate(question.choices, 1)] if question else []


def _score(report: Report) -> list[str]:
    line = score_line(report)
    if not line:
        return []
    interval = report.metric.get("interval")
    if isinstance(interval, list) and len(interval) == 2:
        line += f" (95 % interval {_number(interval[0])} to {_number(interval[1])})"
    baseline = report.metric.get("baseline")
    if isinstance(baseline, int | float):
        line += f"; the baseline has {_number(baseline)}"
    return [*_task(report), f"  {line}"]


def _task(report: Report) -> list[str]:
    family, target = report.task.get("family"), report.task.get("target")
    return [f"{str(family).replace('_', ' ').capitalize()}" + (f" of {target!r}" if target else "")] if family else []


def _constraint(check: ConstraintCheck) -> str:
    required = f"{check.measure} {check.comparison} {_value(check.value)} {check.unit}".rstrip()
    measured = f"{_value(check.measured)} {check.unit}".rstrip()
    return f"  {'met   ' if check.met else 'MISSED'}  {required}, measured {measured}"


def _plans(report: Report) -> list[str]:
    lines = _task(report)
    lines += [f"  {number}. {plan.get('title', '')}" for number, plan in enumerate(report.plans, 1)]
    return lines


def _places(report: Report) -> list[str]:
    named = {"bundle": report.bundle, "report": report.report, "predictions": report.predictions}
    return [f"  {name:<12}{_short(place)}" for name, place in named.items() if place]


def _next(report: Report) -> list[str]:
    if not report.bundle:
        return []
    bundle = _short(report.bundle)
    return ["Next:", *(f"  automl-agent {command}" for command in (f"predict {bundle} NEW.csv", f"serve {bundle}",
                                                                   f"verify {bundle}"))]  # fmt: skip


def _short(place: str) -> str:
    """Relative to the current folder where that is shorter to type."""
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else place


def _value(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(part) for part in value)
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.4g}"
