"""How the family understands a request: target, horizon and series, from the words and the columns."""

from __future__ import annotations

import re

from automl_agent.records import Inference, Question, Request, Scalar
from automl_agent.tasks.family import Peek, PeekColumn, Reading
from automl_agent.tasks.forecasting.frequency import said_horizon
from automl_agent.tasks.forecasting.reading import TIME_NAMES, moment_columns, time_format, time_parts
from automl_agent.tasks.forecasting.scoring import METRICS
from automl_agent.tasks.words import cues, text
from automl_agent.tasks.words.columns import numeric, require_column
from automl_agent.tasks.words.mentions import mentions, said_roles
from automl_agent.tasks.words.metric import metric_mentions, read_metric
from automl_agent.tasks.words.target import Match, certain, decided, find_target

NAME = "forecasting"
_FORECAST = re.compile(r"(?<!\w)(?:forecast\w*|prognos\w*|vorhersag\w*|previsions?)\b")
_KNOWN = re.compile(r"\b(?:known|scheduled|planned|fixed)\b[^.;!?]*\b(?:advance|ahead|beforehand|future)\b")
_ALL = re.compile(r"\b(?:all|every|each|both)\b[^.;!?]{0,30}\b(?:columns?|series|of them|stores?|shops?|products?"
                  r"|items?|sensors?|stations?|meters?|sites?|clients?|customers?)\b")  # fmt: skip


def interpret(request: Request, peek: Peek | None) -> Reading:
    """Say how likely a request asks for a forecast of series in a table, and how it would be done.

    Raises:
        InputError: when the caller fixed a column that is not there.
    """
    if peek is None or not peek.columns:
        return Reading(0.0)
    words = text.composed(request.words)
    forced = request.family == NAME
    wish = cues.wishes(words).get("forecasting")
    horizon = said_horizon(words)
    spoken = _FORECAST.search(text.low(words))
    if not (forced or wish or spoken or "horizon" in request.options):
        return Reading(0.0)
    stamps = moment_columns([column.name for column in peek.columns])
    said = said_roles(words, peek)
    time = request.time or next(iter(said["time"]), None) or find_time(peek)
    parts = time_parts([column.name for column in peek.columns])
    if time is None and not parts and not stamps:
        return Reading(0.1 if forced else 0.0, question=_no_time(peek) if forced else None)
    sure = forced or wish is not None or "horizon" in request.options
    reason = f"The words ask for it: '{(wish or ('', spoken.group() if spoken else ''))[1]}'." if wish or spoken else ""
    inferences = [Inference(field="family", value=NAME, reason=reason or "A horizon was given.", sure=sure)]
    options = _options(request, words, peek, horizon, inferences)
    if stamps and not (request.target and peek.column(request.target)):
        return _reading(request, words, None, 0.97, options, inferences)
    return _of_columns(request, words, peek, time, parts, sure, options, inferences)


def _of_columns(request: Request, words: str, peek: Peek, time: str | None, parts: list[str], sure: bool,
                options: dict[str, Scalar], inferences: list[Inference]) -> Reading:  # fmt: skip
    """The reading of a table with a column of times."""
    said = said_roles(words, peek)
    used = {*request.ignore, *said["ignore"], *said["group"], *parts, *str(options.get("series", "")).split(",")}
    used |= {request.group or "", time or ""}
    numbers = [column for column in peek.columns if column.name not in used and _forecastable(column, peek)]
    matches = _matches(request, words, peek, used)
    chosen = [match for match in decided(matches) if not request.target or match.column == request.target]
    column = peek.column(chosen[0].column) if len(chosen) == 1 else None
    if column is not None and not request.target and not (certain(matches) or len(numbers) < 2) and _wide(words, peek):
        column = None
    if column is None and len(numbers) == 1:
        chosen, column = [Match(numbers[0].name, 0.6, "It is the only column of numbers beside the time.")], numbers[0]
    if column is None and len(numbers) > 1 and (options.get("layout") == "wide" or _wide(words, peek)):
        inferences.append(Inference(field="target", value="all columns", reason="Each column is a series.", sure=False))
        return _reading(request, words, None, 0.97 if sure else 0.6, options, inferences)
    if column is None:
        names = tuple(choice.name for choice in numbers[:20])
        if not names:
            return Reading(0.0)
        asked = Question(field="target", text=f"Which column shall be forecast: {', '.join(names)}?", choices=names)
        return Reading(0.6 if sure else 0.2, question=asked)
    if not _forecastable(column, peek) and not (request.family == NAME and request.target):  # reading says why not
        return Reading(0.0)
    if not request.target:
        fits = len(chosen) == 1 and (len(numbers) < 2 or certain(matches))
        inferences.append(Inference(field="target", value=column.name, reason=chosen[0].reason, sure=fits))
    return _reading(request, words, column.name, _confidence(peek, column, time, sure), options, inferences)


def _reading(request: Request, words: str, target: str | None, confidence: float, options: dict[str, Scalar],
             inferences: list[Inference]) -> Reading:  # fmt: skip
    named, phrase = read_metric(words, METRICS)
    metric = named or "mase"
    because = f"The words say '{phrase}'." if named else "No metric was named: mase compares with a seasonal naive one."
    if not request.metric:
        inferences.append(Inference(field="metric", value=metric, reason=because, sure=named is not None))
    return Reading(confidence, target, None, metric, options, tuple(inferences))


def _confidence(peek: Peek, target: PeekColumn, time: str | None, sure: bool) -> float:
    """Where the words only say "forecast", a table with other numbers may be meant row by row."""
    if sure:
        return 0.97
    others = [c for c in peek.columns if c.name not in (target.name, time) and c.kind in ("number", "boolean", "text")]
    return 0.3 if others else 0.96


def find_time(peek: Peek) -> str | None:
    """The column of times: the first of dates or months, else one of whole numbers that is named like a time."""
    for column in peek.columns:
        if column.kind == "date":
            return column.name
        if column.kind in ("category", "id", "text") and time_format(list(column.examples)):
            return column.name
    if time_parts([column.name for column in peek.columns]):
        return None
    for column in peek.columns:
        if column.kind in ("number", "id") and column.name.lower() in TIME_NAMES and _whole(column):
            return column.name
    return None


def _whole(column: PeekColumn) -> bool:
    return all(re.fullmatch(r"-?\d+(\.0+)?", value.strip()) for value in column.examples)


def _forecastable(column: PeekColumn, peek: Peek) -> bool:
    return column.kind == "number" and (column.distinct > 2 or numeric(column, peek.rows))


def _matches(request: Request, words: str, peek: Peek, used: set[str]) -> tuple[Match, ...]:
    if request.target:
        return (Match(require_column(request.target, peek, "target"), 1.0, "Given by the caller."),)
    masked = [(mention.start, mention.end) for mention in metric_mentions(words, METRICS)]
    return find_target(words, peek, without=used, masked=masked)


def _wide(words: str, peek: Peek) -> bool:
    """Whether each column of numbers is a series: said so, or nothing but a time and numbers is there."""
    rest = [column.kind for column in peek.columns if column.kind not in ("number", "constant")]
    return bool(_ALL.search(text.low(words))) and len(rest) <= 1


def _options(request: Request, words: str, peek: Peek, horizon: tuple[str, str] | None, inferences: list[Inference]
             ) -> dict[str, Scalar]:  # fmt: skip
    options: dict[str, Scalar] = {}
    if horizon and "horizon" not in request.options:
        options["horizon"] = horizon[0]
        inferences.append(Inference(field="horizon", value=horizon[0], reason=f"The words say '{horizon[1]}'."))
    if "known" not in request.options and (known := _said_known(words, peek)):
        names = options["known"] = ",".join(known)
        reason = "The words say that they are known in advance."
        inferences.append(Inference(field="known", value=names, reason=reason))
    return options


def _said_known(words: str, peek: Peek) -> list[str]:
    """Columns named in a sentence that speaks of what is known in advance."""
    flat = text.low(words)
    found: list[str] = []
    for match in _KNOWN.finditer(flat):
        begin, stop = text.sentence(flat, match.start())
        found += [m.column for m in mentions(words, peek) if begin <= m.start < stop and m.column not in found]
    dates = {column.name for column in peek.columns if column.kind == "date"}
    return [name for name in found if name not in dates]


def _no_time(peek: Peek) -> Question:
    names = tuple(column.name for column in peek.columns if column.kind in ("date", "number", "id"))
    return Question(field="time", text="Which column holds the time of each row?", choices=names)
