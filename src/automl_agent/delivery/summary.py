"""The result of a run in a few lines of plain text, for a terminal or a chat."""

from __future__ import annotations

from pathlib import Path

from automl_agent.delivery.beside import side_by_side
from automl_agent.delivery.gain import gained
from automl_agent.delivery.spending import Spending, outcome_name
from automl_agent.delivery.subgroups import group_lines
from automl_agent.delivery.words import DASH, MEASURES, apart, limit, number, paragraphs, plural, printable, short
from automl_agent.records import Constraint, ConstraintCheck, Report

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
    reason = report.reason if report.status != "missed" else ""  # the constraints below say it
    parts = [
        [_TITLES[report.status], *([reason] if reason else [])],
        paragraphs(report.summary) if report.summary_by == "model" else [],
        _choices(report),
        _score(report),
        group_lines(report.subgroups),
        [_constraint(check) for check in report.constraints if check.measured is not None],
        _beside(report),
        *([_understood(report), _plans(report)] if report.status == "planned" else []),
        [*_spent(report), *_code(report)],
        [f"warning: {warning}" for warning in report.warnings],
        _places(report),
        _next(report),
    ]
    return printable("\n\n".join("\n".join(part) for part in parts if part))


def score_line(report: Report) -> str:
    """The score on the locked test in half a line; empty when there is none."""
    if report.score is None:
        return ""
    return f"{report.metric.get('name', 'score')} {number(report.score)} on the locked test"


def _choices(report: Report) -> list[str]:
    question = report.question
    return [f"  {position}. {choice}" for position, choice in enumerate(question.choices, 1)] if question else []


def _score(report: Report) -> list[str]:
    line = score_line(report)
    if not line:
        return []
    interval = report.metric.get("interval")
    if isinstance(interval, list) and len(interval) == 2:
        line += f" (95 % interval {number(interval[0])} to {number(interval[1])})"
    if report.metric.get("higher_is_better") is False:
        line += "; lower is better"
    baseline = report.metric.get("baseline")
    trivial = [f"  a trivial model reaches {number(baseline)}"] if isinstance(baseline, int | float) else []
    return [*_task(report), f"  {line}", *trivial]


def _task(report: Report) -> list[str]:
    family, target = report.task.get("family"), report.task.get("target")
    weight = f", rows weighted by {report.task['weight']!r}" if report.task.get("weight") else ""
    what = f" of {target!r}" if target else ""
    return [f"{str(family).replace('_', ' ').capitalize()}{what}{weight}"] if family else []


def _constraint(check: ConstraintCheck) -> str:
    measured = f"{apart(check.measured, check.value)[0]} {check.unit}".rstrip()
    return f"  {'met   ' if check.met else 'MISSED'}  {requirement(check)}: measured {measured}"


def _beside(report: Report) -> list[str]:
    """The run that was varied and this one, line by line."""
    earlier = report.earlier
    if earlier is None:
        return []
    seen = side_by_side(earlier)
    changes = f": {'; '.join(earlier.changes)}" if earlier.changes else ", with nothing changed"
    rows = [row for row in seen["rows"] if row["now"] != DASH]
    width = max((len(row["title"]) for row in rows), default=0)
    lines = [f"  {row['title']:<{width}}  {row['before']} before, {row['now']} now" for row in rows]
    return [f"Varies run {earlier.run_id}{changes}", *lines, *(f"  {text}" for text in seen["notes"])]


def requirement(wanted: Constraint | ConstraintCheck) -> str:
    """A requirement in words: `accuracy at least 0.93`."""
    name = MEASURES.get(wanted.measure, wanted.measure)
    return (
        f"{name.lower() if name in MEASURES.values() else name} {limit(wanted.comparison, wanted.value, wanted.unit)}"
    )


def _spent(report: Report) -> list[str]:
    """Calls, tokens and money, and how many calls were answered by the rules instead."""
    if not report.calls:
        return []
    spent = Spending(report.calls)
    failed = {kind: count for kind, count in spent.outcomes.items() if kind != "ok"}
    lost = ", ".join(f"{count} {outcome_name(kind)}" for kind, count in failed.items())
    said = f"; {sum(failed.values())} without an answer that could be used ({lost})" if failed else ""
    return [f"Language model {', '.join(spent.models)}: {spent}{said}"]


def _code(report: Report) -> list[str]:
    """What became of each module that a language model wrote."""
    if not report.code:
        return []
    higher = report.metric.get("higher_is_better") is not False
    lines = []
    for module in report.code:
        brought = gained(module, higher_is_better=higher)
        why = f": {short(module.reason, 100)}" if module.reason and module.status != "kept" else ""
        lines.append(f"  {module.status:<8}{short(module.title, 60)}{brought and f', {brought}'}{why}")
    return [f"It wrote {plural(len(report.code), 'module')} of code:", *lines]


def _understood(report: Report) -> list[str]:
    """What was taken for what, and why."""
    inferred, required = report.task.get("inferred"), report.task.get("required")
    lines = [f"  {line}" for line in inferred] if isinstance(inferred, list) else []
    lines += [f"  required: {line}" for line in required] if isinstance(required, list) else []
    return ["Understood:", *lines] if lines else []


def _plans(report: Report) -> list[str]:
    lines = []
    for position, plan in enumerate(report.plans, 1):
        models, steps = (_listed(plan.get(name)) for name in ("models", "steps"))
        author = " (by the language model)" if plan.get("by") == "model" else ""
        title = short(str(plan.get("title", "")), 100)
        lines += [f"  {position}. {title}{author}", f"     models {models}; data steps {steps or 'none'}"]
    return ["Plans:", *lines] if lines else []


def _listed(names: object) -> str:
    return ", ".join(names) if isinstance(names, list) else ""


def _places(report: Report) -> list[str]:
    missed = "; it says what would help" if report.status == "missed" else ""
    named = {
        "bundle": (report.bundle, "the model, with all that it needs to run"),
        "report": (report.report, f"open it in a browser{missed}"),
        "predictions": (report.predictions, "the test rows with what the model says"),
        "submission": (report.submission and report.submission.path, _submitted(report)),
    }
    width = max((len(_short(place)) for place, _ in named.values() if place), default=0)
    return [f"  {name:<12}{_short(place):<{width}}  {what}" for name, (place, what) in named.items() if place]


def _submitted(report: Report) -> str:
    """What was made of the rows without target."""
    made = report.submission
    if made is None:
        return ""
    return f"the {made.rows:,} rows of {made.file} predicted; {made.form}" + ("" if made.ok else f"; {made.text}")


def _next(report: Report) -> list[str]:
    if report.status == "planned":
        return ["Next: the same command without --plan-only. Correct what was understood with --target, --positive,",
                "--metric, --time, --group or --ignore."]  # fmt: skip
    if not report.bundle:
        return []
    bundle = _short(report.bundle)
    commands = {
        f"automl-agent predict {bundle} NEW.csv": "predict the rows of a file",
        f"automl-agent serve {bundle}": "answer over HTTP",
        f"automl-agent verify {bundle}": "check that it still is what was graded",
    }
    width = max(map(len, commands))
    return ["Next:", *(f"  {command:<{width}}  {what}" for command, what in commands.items())]


def _short(place: str) -> str:
    """Relative to the current folder where that is shorter to type."""
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else place
