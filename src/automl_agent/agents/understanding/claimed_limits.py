"""Requirements that a language model found: kept where the words hold the number, in the units that the rules read.

The model only says what a phrase limits. The number and its unit are taken from the phrase itself, put into plain words
("latency <= 30 ms"), and read by the rules like any other request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from automl_agent.agents.privacy import Veil
from automl_agent.agents.understanding import numbers as nb
from automl_agent.agents.understanding.answer import SaidLimit
from automl_agent.agents.understanding.constraints import read_constraints
from automl_agent.agents.understanding.limits import MEASURES
from automl_agent.agents.understanding.quotes import was_said
from automl_agent.errors import InputError
from automl_agent.records import Constraint
from automl_agent.tasks.family import MetricSpec
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.metric import named_metric

_UNITS = {
    "latency_ms": nb.TIME_UNITS,
    "train_seconds": nb.TIME_UNITS,
    "size_mb": nb.SIZE_UNITS,
    "memory_mb": nb.SIZE_UNITS,
}


def read_limits(found: Iterable[SaidLimit], metrics: Mapping[str, MetricSpec], shown: str, veil: Veil
                ) -> tuple[Constraint, ...]:  # fmt: skip
    """The requirements of an answer that hold against the words; one for each measure.

    Args:
        found: what the model says.
        metrics: metrics that may be limited.
        shown: the words as the model saw them.
        veil: what the model was not shown.
    """
    limits: dict[str, Constraint] = {}
    for said in found:
        limit = _limit(said, metrics) if was_said(said.quote, shown) else None
        if limit and limit.measure not in limits:
            limits[limit.measure] = limit.model_copy(update={"words": veil.reveal_text(said.quote.strip())})
    return tuple(limits.values())


def spoken_numbers(text: str) -> list[str]:
    """All numbers of a text, as written, with digits."""
    return [match.group("number") for match in re.finditer(nb.NUMBER, _flat(text))]


def _limit(said: SaidLimit, metrics: Mapping[str, MetricSpec]) -> Constraint | None:
    measure = said.measure.strip()
    if measure not in MEASURES:
        try:
            measure = named_metric(measure, metrics)
        except InputError:
            return None
    amount = _amount(said, metrics.get(measure), _UNITS.get(measure, {}))
    upper = measure in MEASURES or not metrics[measure].higher_is_better
    signs = ("<=", "<") if upper else (">=", ">")
    sign = said.comparison.strip() or signs[0]
    if amount is None or sign not in signs:
        return None  # a limit on the wrong side: an accuracy of at most 90 % is not what anybody wants
    name = MEASURES.get(measure) or metrics[measure].title
    try:
        read, _ = read_constraints(f"{name} {sign} {amount}", {measure: metrics[measure]} if measure in metrics else {})
    except InputError:
        return None
    return next((limit for limit in read if limit.measure == measure), None)


def _amount(said: SaidLimit, metric: MetricSpec | None, units: Mapping[str, float]) -> str | None:
    """The number with its unit, as the quote says it: the one that the model means, in its own or another unit."""
    claimed = re.search(nb.NUMBER, _flat(f"{said.value} {said.unit}"))
    if claimed is None:
        return None
    unit = "|".join(units) or r"(?!)"
    for match in re.finditer(rf"{nb.NUMBER}[\s-]*(?P<unit>(?:{unit})(?!\w))?", _flat(said.quote)):
        value = nb.value(match.group("number"))
        factor = _factor(match.group("unit"), units)
        same = {value, value / 100 if match.group("percent") else value, value * factor}
        if not any(_equal(meant, each) for meant in _meanings(claimed, said.unit, units) for each in same):
            continue
        if metric is not None and _is_share(metric) and (match.group("percent") or value <= (metric.high or 1.0)):
            return f"{match.group('number')}{'%' if match.group('percent') else ''}"
        if metric is not None and not _is_share(metric):
            return match.group("number")
        if metric is None and match.group("unit"):
            return f"{match.group('number')} {match.group('unit')}"
    return None


def _meanings(claimed: re.Match[str], unit: str, units: Mapping[str, float]) -> set[float]:
    """What the model's number may be: as it stands, or in milliseconds and megabytes."""
    value = nb.value(claimed.group("number"))
    return {value, value / 100 if claimed.group("percent") else value, value * _factor(tx.low(unit).strip(), units)}


def _factor(unit: str | None, units: Mapping[str, float]) -> float:
    return next((factor for pattern, factor in units.items() if unit and re.fullmatch(pattern, unit)), 1.0)


def _is_share(metric: MetricSpec) -> bool:
    """Whether a metric is a share of something, which people write in percent."""
    return metric.high is not None or "percentage" in metric.title.lower()


def _equal(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other), 1.0)


def _flat(text: str) -> str:
    return nb.with_digits(tx.low(text))
