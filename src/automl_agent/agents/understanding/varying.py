"""A finished run varied by a few words: its task is taken over, and the words change it.

The new words are read like any request whose family, target and columns are given; then the two tasks are laid over
each other. What is given besides the words counts more than both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from automl_agent.agents.understanding.constraints import read_constraints
from automl_agent.agents.understanding.deliverables import read_deliverables
from automl_agent.agents.understanding.limits import MEASURES, check_limits
from automl_agent.agents.understanding.looking import Look, look_at
from automl_agent.agents.understanding.models import read_models
from automl_agent.agents.understanding.relative import limits_of, read_wishes
from automl_agent.delivery.summary import requirement
from automl_agent.errors import InputError
from automl_agent.execution.finished import FinishedRun
from automl_agent.records import Constraint, Inference, Question, Request, Scalar, TaskSpec
from automl_agent.tasks.family import TaskFamily
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.mentions import mentions
from automl_agent.tasks.words.metric import metric_mentions, read_metric
from automl_agent.tasks.words.spoken import FUNCTION

_EXAMPLES = "'smaller', 'twice as fast', 'without column X', 'at most 2 MB', 'by f1', 'only linear models'"
_SWITCH = re.compile(r"\b(?:optimi[sz]\w*|maximi[sz]\w*|minimi[sz]\w*|metric|judged?|scored?|measured?|instead|by)\b")
"""Words that make a metric the one to go by, where a limit is set on it, too."""
_CLAUSES = re.compile(r"[,;.!?](?=\s|$)|\s+(?:and|but|und|aber|et|mais|y|pero)\s+(?![\d.])|\n")
_LEFT_OUT = re.compile(
    r"^\W*(?:please )?(?:without|drop|ignor\w*|exclud\w*|omit|skip|leave out|do not use|don't use|ohne|sans|sin)\b"
)
_SAYING_NOTHING = """
please thanks thank again same as before model models run one ones time now but also still just only it make made try
let want need would like should be can could keep everything else rest variation version result
"""
_TAKEN = ("family", "target", "positive", "time", "group", "weight", "by", "ignore")
"""What of the new task counts as it is: what the earlier one settled went into it."""
_IDLE = frozenset(_SAYING_NOTHING.split())
"""Words of a variation that say nothing by themselves."""


def look_again(request: Request, earlier: FinishedRun, families: Mapping[str, TaskFamily]) -> Look | Question:
    """Look at the data of a variation, with all given that the earlier task settled and that is not given anew.

    Raises:
        InputError: as `look_at`; and when the words ask for another target, or leave out what is no column.
    """
    task, given = earlier.task, request.model_dump(exclude_none=True)
    fixed: dict[str, object] = {name: given.get(name, getattr(task, name)) for name in ("time", "group")}
    target = request.target or task.target
    fixed["target"] = target
    fixed["ignore"] = tuple(dict.fromkeys(name for name in (*task.ignore, *request.ignore) if name != target))
    if _same_task(request, task):
        fixed |= {"family": task.family, "positive": request.positive or task.positive}
        fixed["options"] = {**task.options, **request.options}
    if request.family in (None, task.family):
        fixed["weight"] = request.weight or task.weight
        fixed["by"] = tuple(name for name in dict.fromkeys((*task.by, *request.by)) if name != target)
    look = look_at(request.model_copy(update=fixed), families, before=task.words)
    if isinstance(look, Question) or look.table is None:
        return look
    named = mentions(look.request.words, look.table)
    other = next((m for m in named if m.role == "goal" and m.direct and m.column != look.request.target), None)
    if other is not None and request.target is None and request.words[: other.start].strip():
        raise InputError(
            f"'{other.marker} {other.column}' asks for another target than {task.target!r}, that of run"
            f" {earlier.run_id}.",
            hint=f"Give it with --target {other.column}, or start a run of its own.",
        )
    again = {m.column for m in named if m.role != "ignore"} - set(request.ignore)
    ignore = tuple(name for name in look.request.ignore if name not in again)
    return replace(look, request=look.request.model_copy(update={"ignore": ignore}))


def varied(look: Look, now: TaskSpec, request: Request, earlier: FinishedRun) -> TaskSpec:
    """The earlier task, changed by what the new words and what is given besides say.

    Args:
        look: the data, under the request that `look_again` made.
        now: that request as it was understood.
        request: the variation as the caller wrote it.

    Raises:
        InputError: nothing to change was understood, or the limits cannot hold together.
    """
    before, family = earlier.task, look.families[now.family]
    same = _same_task(request, before)
    metric = _metric(look, now, request, before, family, same=same)
    wishes = read_wishes(look.request.words)
    wished, reasons = limits_of(wishes, earlier, family, metric, {each.measure for each in now.constraints})
    fresh = (*(each for each in now.constraints if not _overruled(each, wished)), *wished)
    kept = tuple(each for each in before.constraints if same or each.measure in (*MEASURES, "model_family"))
    constraints = _together(kept, fresh)
    check_limits(constraints, family.metrics)
    options = {**(before.options if same else {}), **now.options, **_said_options(look, family), **request.options}
    required = any(each.measure == "model_family" for each in fresh)
    task = before.model_copy(
        update={
            "words": f"{before.words}\n{look.request.words}".strip(),
            "dataset": now.dataset,
            "model": now.model if required else tuple(dict.fromkeys((*before.model, *now.model))),
            "knowledge": (*before.knowledge, *now.knowledge),
            "deliverables": tuple(dict.fromkeys((*before.deliverables, *now.deliverables))),
            "problem": before.problem if same else now.problem,
            **{name: getattr(now, name) for name in _TAKEN},
            "metric": metric,
            "higher_is_better": family.metrics[metric].higher_is_better,
            "constraints": constraints,
            "options": options,
            "based_on": earlier.run_id,
        }
    )
    other_data = request.data != earlier.request.data or request.test_data != earlier.request.test_data
    changes = (*_changes(before, task), *(["other data"] if other_data else []))
    unread = _unread(look, now, family, by_words=options != {**before.options, **request.options})
    _check_understood(look, unread, changes)
    warnings = (f"'{text}' was not understood as a change, and changed nothing." for text in unread)
    inferences = _inferences(before, now, task, reasons, earlier.run_id)
    return task.model_copy(
        update={"changes": changes, "inferences": inferences, "warnings": (*now.warnings, *warnings)}
    )


def _same_task(request: Request, before: TaskSpec) -> bool:
    """Whether family and target are those of the earlier run."""
    pairs = ((request.family, before.family), (request.target, before.target))
    return all(given is None or tx.low(given).strip() == tx.low(known or "").strip() for given, known in pairs)


# ---------------------------------------------------------------- what is different


def _metric(look: Look, now: TaskSpec, request: Request, before: TaskSpec, family: TaskFamily, *, same: bool) -> str:
    """The metric to go by: given, named in the words, or the earlier one. A limit alone makes none the one to go by."""
    if request.metric or not same:
        return now.metric
    words = look.request.words
    named, _ = read_metric(words, family.metrics)
    by_model = any(each.field == "metric" and each.by == "model" for each in now.inferences)
    if named is None and not by_model:
        return before.metric
    limited = {each.measure for each in now.constraints}
    return before.metric if now.metric in limited and not _SWITCH.search(tx.low(words)) else now.metric


def _said_options(look: Look, family: TaskFamily) -> dict[str, Scalar]:
    """Options that the new words speak of: they are not there without these words."""
    bare = look.request.model_copy(update={"options": {}})
    peek = look.peeks[family.name]
    said = family.interpret(bare, peek).options
    silent = family.interpret(bare.model_copy(update={"words": ""}), peek).options
    return {name: value for name, value in said.items() if silent.get(name) != value}


def _overruled(stated: Constraint, wished: tuple[Constraint, ...]) -> bool:
    """Whether a wish says the same in other words: "an interpretable model" names a model family, too."""
    return any(stated.measure == "model_family" == each.measure and stated.words in each.words for each in wished)


def _together(old: tuple[Constraint, ...], new: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
    """The limits of both: a new one takes the place of all on the same measure.

    Only the wish to be better than the earlier run leaves the limits in numbers as they are. Of model families, one
    that is allowed now is no longer excluded, and the other way round.
    """
    stated = {each.measure for each in new if not each.validation_only} - {"model_family"}
    wished = {each.measure for each in new if each.validation_only}
    kept = [
        each for each in old if each.measure not in stated and not (each.validation_only and each.measure in wished)
    ]
    wanted = {name for each in new if each.comparison == "in" for name in _families(each)}
    banned = {name for each in new if each.comparison == "not in" for name in _families(each)}
    result = []
    for each in kept:
        if each.measure == "model_family":
            without = banned if each.comparison == "in" else wanted
            left = tuple(name for name in _families(each) if name not in without)
            if not left or (each.comparison == "in" and wanted):
                continue
            each = each.model_copy(update={"value": left})
        result.append(each)
    return (*result, *new)


def _families(limit: Constraint) -> tuple[str, ...]:
    """The model families that a limit speaks of."""
    return limit.value if isinstance(limit.value, tuple) else (str(limit.value),)


def _changes(before: TaskSpec, task: TaskSpec) -> tuple[str, ...]:
    """What is different, one phrase each."""
    changes = [f"without column {name}" for name in task.ignore if name not in before.ignore]
    changes += [f"with column {name} again" for name in before.ignore if name not in task.ignore]
    changes += [f"also apart by {name}" for name in task.by if name not in before.by]
    for name in ("family", "target", "positive", "metric", "time", "group", "weight"):
        old, new = getattr(before, name), getattr(task, name)
        if old != new:
            changes.append(f"{name} {new or 'none'} instead of {old or 'none'}")
    for each in task.constraints:
        if _limit(each) in map(_limit, before.constraints):
            continue
        replaced = [old for old in before.constraints if old.measure == each.measure and old not in task.constraints]
        instead = f" instead of {' and '.join(map(requirement, replaced))}" if replaced else ""
        changes.append(requirement(each) + instead)
    measures = {each.measure for each in task.constraints}
    changes += [f"no longer {requirement(each)}" for each in before.constraints if each.measure not in measures]
    changes += [f"also {name.replace('_', ' ')}" for name in task.deliverables if name not in before.deliverables]
    changes += [f"option {name} = {value}" for name, value in task.options.items()
                if before.options.get(name) != value]  # fmt: skip
    return tuple(changes)


def _limit(one: Constraint) -> tuple[object, ...]:
    return one.measure, one.comparison, one.value


def _inferences(before: TaskSpec, now: TaskSpec, task: TaskSpec, reasons: tuple[Inference, ...], run_id: str
                ) -> tuple[Inference, ...]:  # fmt: skip
    """The earlier reasons where they still hold, the new ones where something changed."""
    changed = {name for name in ("family", "target", "positive", "metric", "time", "group")
               if getattr(before, name) != getattr(task, name)}  # fmt: skip
    changed |= {name for name, value in task.options.items() if before.options.get(name) != value}
    limited = {each.measure for each in task.constraints}
    replaced = changed | {each.field for each in reasons}
    kept = [
        each
        for each in before.inferences
        if each.field not in (*replaced, "based_on")
        and (each.field != "ignore" or each.value in task.ignore)
        and (each.field not in ("size_mb", "latency_ms", "train_seconds") or each.field in limited)
    ]
    new = [each for each in now.inferences if each.field in changed
           or (each.field == "ignore" and each.value not in before.ignore) or each.by == "model"]  # fmt: skip
    taken = Inference(
        field="based_on",
        value=run_id,
        reason="All that is not listed as a change is taken over from this run.",
        by="user",
    )
    return (taken, *reasons, *(each for each in new if each not in kept), *kept)


# ---------------------------------------------------------------- what was not understood


def _unread(look: Look, now: TaskSpec, family: TaskFamily, *, by_words: bool) -> tuple[str, ...]:
    """The clauses of the words that say something, and of which nothing was understood."""
    quoted = " ".join(
        [*(each.reason for each in now.inferences if each.by == "model"), *(each.words for each in now.constraints)]
    )
    clauses = [clause.strip() for clause in _CLAUSES.split(look.request.words)]
    return tuple(
        clause
        for clause in clauses
        if _tells(clause)
        and not _read(clause, look, family)
        and clause not in quoted
        and not (by_words and re.search(r"\d", clause))
    )


def _tells(clause: str) -> bool:
    return any(len(word) > 1 and word not in FUNCTION and word not in _IDLE for word in tx.names(clause))


def _read(clause: str, look: Look, family: TaskFamily) -> bool:
    names = [name for known in family.candidates().values() for name in (known.name, *known.tags)]
    models = read_models(clause, names)
    return bool(
        read_wishes(re.sub(r"^not\s+", "", clause))
        or (look.table and mentions(clause, look.table))
        or metric_mentions(clause, family.metrics)
        or any(read_constraints(clause, family.metrics, names, own=tuple(family.metrics)))
        or models.required or models.excluded or models.mentioned
        or read_deliverables(clause)
    )  # fmt: skip


def _check_understood(look: Look, unread: tuple[str, ...], changes: tuple[str, ...]) -> None:
    """
    Raises:
        InputError: a clause leaves out what is no column, or nothing at all was understood.
    """
    for clause in unread:
        left_out = _LEFT_OUT.match(tx.low(clause))
        if left_out and look.table:
            named = re.sub(r"^\W*(?:the )?(?:columns?|features?|variables?)?\W*", "", clause[left_out.end() :])
            columns = [column.name for column in look.table.columns]
            near = tx.nearest(named, columns) or columns[:5]
            raise InputError(f"'{clause}' names no column and no model.", hint=f"Columns: {', '.join(near)}, ...")
    if unread and not changes:
        raise InputError(f"Nothing to change was understood in '{look.request.words.strip()}'.",
                         hint=f"Say, for example: {_EXAMPLES}; time is given with --budget.")  # fmt: skip
