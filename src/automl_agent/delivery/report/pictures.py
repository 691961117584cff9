"""Which plots a report shows, drawn."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from automl_agent.delivery.report.advice import required
from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.report.plots import code, data, quality, search, subgroups
from automl_agent.records import CodeModule


@dataclass(frozen=True)
class Picture:
    title: str
    note: str
    svg: Markup


def pictures(content: ReportContent) -> dict[str, Any]:
    """Lists of pictures by section; what there is no data for is left out."""
    level = required(content)
    own = _own(content)
    total = content.seconds.get("total")
    learning = search.learning_curve(content.learning_curve, content.metric, level)
    return {
        "headline": Markup(quality.score(content.grade, content.metric, level)),
        "constraints": _some(("", "", search.constraints(content.checks, content.grade))),
        "data": own.get("data") or _data(content),
        "columns": _columns(content),
        "search": _some(
            ("Trials of each plan", "Larger, darker dots saw more data.",
             search.trials(content.trials, content.plans, content.metric)),
            ("Best score against time", "", search.progress(content.progress, content.metric, total)),
            ("Score against the time of an answer", "Dots: models trained on all rows, one fold's model each; line: "
             "those that no other beats in both. What is delivered also checks the row, and averages its members.",
             search.front(content.trials, content.solution, content.metric, content.name, _allowed_ms(content))),
        ),
        "code": {module.id: _ablation(module, place) for place, module in enumerate(content.code)},
        "test": own.get("test") or _test(content),
        "subgroups": [
            _some(("", "", subgroups.scores(breakdown, content.grade, content.metric, f"subgroups{place}")))
            for place, breakdown in enumerate(content.grade.subgroups)
        ],
        "learning": _some(("Learning curve", "Score against the number of training rows.", learning)),
        "importance": _some(
            ("Permutation importance", "Dot: mean; bar: two standard deviations of the repetitions.",
             quality.importance(content.importance, content.metric)),
        ),
    }  # fmt: skip


def _allowed_ms(content: ReportContent) -> float | None:
    """The user's limit on the time of an answer."""
    limits = [check.value for check in content.verdict.checks
              if check.measure == "latency_ms" and isinstance(check.value, float)]  # fmt: skip
    return min(limits, default=None)


def _own(content: ReportContent) -> dict[str, list[Picture]]:
    """What the family draws itself: a function from a `ReportContent` to `{"data": [...], "test": [...]}`, each a list
    of (title, note, SVG); what it leaves out is drawn as for tables."""
    if not content.pictures:
        return {}
    module, _, name = content.pictures.partition(":")
    drawn = getattr(importlib.import_module(module), name)(content)
    return {section: _some(*pictures) for section, pictures in drawn.items()}


def _some(*drawn: tuple[str, str, str]) -> list[Picture]:
    return [Picture(title, note, Markup(svg)) for title, note, svg in drawn if svg]


def _data(content: ReportContent) -> list[Picture]:
    rows, target = content.profile.rows_train, content.training_target
    if target is None or not (content.task.target or content.classes):  # clusters have none
        shown = ""
    else:
        shown = data.target(target, content.classes, content.task.target or "target")
    return _some(
        ("The target", f"Over the {len(target) if target is not None else 0} training rows.", shown),
        ("Missing values", "Share of the training rows.", data.missing(content.columns, rows)),
    )


def _columns(content: ReportContent) -> list[Picture]:
    drawn = data.columns(content.columns, content.profile.rows_train)
    return [Picture(one["name"], one["note"], Markup(one["svg"])) for one in drawn]


def _ablation(module: CodeModule, place: int) -> list[Picture]:
    return _some(
        ("What each column brings", "By how much the score gets worse without it; to the left, it is better without.",
         code.ablation(module.ablation, f"ablation{place}")),
    )  # fmt: skip


def _test(content: ReportContent) -> list[Picture]:
    truth, scores, predicted = content.truth, content.scores, content.predicted
    if truth is None or scores is None or predicted is None or not len(truth):
        return []
    if not content.classes:
        name = content.task.target or "target"
        return _some(
            ("Predicted against actual", "On the dashed line both agree.",
             quality.predicted_against_actual(truth, predicted, name)),
            ("Residuals", "Positive: the truth was higher than predicted.", quality.residuals(truth, predicted)),
        )  # fmt: skip
    drawn = [
        ("Confusion matrix", "Shares are of the true class.", quality.confusion(truth, predicted, content.classes))
    ]
    if content.positive is not None and 0 < (truth == content.positive).sum() < len(truth):
        right, probability = truth == content.positive, scores[:, content.positive]
        others = content.grade.others | {content.grade.metric: content.grade.score}
        drawn += [
            ("ROC curve", "", quality.roc(right, probability, others.get("roc_auc"), content.weights)),
            ("Precision and recall", "Dashed: the share of positive rows.",
             quality.precision_recall(right, probability, others.get("average_precision"), content.weights)),
            ("Calibration", "Do predicted probabilities mean what they say?", quality.calibration(right, probability)),
        ]  # fmt: skip
    return _some(*drawn)
