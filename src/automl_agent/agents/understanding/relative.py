"""Wishes that compare with an earlier run, "smaller" or "twice as fast", as limits on what was measured of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from automl_agent.errors import InputError
from automl_agent.execution.finished import FinishedRun
from automl_agent.records import Constraint, Inference, Solution
from automl_agent.tasks.family import TaskFamily
from automl_agent.tasks.words import text as tx

HALF = 0.5
"""What "smaller" and "faster" come to where the words do not say by how much."""

_NOT_A_NUMBER = r"(?! than (?:about |around )?[\d.])"
"""After a comparative: "smaller than 2 MB" is a limit of its own."""
_WORDS = {
    "train_seconds": r"(?:faster|quicker|shorter) (?:to train|training)|less training time"
    rf"|trains? (?:\w+ )?(?:faster|quicker){_NOT_A_NUMBER}",
    "size_mb": rf"(?:smaller|lighter|more compact|as small|kleiner|plus petit|mas pequeno){_NOT_A_NUMBER}"
    r"(?! (?:error|loss|rmse|mae|mse))|less (?:disk )?space|of (?:the|its) (?:\w+ )?size|(?:the|its) size",
    "latency_ms": rf"(?:faster|quicker|as fast|schneller|plus rapide|mas rapido){_NOT_A_NUMBER}|speed \w+ up|speed up"
    r"|lower latency|less latency|of (?:the|its) (?:\w+ )?latency|(?:the|its) latency",
    "score": rf"(?:more (?:accurate|precise)|better|genauer|besser|plus precis|mejor){_NOT_A_NUMBER}"
    rf"|(?:higher|better) (?:score|accuracy){_NOT_A_NUMBER}|(?:smaller|lower) (?:error|loss){_NOT_A_NUMBER}",
    "simple": r"simpler|less (?:complex|complicated)|einfacher|plus simple|mas sencillo",
    "interpretable": r"(?:more |better )?(?:interpretable|explainable|transparent)|easier to (?:explain|interpret"
    r"|understand)",
}  # fmt: skip
_RESOURCES = ("train_seconds", "size_mb", "latency_ms")
_UNITS = {"train_seconds": "s", "size_mb": "MB", "latency_ms": "ms"}
_DENIED = re.compile(r"\b(?:not|no|never|n't|needn't be|need not be)(?: (?:be|need|any|necessarily|to))* *$")
_PARTS = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "tenth": 0.1, "twice": 0.5}
_FACTOR = re.compile(
    r"(?:(?P<times>\d+(?:\.\d+)?) ?(?:x|times|-?fold) (?:as )?|(?P<percent>\d+(?:\.\d+)?) ?(?:%|percent|per cent) "
    r"|(?:a |an |one )?(?P<part>half|third|quarter|fifth|tenth|twice) ?(?:as )?)$"
)


@dataclass(frozen=True)
class Wish:
    """A comparison with the earlier run."""

    what: str
    """A resource's measure, `score`, `simple` or `interpretable`."""
    phrase: str
    share: float = HALF
    """Of a resource: how much of what was measured may be used."""


def read_wishes(words: str) -> tuple[Wish, ...]:
    """The comparisons in the words, one for each thing compared.

    Raises:
        InputError: something is to be smaller by all of itself.
    """
    flat = tx.low(words)
    found: dict[str, Wish] = {}
    taken: list[tuple[int, int]] = []
    for what, pattern in _WORDS.items():
        for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", flat):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            if what in found or _DENIED.search(flat[: match.start()]):
                continue
            factor = _FACTOR.search(flat[: match.start()])
            if factor is None and re.match(r"(?:of )?(?:the|its) ", match.group()):
                continue  # "the size matters" compares nothing
            start = factor.start() if factor else match.start()
            taken.append((start, match.end()))
            phrase = re.sub(r"\s+", " ", words[start : match.end()]).strip()
            found[what] = Wish(what, phrase, _share(factor, phrase))
    return tuple(found.values())


def _share(factor: re.Match[str] | None, phrase: str) -> float:
    if factor is None:
        return HALF
    if factor["part"]:
        return _PARTS[factor["part"]]
    share = 1 / float(factor["times"]) if factor["times"] and float(factor["times"]) else 0.0
    if factor["percent"]:
        share = 1 - float(factor["percent"]) / 100
    if not 0 < share < 1:
        raise InputError(f"'{phrase}' is impossible: nothing would be left.", hint="Say '50 % smaller', or a limit.")
    return share


def limits_of(wishes: tuple[Wish, ...], earlier: FinishedRun, family: TaskFamily, metric: str, stated: Collection[str]
              ) -> tuple[tuple[Constraint, ...], tuple[Inference, ...]]:  # fmt: skip
    """The wishes as constraints, and for each what was taken for it and why.

    A wish to be better is held against the earlier out-of-fold score: what was read of the locked test sets no goal.

    Args:
        metric: the metric of this run.
        stated: measures that the words limit by a number of their own: these count more.

    Raises:
        InputError: the earlier run measured nothing, or no model of the family is of the kind that is wished.
    """
    found: list[tuple[Constraint, Inference]] = []
    for wish in wishes:
        if wish.what in ("simple", "interpretable"):
            found.append(_kind(wish, family))
            continue
        measure = metric if wish.what == "score" else wish.what
        if measure in stated:
            continue
        if earlier.solution is None:
            raise InputError(f"'{wish.phrase}' compares with nothing: run {earlier.run_id} made plans only.",
                             hint="Say a limit in numbers.")  # fmt: skip
        one = _resource if wish.what in _RESOURCES else _score
        found.append(one(wish, measure, earlier.run_id, earlier.solution, family))
    return tuple(limit for limit, _ in found), tuple(why for _, why in found)


def _kind(wish: Wish, family: TaskFamily) -> tuple[Constraint, Inference]:
    """Only models that say of themselves to be of the kind."""
    models = [name for name, one in family.candidates().items() if wish.what in one.tags]
    if not models:
        others = ", ".join(name for name in family.candidates() if name != family.baseline)
        raise InputError(f"'{wish.phrase}': no model for {family.title} is called {wish.what}.",
                         hint=f"Name the models that you mean: {others}.")  # fmt: skip
    limit = Constraint(measure="model_family", comparison="in", value=(wish.what,), words=wish.phrase)
    reason = f"The words say '{wish.phrase}': only models called {wish.what} are tried."
    return limit, Inference(field="model_family", value=", ".join(models), reason=reason)


def _resource(wish: Wish, measure: str, run_id: str, solution: Solution, _family: TaskFamily
              ) -> tuple[Constraint, Inference]:  # fmt: skip
    measured, unit = float(getattr(solution, measure)), _UNITS[measure]
    if measured <= 0:
        raise InputError(f"'{wish.phrase}' compares with nothing: {measure} of run {run_id} was not measured.",
                         hint="Say a limit in numbers.")  # fmt: skip
    value = float(f"{measured * wish.share:.3g}")
    limit = Constraint(measure=measure, comparison="<=", value=value, unit=unit, words=wish.phrase)
    much = "half" if wish.share == HALF else f"{wish.share:.0%}"
    reason = f"The words say '{wish.phrase}': {much} of the {measured:.4g} {unit} of run {run_id}."
    return limit, Inference(field=measure, value=f"<= {value:g} {unit}", reason=reason)


def _score(wish: Wish, metric: str, run_id: str, solution: Solution, family: TaskFamily
           ) -> tuple[Constraint, Inference]:  # fmt: skip
    measured = solution.score if solution.metric == metric else solution.others.get(metric)
    if measured is None:
        raise InputError(
            f"'{wish.phrase}' compares with nothing: run {run_id} was not validated by {metric}.",
            hint=f"Say a limit in numbers, or keep {solution.metric} as the metric.",
        )
    sign = ">" if family.metrics[metric].higher_is_better else "<"
    limit = Constraint.model_validate(
        {
            "measure": metric,
            "comparison": sign,
            "value": measured,
            "words": wish.phrase,
            "validation_only": True,
            "unit": "on validation",
        }
    )
    reason = (
        f"The words say '{wish.phrase}': run {run_id} reached {measured:.4g} out of fold."
        " Its score on the locked test sets no goal."
    )
    return limit, Inference(field=metric, value=f"{sign} {measured:.4g}", reason=reason)
