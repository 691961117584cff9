"""Requirements that a request states in numbers or as model families, in fixed units: ms, MB, s, and shares.

"F1 at least 0.6, an answer within 5 ms" becomes `f1 >= 0.6` and `latency_ms <= 5`. A number without a metric or a unit
next to it (a date, "top 5", "10 folds") is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from automl_agent.agents.understanding import numbers as nb
from automl_agent.agents.understanding.limits import check_limits, read_resources
from automl_agent.agents.understanding.models import read_models
from automl_agent.errors import InputError
from automl_agent.records import Comparison, Constraint
from automl_agent.tasks.family import MetricSpec
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.metric import metric_mentions

_FLIPPED = {
    "accuracy": r"error rate|misclassification(?: rate)?|fehlerrate|taux d'erreur",
    "specificity": r"false[- ]positive rate|fpr\b|false[- ]alarm rate|false alarms",
    "recall": r"false[- ]negative rate|fnr\b|miss rate",
}
"""Metrics that people limit by what is left of one: an error rate of at most 5 % is an accuracy of at least 95 %."""

_PHRASED = {
    "accuracy": r"(?:of (?:the |all )?(?:cases|predictions|answers|rows|time|them) )?(?:are |is |were )?"
    r"(?:accurate|correct(?:ly)?|right)\b",
    "recall": r"of (?:the |all |our |those )?(?:actual |true )?[\w-]+ (?:are |is |must be |should be )?"
    r"(?:caught|found|detected|identified)",
}
"""What may follow "at least 90 %" and means a metric without naming it."""

_WRONG = re.compile(
    r"\s*(?:of )?(?:the )?(?:mean |average |relative |typical |prediction )*(?:errors?|deviation|off|wrong|mistakes)\b"
    r"|\s*of (?:the )?(?:true|real|actual|right) (?:price|value|amount|cost|number)"
)
"""What may follow "at most 10 %" and means what is wrong, or by how much."""
_BETWEEN_AFTER = (
    r"(?:[\s(:=~–—-]|d'|\b(?:scores?|values?|metric|on|the|test|set|locked|held-out|validation|unseen|data|must"
    r"|should|down|has|have|needs?|to|shall|be|is|are|of|a|an|that|which|reach(?:es|ing)?|stays?|gets?|hits?"
    r"|achiev\w*|equals?|remains?|want|at|about|around|roughly|von|de|du|ist|sein|soll|muss|goes|i|we|it"
    r"|cross-validated|overall)\b)*"
)
"""What may stand between a metric and its limit."""
_LOOSELY_AFTER = _BETWEEN_AFTER.replace(r"[\s(", r"[\s,)(", 1)
_BETWEEN_BEFORE = r"(?:[\s(-]|d'|\b(?:of|in|on|a|an|the|model|as|for|und|de|terms|test|overall|mean|average)\b)*"
_OF_WHOM = (
    r"^ (?:for|of|on|over|in) (?:the |all |class )?(?!at\b|more\b|less\b)[a-z]\w+"
    r"(?: (?:class|cases|rows|customers))?(?= )"
)
_TO = rf"\s*(?:and|to|-|–|bis|y|et)\s*{nb.NUMBER.replace('number', 'other').replace('percent>', 'other_percent>')}"


def read_constraints(words: str, metrics: Mapping[str, MetricSpec], models: Iterable[str] = (), *,
                     own: Collection[str] = ()) -> tuple[tuple[Constraint, ...], tuple[str, ...]]:  # fmt: skip
    """The requirements that the words state, and warnings on what looked like one and could not be read.

    Args:
        words: the request.
        metrics: metrics that may be limited.
        models: further names of model families, as installed candidates call themselves.
        own: metrics of the task's own family: they tell whether an error of 10 % is of answers or of amounts.

    Raises:
        InputError: when a requirement cannot be met by any model (accuracy >= 1.1), or two contradict each other.
    """
    words = tx.composed(words)
    flat = nb.with_digits(tx.low(tx.without_files(words)))
    found, warnings = _scores(flat, words, metrics, own)
    resources, more = read_resources(flat, words)
    required = (*found, *resources, *read_models(words, models).constraints())
    required = tuple({(c.measure, c.comparison, c.value): c for c in reversed(required)}.values())[::-1]
    check_limits(required, metrics)
    return required, (*warnings, *more)


# ---------------------------------------------------------------- metrics


def _scores(flat: str, words: str, metrics: Mapping[str, MetricSpec], own: Collection[str]
            ) -> tuple[list[Constraint], list[str]]:  # fmt: skip
    found: list[Constraint] = []
    warnings: list[str] = []
    taken: set[int] = set()
    for start, end, name, flipped in _named(flat, metrics):
        limits = _before(flat, start, end, metrics[name], taken, flipped) or _after(
            flat, start, end, metrics[name], taken, flipped
        )
        for sign, number, percent, begin, stop in limits:
            phrase = re.sub(r"\s+", " ", words[min(begin, start) : max(stop, end)]).strip(" ,;(")
            value, warning = _share(number, percent, metrics[name], phrase)
            warnings += [warning] if warning else []
            if value is None:
                continue
            if flipped:
                sign, value = _mirrored(sign), round(1.0 - value, 12)
            found.append(Constraint(measure=name, comparison=sign, value=value, words=phrase))
    found += [*_unnamed(flat, words, metrics, taken), *_errors(flat, words, own, taken)]
    return found, [*warnings, *_not_understood(flat, words, taken)]


def _named(flat: str, metrics: Mapping[str, MetricSpec]) -> list[tuple[int, int, str, bool]]:
    """Places that name a metric, or what is left of one: start, end, name, flipped."""
    places = [
        (match.start(), match.end(), name, True)
        for name, pattern in _FLIPPED.items()
        if name in metrics
        for match in re.finditer(rf"(?<!\w)(?:{pattern})", flat)
    ]
    for mention in metric_mentions(flat, metrics):
        if not any(mention.start < end and start < mention.end for start, end, _, _ in places):
            places.append((mention.start, mention.end, mention.name, False))
    return sorted(places)


_Limit = tuple[Comparison, str, bool, int, int]
"""Comparison, number and whether it is in percent, as written; start and end of the phrase."""


def _before(flat: str, start: int, end: int, spec: MetricSpec, taken: set[int], flipped: bool) -> list[_Limit]:
    """ "at least 0.9 AUC", "93 % accuracy"."""
    begin = tx.sentence(flat, start)[0]
    found = [m for m in re.finditer(nb.NUMBER, flat[begin:start]) if begin + m.start() not in taken]
    if not found or not re.fullmatch(_BETWEEN_BEFORE, flat[begin + found[-1].end() : start]):
        return []
    match, better = found[-1], _better(spec, flipped)
    place = begin + match.start()
    said = nb.worded(flat[begin:place], r"[\s(~]*(?:an?|the|about|around)?\s*", better)
    after = nb.afterwards(flat[end : end + 24], better)
    if said is None and (
        spec.high is None or not (match.group("percent") or 0 <= nb.value(match.group("number")) <= spec.high)
    ):
        return []
    taken.add(place)
    sign = said[0] if said else after[0] if after else _loose(better)
    return [(sign, match.group("number"), bool(match.group("percent")), begin + said[1] if said else place,
             end + after[1] if after and not said else end)]  # fmt: skip


def _after(flat: str, start: int, end: int, spec: MetricSpec, taken: set[int], flipped: bool) -> list[_Limit]:
    """ "AUC >= 0.9", "accuracy of 93%", "F1 between 0.5 and 0.7"."""
    stop, better = tx.sentence(flat, end)[1], _better(spec, flipped)
    rest = flat[end:stop]
    first = re.search(nb.NUMBER, rest)
    if first is None or end + first.start() in taken:
        return []
    gap = rest[: first.start()]
    number, percent = first.group("number"), bool(first.group("percent"))
    span = re.match(_TO, rest[first.end() :])
    if re.fullmatch(rf"{_BETWEEN_AFTER}(?:between|zwischen|entre)\s*", gap) and span:
        taken.update((end + first.start(), end + first.end() + span.start("other")))
        both = percent or bool(span.group("other_percent"))
        until = end + first.end() + span.end()
        return [(">=", number, both, end, until), ("<=", span.group("other"), both, end, until)]
    gap = re.sub(_OF_WHOM, lambda match: " " * len(match.group()), gap)
    said = nb.worded(gap, rf"[\s,]*{_BETWEEN_AFTER}", better)
    if said and not re.fullmatch(_LOOSELY_AFTER, gap[: said[1]]):
        return []
    counted = re.match(r"\s*(?:-?fold|classes|rows|ms\b)", rest[first.end() :])
    if said is None and (counted or not re.fullmatch(_BETWEEN_AFTER, gap)):
        return []
    taken.add(end + first.start())
    if said:
        return [(said[0], number, percent, end, end + first.end())]
    begin = tx.sentence(flat, start)[0]
    ahead = nb.worded(flat[begin:start], r"\s*(?:an?|the)?\s*", better)  # "at least an F1 of 0.6"
    if ahead:
        return [(ahead[0], number, percent, begin + ahead[1], end + first.end())]
    after = nb.afterwards(rest[first.end() :], better)
    sign, length = after or (_loose(better), 0)
    return [(sign, number, percent, end, end + first.end() + length)]


def _unnamed(flat: str, words: str, metrics: Mapping[str, MetricSpec], taken: set[int]) -> list[Constraint]:
    """ "right in at least 90 % of cases" without a metric's name."""
    found = []
    for match in re.finditer(nb.NUMBER, flat):
        if not match.group("percent") or match.start() in taken:
            continue
        name = next((name for name, pattern in _PHRASED.items()
                     if name in metrics and re.match(rf"\s*{pattern}", flat[match.end() :])), None)  # fmt: skip
        before = flat[tx.sentence(flat, match.start())[0] : match.start()]
        said = nb.worded(before, r"\s*", ">")
        verb = re.search(r"\b(?:catch|find|detect|identify|spot)\w*\s*(?:at least|more than|over|>=?|≥)?\s*$", before)
        if name is None and verb and re.match(r"\s*of\b", flat[match.end() :]) and "recall" in metrics:
            name = "recall"
        right = re.search(r"\b(?:right|correct|accurate) (?:in|for|on|at) (?:at least |more than |over )?$", before)
        name = name or ("accuracy" if right and "accuracy" in metrics else None)
        if name is None:
            continue
        value = round(nb.value(match.group("number")) / 100, 12)
        start = tx.sentence(flat, match.start())[0] + (said[1] if said else len(before))
        phrase = re.sub(r"\s+", " ", words[start : match.end() + 24]).strip()
        found.append(Constraint(measure=name, comparison=said[0] if said else ">=", value=value, words=phrase))
        taken.add(match.start())
    return found


def _errors(flat: str, words: str, own: Collection[str], taken: set[int]) -> list[Constraint]:
    """ "at most 10 % error": of the amounts when numbers are predicted, of the answers when classes are."""
    found = []
    for match in re.finditer(nb.NUMBER, flat):
        after = _WRONG.match(flat[match.end() :])
        if not match.group("percent") or match.start() in taken or not after:
            continue
        begin = tx.sentence(flat, match.start())[0]
        said = nb.worded(flat[begin : match.start()], r"\s*(?:an?|the)?\s*", "<")
        share = nb.value(match.group("number")) / 100
        phrase = re.sub(r"\s+", " ", words[begin + said[1] if said else match.start() : match.end() + after.end()])
        sign: Comparison = said[0] if said and said[0] in ("<", "<=") else "<="
        taken.add(match.start())
        if "mape" in own:
            found.append(Constraint(measure="mape", comparison=sign, value=round(share, 12), words=phrase.strip()))
        elif "accuracy" in own:
            value = round(1 - share, 12)
            found.append(Constraint(measure="accuracy", comparison=_mirrored(sign), value=value, words=phrase.strip()))
    return found


def _not_understood(flat: str, words: str, taken: set[int]) -> list[str]:
    """Limits in percent of which nobody can tell what they are on."""
    warnings = []
    for match in re.finditer(nb.NUMBER, flat):
        begin = tx.sentence(flat, match.start())[0]
        said = nb.worded(flat[begin : match.start()], r"\s*(?:an?|the)?\s*", ">")
        if not match.group("percent") or match.start() in taken or not said:
            continue
        phrase = re.sub(r"\s+", " ", words[begin + said[1] : match.end() + 16]).strip()
        warnings.append(f"'{phrase}' was not taken as a requirement: say which metric it limits.")
    return warnings


def _better(spec: MetricSpec, flipped: bool) -> Comparison:
    return ">" if spec.higher_is_better != flipped else "<"


def _loose(sign: Comparison) -> Comparison:
    return ">=" if sign == ">" else "<="


def _mirrored(sign: Comparison) -> Comparison:
    mirror: dict[Comparison, Comparison] = {">=": "<=", "<=": ">=", ">": "<", "<": ">"}
    return mirror.get(sign, sign)


def _share(number: str, percent: bool, spec: MetricSpec, phrase: str) -> tuple[float | None, str]:
    """The limit as the metric counts, and a warning when that took a guess.

    Raises:
        InputError: when the metric can never have this value.
    """
    value = nb.value(number)
    relative = spec.high in (1.0, 2.0) or "percentage" in spec.title.lower()
    if percent and not relative:
        return None, f"'{phrase}' was not understood: {spec.name} is in the unit of the target, not in percent."
    guessed = not percent and relative and (2 if spec.high is None else 10) <= value <= 100
    if percent or guessed:
        value = round(value / 100, 12)
    low, high = spec.low, spec.high
    if (low is not None and value < low) or (high is not None and value > high):
        between = f"between {low:g} and {high:g}" if low is not None and high is not None else (
            f"at most {high:g}" if high is not None else f"at least {low:g}")  # fmt: skip
        raise InputError(f"'{phrase}' is impossible: {spec.name} is always {between}.", hint="Give a reachable value.")
    return value, f"'{phrase}' was taken as {value:.0%}." if guessed else ""
