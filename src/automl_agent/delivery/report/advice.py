"""What would help when something was missed: sentences that follow from measured facts.

Each rule looks at one fact and returns the sentences that it supports, often none. None of them is an opinion: a rule
that has no number to rest on stays silent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.words import (
    MEASURES,
    apart,
    duration,
    kept,
    limit,
    listing,
    number,
    plural,
    quantity,
    short,
    title,
)
from automl_agent.records import ConstraintCheck, Trial
from automl_agent.tasks.family import MetricSpec, loss

_UNITS = {"latency_ms": "ms", "size_mb": "MB", "train_seconds": "s", "memory_mb": "MB"}


def required(content: ReportContent) -> float | None:
    """The level of the run's own metric that was asked for, if any."""
    for check, _, _ in content.checks:
        if check.measure == content.metric.name and isinstance(check.value, (int, float)):
            return float(check.value)
    return None


def nearest(content: ReportContent) -> tuple[str, ...]:
    """For each missed requirement: by how much it was missed, and the nearest value that this run can keep."""
    sentences = []
    for check, on_validation, on_test in content.missed:
        measured = [(where, one.measured) for where, one in (("validation", on_validation), ("the test", on_test))
                    if one is not None and isinstance(one.measured, (int, float))]  # fmt: skip
        what = f"{_title(content, check.measure)} {limit(check.comparison, check.value, check.unit)}"
        if not measured or not isinstance(check.value, (int, float)):
            told = on_test or on_validation
            sentences.append(f"{what} was missed: measured {quantity(told.measured if told else None, check.unit)}.")
            continue
        bound = float(check.value)
        parts = [f"{apart(float(value), bound)[0]} {check.unit}".strip() + f" on {where}" for where, value in measured]
        pick = min if check.comparison in (">=", ">") else max
        worst = pick(float(value) for _, value in measured)
        short_by = number(abs(worst - bound), 2)
        sentences.append(
            f"{what} was missed by {short_by}{' ' * bool(check.unit)}{check.unit}: {listing(parts)}. "
            f"The nearest limit that this model keeps is "
            f"{limit(check.comparison, kept(worst, check.comparison), check.unit)}."
        )
    return tuple(sentences)


def advise(content: ReportContent) -> tuple[str, ...]:
    """What would help to meet what was missed; empty when everything was met."""
    sentences: list[str] = []
    for check, _, on_test in content.missed:
        if check.measure == content.metric.name:
            sentences += _loosen_score(content, check)
            sentences += _chance(content, check, on_test)
            sentences += _more_rows(content, check)
            sentences += _more_time(content)
            sentences += _weakest_class(content)
        elif check.measure in _UNITS and isinstance(check.value, (int, float)):
            sentences += _cheaper_models(content, check)
        elif check.measure not in MEASURES:
            sentences.append(
                f"The search optimised {content.metric.title}, not {title(check.measure)}. "
                f"With --metric {check.measure} models, weights and threshold are chosen for it."
            )
        else:
            sentences += _other_families(check, on_test)
    return tuple(dict.fromkeys(sentences))


def _loosen_score(content: ReportContent, check: ConstraintCheck) -> list[str]:
    """A limit at the unlucky end of the interval would be kept in most repetitions."""
    low, high = content.grade.interval
    safe = low if content.metric.higher_is_better else high
    return [
        f"If the requirement may be loosened, {limit(check.comparison, kept(safe, check.comparison, 3))} is a level "
        "that the 95 % interval of the test supports."
    ]


def _chance(content: ReportContent, check: ConstraintCheck, on_test: ConstraintCheck | None) -> list[str]:
    low, high = content.grade.interval
    if on_test is None or on_test.met or not isinstance(check.value, (int, float)) or not low <= check.value <= high:
        return []
    return [
        f"The limit lies inside the 95 % interval of the test ({number(low)} to {number(high)}): with "
        f"{plural(content.grade.rows, 'test row')} the shortfall may be chance. A larger test would decide it."
    ]


def _more_rows(content: ReportContent, check: ConstraintCheck) -> list[str]:
    """Read the end of the learning curve as a gain per doubling of the rows."""
    points, metric = content.learning_curve, content.metric
    if len(points) < 2 or not isinstance(check.value, (int, float)):
        return []
    rows, scores = [float(point["rows"]) for point in points], [float(point["score"]) for point in points]
    gap = loss(metric, scores[-1]) - loss(metric, float(check.value))
    if gap <= 0:
        return []
    gain = gain_per_doubling(rows, scores, metric)
    step = f"{number(abs(gain), 2)} {metric.title} per doubling of the rows"
    if gain <= 0.02 * gap:
        return [
            f"The learning curve is flat at its end ({number(scores[-2])} with {number(int(rows[-2]))} rows, "
            f"{number(scores[-1])} with {number(int(rows[-1]))}): more rows of the same kind will not close the gap. "
            "Columns that say something new about the target might."
        ]
    doublings = gap / gain
    if doublings > 4:
        return [
            f"The learning curve still rises, by {step}, but the gap of {number(gap, 2)} would take more than 16 times "
            "as many rows: better columns are the shorter way."
        ]
    needed = int(float(f"{rows[-1] * 2**doublings:.2g}"))
    return [
        f"More rows would help: the learning curve still improves by {step}. If that went on (gains usually shrink), "
        f"about {number(needed)} training rows would reach {number(float(check.value))}, "
        f"{number(2**doublings, 2)} times as many as now."
    ]


def gain_per_doubling(rows: Sequence[float], scores: Sequence[float], metric: MetricSpec) -> float:
    """The gain that another doubling of the rows may bring, read from the end of the learning curve.

    The smaller of the trend over the last three points and of the last step, as gains shrink; 0 when the last step
    brought nothing.
    """
    rows, losses = rows[-3:], [loss(metric, score) for score in scores[-3:]]
    if losses[-1] >= losses[-2]:
        return 0.0
    x = [math.log2(max(row, 1.0)) for row in rows]
    middle, level = sum(x) / len(x), sum(losses) / len(losses)
    spread = sum((value - middle) ** 2 for value in x)
    slope = sum((value - middle) * (one - level) for value, one in zip(x, losses, strict=True)) / (spread or 1.0)
    last = (losses[-2] - losses[-1]) / ((x[-1] - x[-2]) or 1.0)
    return max(min(-slope, last), 0.0)


def _more_time(content: ReportContent) -> list[str]:
    total = content.seconds.get("total")
    if not content.progress or not total:
        return []
    last = float(content.progress[-1]["seconds"])
    if len(content.progress) > 1 and last >= 0.7 * total:
        return [
            f"The score still improved {duration(last)} into the {duration(total)} of the run: a larger --budget, "
            f"{duration(2 * total)} say, may find more."
        ]
    return [
        f"The score has not improved since {duration(last)} of {duration(total)}: more time alone is unlikely to help."
    ]


def _weakest_class(content: ReportContent) -> list[str]:
    """The class that collects most of the mistakes, when one does."""
    import numpy as np

    if not content.classes or content.truth is None or content.predicted is None or content.training_target is None:
        return []
    wrong = content.truth != content.predicted
    missed = np.bincount(content.truth[wrong].astype(int), minlength=len(content.classes))
    code, total = int(missed.argmax()), int(missed.sum())
    share = float(np.mean(content.truth == code))
    if total < 4 or missed[code] < 0.6 * total or missed[code] / total < share + 0.15:
        return []
    rows = int(np.sum(content.training_target == code))
    return [
        f"{number(int(missed[code]))} of the {plural(total, 'mistake')} on the test are rows of class "
        f"'{short(content.classes[code], 60)}', which has {plural(rows, 'training row')}: "
        "more examples of that class would help most."
    ]


def _cheaper_models(content: ReportContent, check: ConstraintCheck) -> list[str]:
    """The best single model of the run that keeps the limit, or the nearest that there is."""
    tried = [(trial, value) for trial in _comparable(content) if (value := _measure(trial, check.measure)) is not None]
    if not tried:
        return []
    bound, unit = float(check.value), _UNITS[check.measure]  # type: ignore[arg-type]
    within = [(trial, value) for trial, value in tried if value <= bound]
    if not within:
        trial, value = min(tried, key=lambda pair: pair[1])
        return [
            f"No model of this run keeps {limit(check.comparison, bound, unit)}; the nearest is "
            f"{_named(content, trial)} with {number(value)} {unit} "
            f"({content.metric.title} {number(trial.score)} on validation)."
        ]
    trial, value = min(within, key=lambda pair: loss(content.metric, pair[0].score or 0.0))
    price = loss(content.metric, trial.score or 0.0) - loss(content.metric, content.solution.score)
    told = f", {number(price, 2)} worse than the delivered one" if price > 0 else ""
    return [
        f"A single {_named(content, trial)} keeps {limit(check.comparison, bound, unit)}: {number(value)} {unit} a "
        f"fold's model, with {content.metric.title} {number(trial.score)} on validation{told}."
    ]


def _other_families(check: ConstraintCheck, on_test: ConstraintCheck | None) -> list[str]:
    value = check.value if isinstance(check.value, tuple) else (str(check.value),)
    used = on_test.measured if on_test is not None and isinstance(on_test.measured, tuple) else ()
    extra = [name for name in used if (name in value) == (check.comparison == "not in")]
    if not extra:
        return []
    return [f"Outside what was allowed: {listing(extra)}. Allow it, or give the allowed ones more --budget."]


def _comparable(content: ReportContent) -> list[Trial]:
    """Scored trials of the highest fidelity: only these may be compared with one another."""
    scored = [trial for trial in content.trials if trial.score is not None]
    top = max(((trial.fidelity.rows or 1 << 62, trial.fidelity.folds) for trial in scored), default=None)
    return [trial for trial in scored if (trial.fidelity.rows or 1 << 62, trial.fidelity.folds) == top]


def _measure(trial: Trial, measure: str) -> float | None:
    return trial.fit_seconds if measure == "train_seconds" else getattr(trial, measure)


def _named(content: ReportContent, trial: Trial) -> str:
    return content.name(trial.candidate) + (f" with {', '.join(trial.steps)}" if trial.steps else "")


def _title(content: ReportContent, measure: str) -> str:
    return content.metric.title if measure == content.metric.name else title(measure)
