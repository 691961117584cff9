"""The Prompt Agent by rules: words and a look at the data become a typed task, or the question that is still open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from automl_agent.agents.understanding.background import describe, hints, read_user
from automl_agent.agents.understanding.constraints import read_constraints
from automl_agent.agents.understanding.deliverables import read_deliverables
from automl_agent.agents.understanding.looking import LONGEST, Look, look_at
from automl_agent.agents.understanding.models import read_models
from automl_agent.errors import InputError
from automl_agent.records import Constraint, DatasetSpec, Inference, Question, Request, Service, TaskSpec
from automl_agent.tasks.family import Peek, Reading, TaskFamily
from automl_agent.tasks.metrics import Metrics
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.mentions import said_roles
from automl_agent.tasks.words.metric import metric_mentions, named_metric
from automl_agent.tasks.words.several import listed_targets


def understand(request: Request, families: Mapping[str, TaskFamily]) -> TaskSpec | Question:
    """The task that a request means, with a reason for everything that was inferred.

    Every family that can read the data says how likely it is meant; the most confident one is taken.

    Args:
        request: words, data, and what the caller fixed.
        families: installed task families by name.

    Raises:
        InputError: when a column, family, class or metric that was given does not exist, a metric does not fit the
            target, or the constraints cannot be met together.
    """
    look = look_at(request, families)
    return look if isinstance(look, Question) else read(look)


def read(look: Look) -> TaskSpec | Question:
    """The task that a request means, once the data were looked at.

    Raises:
        InputError: as in `understand`.
    """
    name, reading = likeliest(look)
    if reading.question is not None:
        return reading.question
    return _task(look.request, look.families[name], look.peeks[name], reading, look.families)


def likeliest(look: Look) -> tuple[str, Reading]:
    """The most confident family, and how it reads the request."""
    asked = [name for name in look.peeks if look.request.family in (None, name)]
    readings = {name: look.families[name].interpret(look.request, look.peeks[name]) for name in asked}
    name = min(readings, key=lambda name: (-readings[name].confidence, name))
    return name, readings[name]


# ---------------------------------------------------------------- columns


def _roles(
    request: Request, peek: Peek, target: str | None
) -> tuple[dict[str, str | None], tuple[str, ...], list[Inference]]:
    """Time, group, weight and ignored columns: given by the caller, or said in the words."""
    said = said_roles(request.words, peek)
    inferences = []
    found: dict[str, str | None] = {"time": request.time, "group": request.group, "weight": request.weight}
    for role in ("time", "group", "weight"):
        columns = [name for name in said[role] if name != target]
        if found[role] is None and columns:
            found[role] = columns[0]
            inferences.append(_from_words(role, columns[0]))
    used = {target, *found.values(), *request.ignore}
    more = [name for name in said["ignore"] if name not in used]
    inferences += [_from_words("ignore", name) for name in more]
    asked = listed_targets(request.words, peek)
    if target in asked:
        others = [name for name in asked if name not in {*used, *more}]
        reason = f"The words ask for it besides '{target}': it is not known when that is predicted."
        inferences += [Inference(field="ignore", value=name, reason=reason) for name in others]
        more += others
    return found, (*request.ignore, *more), inferences


def _told_apart(request: Request, peek: Peek, target: str | None, family: TaskFamily
                ) -> tuple[tuple[str, ...], list[Inference], list[str]]:  # fmt: skip
    """Columns by which scores are told apart: given by the caller, or said in the words; and a warning where the words
    ask a family for it that cannot.

    Raises:
        InputError: when the caller asks a family for it that cannot.
    """
    more = [name for name in said_roles(request.words, peek)["by"] if name not in (target, *request.by)]
    if family.subgroups:
        return (*request.by, *more), [_from_words("by", name) for name in more], []
    if request.by:
        raise InputError(
            f"Scores cannot be told apart by {request.by[0]!r} (--by) in {family.title}.",
            hint="That is for tables and texts, whose items are rows with named columns.",
        )
    return (), [], [f"Scores by '{name}' are not shown: {family.title} cannot tell them apart." for name in more]


def _from_words(role: str, column: str) -> Inference:
    what = {"time": "order the rows by", "group": "keep rows together by", "weight": "weight the rows by",
            "ignore": "leave out", "by": "tell scores apart by"}[role]  # fmt: skip
    return Inference(field=role, value=column, reason=f"The words say to {what} '{column}'.")


def _require_weights(column: str, family: TaskFamily, families: Mapping[str, TaskFamily]) -> None:
    """Refuse weights of rows where a family cannot use them.

    Raises:
        InputError: names the column and the families that can.
    """
    if not family.weighs:
        able = " and ".join(other.title for other in families.values() if other.weighs) or "none that is installed"
        raise InputError(
            f"Rows cannot be weighted (here by {column!r}) in {family.title}.",
            hint=f"Families that can: {able}. Leave the weight out, or choose one with --family.",
        )


# ---------------------------------------------------------------- metric


def _metric(request: Request, family: TaskFamily, reading: Reading, constraints: tuple[Constraint, ...],
            families: Mapping[str, TaskFamily]) -> tuple[str, Inference | None]:  # fmt: skip
    """The metric, and why, when the reading does not say.

    Raises:
        InputError: when the metric does not exist, or is one of another family.
    """
    if request.metric:
        try:
            name = named_metric(request.metric, family.metrics)
        except InputError:
            _refuse_foreign_name(request.metric, family, families)
            raise
        return name, Inference(field="metric", value=name, reason=f"Given as '{request.metric}'.", by="user")
    for constraint in constraints:
        _refuse_foreign(constraint.measure, constraint.words, family, families)
    own = [mention for mention in metric_mentions(request.words, family.metrics) if mention.weight > 0]
    for mention in metric_mentions(request.words, _all_metrics(families)):
        if not own and mention.weight >= (2.0 if mention.everyday else 1.0):
            _refuse_foreign(mention.name, mention.phrase, family, families)
    limited = next((c for c in constraints if c.measure in family.metrics), None)
    if not own and limited:
        reason = f"The words set a limit on it: '{limited.words}'."
        return limited.measure, Inference(field="metric", value=limited.measure, reason=reason)
    return reading.metric or next(iter(family.metrics)), None


def _all_metrics(families: Mapping[str, TaskFamily]) -> Metrics:
    return Metrics((name, spec) for family in families.values() for name, spec in family.metrics.items())


def _refuse_foreign(metric: str, phrase: str, family: TaskFamily, families: Mapping[str, TaskFamily]) -> None:
    if metric in family.metrics or metric not in _all_metrics(families):
        return
    homes = " and ".join(other.title for other in families.values() if metric in other.metrics)
    raise InputError(
        f"'{phrase}' does not fit: {metric} is a metric of {homes}, and this is {family.title}.",
        hint=f"Metrics here: {', '.join(family.metrics)}.",
    )


def _refuse_foreign_name(name: str, family: TaskFamily, families: Mapping[str, TaskFamily]) -> None:
    try:
        metric = named_metric(name, _all_metrics(families))
    except InputError:
        return
    _refuse_foreign(metric, name, family, families)


# ---------------------------------------------------------------- the task


def _task(request: Request, family: TaskFamily, peek: Peek, reading: Reading, families: Mapping[str, TaskFamily]
          ) -> TaskSpec:  # fmt: skip
    words = request.words
    names = [name for known in family.candidates().values() for name in (known.name, *known.tags)]
    constraints, warnings = read_constraints(words, _all_metrics(families), names, own=tuple(family.metrics))
    metric, why = _metric(request, family, reading, constraints, families)
    columns, ignore, said = _roles(request, peek, reading.target)
    by, told, refused = _told_apart(request, peek, reading.target, family)
    if columns["weight"]:
        _require_weights(columns["weight"], family, families)
    wishes = read_models(words, names)
    long = (f"Only the first {LONGEST} characters of the request were read.",) if len(words) == LONGEST else ()
    inferences = [inference for inference in reading.inferences if not (why and inference.field == "metric")]
    inferences += [*([why] if why else []), *said, *told, *_given(request)]
    return TaskSpec(
        words=words,
        user=read_user(words),
        problem=describe(words, family.area, family.title, tuple(column.name for column in peek.columns)),
        dataset=_datasets(peek, request),
        model=(*wishes.required, *wishes.mentioned),
        knowledge=hints(words),
        service=Service(target_device="gpu" if re.search(r"\bgpus?\b|\bcuda\b", tx.low(words)) else "cpu"),
        family=family.name,
        target=reading.target,
        positive=reading.positive,
        metric=metric,
        higher_is_better=family.metrics[metric].higher_is_better,
        constraints=constraints,
        deliverables=read_deliverables(words),
        time=columns["time"],
        group=columns["group"],
        weight=columns["weight"],
        ignore=ignore,
        by=by,
        options={**reading.options, **request.options},
        inferences=tuple(_unique(inferences)),
        warnings=(*reading.warnings, *warnings, *refused, *long),
    )


def _given(request: Request) -> list[Inference]:
    """What the caller fixed."""
    given = {"family": request.family, "target": request.target, "positive": request.positive, "time": request.time,
             "group": request.group, "weight": request.weight}  # fmt: skip
    return [Inference(field=field, value=value, reason="Given by the caller.", by="user")
            for field, value in given.items() if value]  # fmt: skip


def _unique(inferences: list[Inference]) -> list[Inference]:
    """One inference a field (`ignore` may have several); the caller's word counts more than ours."""
    fixed = {inference.field for inference in inferences if inference.by == "user"}
    return [inference for inference in inferences if inference.by == "user" or inference.field not in fixed]


def _datasets(peek: Peek, request: Request) -> tuple[DatasetSpec, ...]:
    places = [*request.data, *([request.test_data] if request.test_data else [])]
    return tuple(
        DatasetSpec(
            name=Path(place).stem or place,
            source="link" if "://" in place else "upload",
            location=place,
            modality=peek.modality,
        )
        for place in places
    )
