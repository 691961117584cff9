"""What the page shows, as plain values: texts are left unescaped (the template escapes), numbers are written."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from automl_agent.delivery.beside import side_by_side
from automl_agent.delivery.report.advice import advise, nearest
from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.report.model_view import modules, spending, summary
from automl_agent.delivery.report.plan_view import AUTHORS, knowledge, plans, revisions
from automl_agent.delivery.report.plots.data import missing_share
from automl_agent.delivery.report.watch import watch
from automl_agent.delivery.subgroups import group_table, rate_spans
from automl_agent.delivery.words import (
    DASH,
    apart,
    duration,
    inline,
    limit,
    listing,
    number,
    percent,
    plural,
    quantity,
    short,
    title,
)
from automl_agent.records import Breakdown, ConstraintCheck

_OPTIONS = {
    "target": "--target COLUMN", "positive": "--positive VALUE", "metric": "--metric NAME", "time": "--time COLUMN",
    "group": "--group COLUMN", "weight": "--weight COLUMN", "ignore": "--ignore COLUMN", "by": "--by COLUMN",
    "dataset": "--data PATH", "data": "--data PATH", "family": "--family NAME", "test_data": "--test-data PATH",
    "budget": "--budget SECONDS", "based_on": "--from RUN", "order": "--set order=LOW,MEDIUM,HIGH",
}  # fmt: skip
_COLUMNS_SHOWN = 300
_KINDS = {"category": "categories", "boolean": "yes/no columns", "text": "texts"}
_TARGET_FACTS = {
    "largest_share": "Share of the commonest class",
    "minority_share": "Share of the rarest class",
    "minority_rows": "Training rows of the rarest class",
}


def view(content: ReportContent) -> dict[str, Any]:
    return {
        "headline": _headline(content),
        "summary": summary(content),
        "understood": _understood(content),
        "earlier": side_by_side(content.earlier) if content.earlier else None,
        "constraints": [_constraint(content, *row) for row in content.checks],
        "missed": {"nearest": nearest(content), "advice": advise(content)} if content.missed else None,
        "data": _data(content),
        "plans": plans(content),
        "knowledge": knowledge(content),
        "revisions": revisions(content),
        "code": modules(content),
        "ensemble": _ensemble(content),
        "test": _test(content),
        "subgroups": [_subgroups(content, breakdown) for breakdown in content.grade.subgroups],
        "watch": watch(content),
        "usage": _usage(content),
        "times": _times(content),
        "spending": spending(content),
    }


def _headline(content: ReportContent) -> dict[str, Any]:
    solution, grade, missed = content.solution, content.grade, len(content.missed)
    asked = len(content.checks)
    if not asked:
        verdict = "No requirement was set"
    elif missed:
        verdict = f"{missed} of {plural(asked, 'requirement')} missed"
    else:
        all_met = {1: "The requirement is met", 2: "Both requirements are met"}
        verdict = all_met.get(asked, f"All {asked} requirements are met")
    fitted = sum(len(member.folds) for member in solution.members)
    return {
        "verdict": verdict if content.met or missed else "Not everything is met: see the verdict below",
        "met": content.met,
        "target": content.task.target,
        "metric": inline(content.metric.title),
        "names": listing(
            list(dict.fromkeys(content.name(member.candidate).replace("_", " ") for member in solution.members))
        ),
        "score": number(grade.score),
        "plain": _plainly(content),
        "baseline": number(grade.baseline),
        "interval": [number(end) for end in grade.interval],
        "facts": [
            (f"{content.metric.title} on the test", number(grade.score)),
            ("on validation", number(solution.score)),
            ("trivial baseline", number(grade.baseline)),
            ("answer for one row", quantity(solution.latency_ms, "ms")),
            ("size", quantity(solution.size_mb, "MB")),
            ("fitted models", number(fitted)),
        ],
    }


def _plainly(content: ReportContent) -> str:
    """What the model does on the test rows, without a metric's name."""
    import numpy as np

    truth, predicted = content.truth, content.predicted
    if truth is None or predicted is None or not len(truth) or content.task.target is None:
        return ""
    if not content.classes:
        off = number(float(np.median(np.abs(truth - predicted))), 3)
        return f"Half of its predictions are off by less than {off}."
    if content.positive is None:
        return f"It answers {number(int((truth == predicted).sum()))} of {plural(len(truth), 'row')} right."
    name = short(content.classes[content.positive])
    is_so, said = truth == content.positive, predicted == content.positive
    both = int((is_so & said).sum())
    found = f"Of {plural(int(is_so.sum()), 'row')} that are “{name}” it finds {number(both)}"
    return f"{found}; of {number(int(said.sum()))} that it calls “{name}”, {number(both)} are."


def _understood(content: ReportContent) -> list[dict[str, str]]:
    rows = []
    for inference in content.task.inferences:
        how = _OPTIONS.get(inference.field, "say it in the request")
        said = AUTHORS[inference.by] + ("" if inference.sure else ", not sure")
        rows.append({"field": title(inference.field), "value": inference.value, "reason": inference.reason,
                     "by": said, "how": how})  # fmt: skip
    return rows


def _constraint(
    content: ReportContent,
    check: ConstraintCheck,
    on_validation: ConstraintCheck | None,
    on_test: ConstraintCheck | None,
) -> dict[str, Any]:
    said = [one.words for one in content.task.constraints if one.measure == check.measure and one.words]
    met = all(one.met for one in (on_validation, on_test) if one is not None)
    return {
        "title": content.metric.title if check.measure == content.metric.name else title(check.measure),
        "words": said[0] if said else "",
        "limit": limit(check.comparison, check.value, check.unit),
        "validation": _measured(on_validation),
        "test": _measured(on_test),
        "met": met,
    }


def _measured(check: ConstraintCheck | None) -> dict[str, Any]:
    if check is None:
        return {"text": DASH, "met": True}
    text = apart(check.measured, check.value)[0] if check.measured is not None else "not measured"
    return {"text": f"{text} {check.unit}".strip(), "met": check.met}


def _data(content: ReportContent) -> dict[str, Any]:
    profile = content.profile
    kinds = [
        plural(count, kind, _KINDS.get(kind, ""))
        for kind, count in sorted(profile.kinds.items(), key=lambda pair: -pair[1])
    ]
    facts = [
        ("Training rows", number(profile.rows_train)),
        ("Locked test rows", number(profile.rows_test)),
        ("Feature columns", f"{number(profile.columns)} ({', '.join(kinds)})" if kinds else number(profile.columns)),
        ("Split", profile.split or DASH),
        ("Folds", _folds(content)),
        *([("Rows are weighted by", content.task.weight)] if content.task.weight else []),
        *((_TARGET_FACTS.get(name, title(name)), _target_fact(name, value)) for name, value in profile.target.items()),
    ]
    columns = [
        {
            "name": str(fact["name"]), "kind": str(fact.get("kind", "")), "distinct": number(fact.get("distinct")),
            "missing": percent(missing_share(fact, profile.rows_train)), "mean": number(fact.get("mean")),
            "std": number(fact.get("std")), "relation": number(fact.get("relation"), 3),
        }
        for fact in content.columns[:_COLUMNS_SHOWN]
    ]  # fmt: skip
    return {"facts": facts, "columns": columns, "more": max(len(content.columns) - _COLUMNS_SHOWN, 0)}


def _folds(content: ReportContent) -> str:
    """Of the training rows, and how many of them the delivered models were trained on where that was not all."""
    members = {member.trial for member in content.solution.members}
    trained = max((trial.fidelity.folds for trial in content.trials if trial.id in members), default=0)
    if not 0 < trained < content.profile.folds:
        return number(content.profile.folds)
    return f"{content.profile.folds}, of which {trained} were trained: all take more time than there was."


def _target_fact(name: str, value: Any) -> str:
    return percent(value) if name.endswith("_share") and isinstance(value, float) else number(value)


def _ensemble(content: ReportContent) -> dict[str, Any]:
    titles = {plan.id: plan.title for plan in content.plans}
    solution = content.solution
    members = [
        {
            "candidate": content.name(member.candidate), "plan": titles.get(member.plan, DASH),
            "steps": ", ".join(member.steps) or DASH,
            "params": ", ".join(f"{name} {number(value, 3)}" for name, value in member.params.items()) or "defaults",
            "weight": percent(member.weight), "share": round(min(max(member.weight, 0.0), 1.0), 4),
            "folds": len(member.folds), "score": number(member.score), "latency": quantity(member.latency_ms, "ms"),
        }
        for member in solution.members
    ]  # fmt: skip
    facts = [
        ("Validation score", _with_interval(solution.score, solution.interval)),
        ("Latency of one row, 95th percentile", quantity(solution.latency_ms, "ms")),
        ("Size", quantity(solution.size_mb, "MB")),
        ("Training time of all that ships", duration(solution.train_seconds)),
        ("Memory", quantity(solution.memory_mb, "MB")),
        ("Trials run", number(solution.trials_run)),
    ]
    if solution.temperature != 1.0:
        how = "bolder" if solution.temperature < 1 else "more cautious"
        facts.insert(1, ("Temperature of the probabilities", f"{number(solution.temperature)} ({how} than the models)"))
    if solution.threshold is not None:
        facts.insert(1, _rule(content, solution.threshold))
    if content.bundle.server is not None and content.bundle.server.http_ms is not None:
        facts.append(("One prediction over HTTP, median", quantity(content.bundle.server.http_ms, "ms")))
    return {"members": members, "facts": facts}


def _rule(content: ReportContent, threshold: float | tuple[float, ...]) -> tuple[str, str]:
    """How an answer is taken from the probabilities."""
    if isinstance(threshold, float):
        positive = content.classes[content.positive] if content.positive is not None else "the positive class"
        return "Threshold", f"“{positive}” from a probability of {number(threshold)} on"
    if len(threshold) == len(content.classes):
        each = ", ".join(f"{name} {number(weight)}" for name, weight in zip(content.classes, threshold, strict=True))
        return "Weights of the classes' probabilities", each
    above = ", ".join(f"{name} from {number(cut)}" for name, cut in zip(content.classes[1:], threshold, strict=True))
    return f"Cuts of the mean place in the order, {content.classes[0]} being 0", above


def _with_interval(score: float, interval: tuple[float, float] | None) -> str:
    return number(score) + (f" ({number(interval[0])} to {number(interval[1])})" if interval else "")


def _test(content: ReportContent) -> dict[str, Any]:
    grade = content.grade
    rows = [(content.metric.title, _with_interval(grade.score, grade.interval))]
    rows += [(title(name), number(value)) for name, value in grade.others.items() if name != grade.metric]
    if grade.coverage is not None:
        rows.append(("Targets inside the 90 % prediction interval", percent(grade.coverage)))
    return {"metrics": rows, "classes": _per_class(content), "weight": content.task.weight}


def _per_class(content: ReportContent) -> list[dict[str, str]]:
    """Precision and recall of each class on the test."""
    import numpy as np

    truth, predicted = content.truth, content.predicted
    if truth is None or predicted is None or not content.classes:
        return []
    truth, predicted = truth.astype(int), predicted.astype(int)
    size = len(content.classes)
    rows, answers = np.bincount(truth, minlength=size), np.bincount(predicted, minlength=size)
    right = np.bincount(truth[truth == predicted], minlength=size)
    return [
        {
            "name": name,
            "rows": number(int(rows[code])),
            "recall": percent(right[code] / rows[code]) if rows[code] else DASH,
            "precision": percent(right[code] / answers[code]) if answers[code] else DASH,
        }
        for code, name in enumerate(content.classes)
    ]


def _subgroups(content: ReportContent, breakdown: Breakdown) -> dict[str, Any]:
    head, rows = group_table(breakdown, content.metric.title)
    classes = [group.worse for group in breakdown.groups]
    return {"column": breakdown.column, "head": head, "rows": list(zip(rows, classes, strict=True)),
            "spans": rate_spans(breakdown)}  # fmt: skip


def _usage(content: ReportContent) -> list[dict[str, str]]:
    bundle = shlex.quote(content.bundle.path)
    inside = shlex.quote(str(Path(content.bundle.path).expanduser().absolute()))
    alone = f"cd {inside}\npip install -r requirements.txt\npython predict.py new.csv\npython serve.py"
    request = "curl -s http://127.0.0.1:8000/predict -H 'Content-Type: application/json' -d @sample_request.json"
    return [
        {"title": "Predict the rows of a file", "code": f"automl-agent predict {bundle} new.csv"},
        {"title": "Serve over HTTP", "code": f"automl-agent serve {bundle}"},
        {"title": "Check that the bundle is what was graded", "code": f"automl-agent verify {bundle}"},
        {"title": "Without the library: the bundle stands on its own", "code": alone},
        {"title": "Ask a running server", "code": f"cd {inside}\n{request}"},
        {"title": "Train again on new data of the same shape", "code": f"cd {inside}\npython train.py --data new.csv"},
    ]


def _times(content: ReportContent) -> dict[str, Any]:
    total = content.seconds.get("total") or sum(content.seconds.values()) or 1.0
    stages = [
        {"name": name.replace("_", " "), "text": duration(value), "share": round(min(max(value / total, 0.0), 1.0), 4)}
        for name, value in content.seconds.items()
        if name != "total"
    ]
    return {"stages": stages, "total": duration(total)}
