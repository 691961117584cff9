"""What to watch, whether or not everything was met: sentences that follow from measured facts."""

from __future__ import annotations

import math

from automl_agent.delivery.report.advice import required
from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.words import listing, number, percent, plural, short, title
from automl_agent.tasks.family import better

_WATCHED = ("leak", "target_copy", "drift")
"""Kinds of findings that are worth a second look after delivery."""
_THIN = 30
"""A class with fewer training rows than these is called thin."""


def watch(content: ReportContent) -> tuple[str, ...]:
    """What a careful user keeps an eye on, whether or not everything was met."""
    sentences = [
        *_interval_crosses(content),
        *_no_better_than_baseline(content),
        *_validation_was_kinder(content),
        *_test_reads(content),
        *_findings(content),
        *_thin_classes(content),
        *_one_column(content),
        *_coverage(content),
        *_server(content),
        *_untried(content),
        *content.verdict.warnings,
        *content.final_verdict.warnings,
        *content.task.warnings,
        *content.warnings,
    ]
    return tuple(dict.fromkeys(sentences))


def _interval_crosses(content: ReportContent) -> list[str]:
    level, (low, high) = required(content), content.grade.interval
    if level is None or not low < level < high:
        return []
    return [
        f"The 95 % interval of the test score ({number(low)} to {number(high)}) contains the limit of {number(level)}: "
        "on other rows the requirement may be "
        + ("missed." if not any(one.measure == content.metric.name for one, _, _ in content.missed) else "met.")
    ]


def _no_better_than_baseline(content: ReportContent) -> list[str]:
    grade = content.grade
    low, high = grade.interval
    unlucky = low if content.metric.higher_is_better else high
    if not better(content.metric, grade.score, grade.baseline):
        return [f"The model is no better than the trivial baseline on the test ({number(grade.baseline)})."]
    if not better(content.metric, unlucky, grade.baseline):
        return [
            f"The interval of the test score reaches the baseline ({number(grade.baseline)}): the gain may be chance."
        ]
    return []


def _validation_was_kinder(content: ReportContent) -> list[str]:
    low, high = content.grade.interval
    score = content.solution.score
    if low <= score <= high or not better(content.metric, score, content.grade.score):
        return []
    return [
        f"Validation ({number(score)}) was kinder than the test ({number(content.grade.score)}) by more than chance "
        "explains: trust the test, and look for rows that resemble one another across folds, or for drift."
    ]


def _test_reads(content: ReportContent) -> list[str]:
    reads = content.grade.reads
    if reads < 2:
        return []
    return [
        f"The test of these data has been read {reads} times. Each choice made after a reading makes the test score a "
        "little too good; new rows would be an honest test."
    ]


def _findings(content: ReportContent) -> list[str]:
    sentences = []
    for finding in content.profile.findings:
        if finding.kind in _WATCHED:
            columns = f" ({', '.join(short(name, 60) for name in finding.columns)})" if finding.columns else ""
            action = f" What was done: {finding.action}." if finding.action else ""
            sentences.append(f"{title(finding.kind)}{columns}: {finding.text.rstrip('.')}.{action}")
    return sentences


def _thin_classes(content: ReportContent) -> list[str]:
    import numpy as np

    if not content.classes or content.training_target is None:
        return []
    counts = np.bincount(content.training_target.astype(int), minlength=len(content.classes))
    thin = [f"'{short(name, 40)}' ({count})" for name, count in zip(content.classes, counts.tolist(), strict=True)
            if count < _THIN]  # fmt: skip
    if not thin:
        return []
    more = f" and {len(thin) - 6} more" if len(thin) > 6 else ""
    return [f"Few training rows: {', '.join(thin[:6])}{more}. What the model says about these classes is uncertain."]


def _one_column(content: ReportContent) -> list[str]:
    """One column that carries nearly everything is either a gift or a leak."""
    drops = sorted((max(float(fact["mean"]), 0.0) for fact in content.importance), reverse=True)
    if len(drops) < 3 or drops[0] < 0.8 * sum(drops) or not sum(drops):
        return []
    name = max(content.importance, key=lambda fact: float(fact["mean"]))["column"]
    return [
        f"'{short(str(name), 60)}' alone carries {percent(drops[0] / sum(drops))} of the measured importance: make "
        "sure that it is known at the time of prediction."
    ]


def _coverage(content: ReportContent) -> list[str]:
    coverage, rows = content.grade.coverage, content.grade.rows
    if coverage is None or abs(coverage - 0.9) <= 2 * math.sqrt(0.09 / max(rows, 1)):
        return []
    return [f"The 90 % prediction intervals held {percent(coverage)} of the test targets."]


def _server(content: ReportContent) -> list[str]:
    return [
        f"{what} did not pass its check: {check.text or 'no reason given'}"
        for what, check in (("The bundle's server", content.bundle.server), ("Re-training", content.bundle.retrain))
        if check is not None and not check.ok
    ]


def _untried(content: ReportContent) -> list[str]:
    """Plans of which nothing was measured, for want of time."""
    tried = {plan.id: [trial for trial in content.trials if trial.plan == plan.id] for plan in content.plans}
    late = [plan for plan in content.plans if tried[plan.id] and all(trial.late for trial in tried[plan.id])]
    if not late:
        return []
    return [
        f"There was no time to train a model of {plural(len(late), 'plan')} of {len(content.plans)} "
        f"({listing([f'“{plan.title}”' for plan in late])}): with a larger --budget they would have been compared, too."
    ]
