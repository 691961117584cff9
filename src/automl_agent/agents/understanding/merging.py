"""Where rules and language model meet: what was said outright stays, and the model fills what was left open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from automl_agent.agents.understanding.claimed_limits import spoken_numbers
from automl_agent.agents.understanding.claims import Claim, Claims
from automl_agent.agents.understanding.language import read_language
from automl_agent.agents.understanding.limits import check_limits
from automl_agent.agents.understanding.looking import Look
from automl_agent.agents.understanding.prompt import likeliest, read
from automl_agent.errors import InputError
from automl_agent.records import Constraint, Inference, Question, TaskSpec, User
from automl_agent.tasks.words import cues
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.columns import TARGETS

_FEW = 5
"""Words of a request from which on its language shows to a model where it does not show to the rules."""


def merged(look: Look, ruled: TaskSpec | Question, claims: Claims, *, program: bool) -> TaskSpec | Question:
    """The task by rules and model together.

    - What the caller gave, and what the rules are sure of, stays, whatever the model says: a column, class or metric
      that the words name, a number with a unit.
    - A question about the target is answered by the model, when it names one of the columns that may be meant; not
      where the words ask for several.
    - A guess of the rules (`Inference.sure` is false) is replaced by the model's word, when that exists: a column of
      the data, a class of the target, a family that reads the data, a metric of the family.
    - A target that the rules only guessed, and that does not go with the rest, is no error yet: the model may name
      another.
    - With what the model filled, the rules read again, so that all their checks hold. Where they object, that word of
      the model is dropped.
    - Requirements, columns to leave out, order and groups that the rules did not see are added when the words hold the
      number, or speak of the column. A requirement on what the rules already limit is not.
    - Work on a table that no family covers becomes a task with the option `program`, when the model names a target and
      programs can be written; else the question of the rules stays.
    - The model never refuses, and never asks: where it has no valid answer, the rules' task or question stays.

    Every field that the model filled has an `Inference` by the model, with the user's words that it rests on.

    Args:
        look: request and data.
        ruled: what the rules made of it.
        claims: what of the model's answer may be used.
        program: whether a language model is there to write a whole program.
    """
    filled = _Filled(look, ruled)
    if isinstance(ruled, Question):
        if ruled.field == "family":
            return _with_program(filled, claims) if program else ruled
        open_target = ruled.field == "target" and not ruled.user_only
        if not open_target or claims.target is None or claims.target.value not in ruled.choices:
            return ruled
    for name, claim in (("target", claims.target), ("family", claims.family), ("positive", claims.positive)):
        filled = filled.with_claim(name, claim)
    return _completed(filled, claims)


def _completed(filled: _Filled, claims: Claims) -> TaskSpec | Question:
    """The task once its target is known: the metric, and all that is added to what the rules saw."""
    if isinstance(filled.result, Question):
        return filled.result
    limits = _unseen(filled.result, claims.constraints, filled.look)
    for claim in (claims.metric, _limited(limits)):
        filled = filled.with_claim("metric", claim)
    assert isinstance(filled.result, TaskSpec)
    task = _with_limits(filled.explained(filled.result), limits)
    return _with_user(_with_roles(task, claims, filled.look), claims)


@dataclass(frozen=True)
class _Filled:
    """The rules' reading, with the model's words for some of its fields."""

    look: Look
    result: TaskSpec | Question
    by_model: dict[str, Claim] = field(default_factory=dict)

    def with_claim(self, name: str, claim: Claim | None) -> _Filled:
        """The reading with the model's word for a field; the same where the field is not open or the rules object."""
        if claim is None or not self._is_open(name, claim):
            return self
        look = self.look.given(**{name: claim.value})
        try:
            result = read(look)
        except InputError:
            return self
        if isinstance(result, Question):
            return self
        return replace(self, look=look, result=result, by_model={**self.by_model, name: claim})

    def _is_open(self, name: str, claim: Claim) -> bool:
        if isinstance(self.result, Question):
            return name == "target"
        guess = next((each for each in self.result.inferences if each.field == name and not each.sure), None)
        if guess is None or guess.value == claim.value:
            return False
        return name != "target" or self._can_be_target(claim.value)

    def _can_be_target(self, name: str) -> bool:
        column = self.look.table.column(name) if self.look.table else None
        assert isinstance(self.result, TaskSpec)
        taken = {self.result.time, self.result.group, self.result.weight, *self.result.ignore}
        return column is not None and column.kind in TARGETS and name not in taken

    def explained(self, task: TaskSpec) -> TaskSpec:
        """The task, with the user's words as the reason of what the model filled."""
        inferences = tuple(
            _by_model(each.field, getattr(task, each.field) or each.value, self.by_model[each.field])
            if each.field in self.by_model
            else each
            for each in task.inferences
        )
        return task.model_copy(update={"inferences": inferences})


def _by_model(name: str, value: str, claim: Claim) -> Inference:
    return Inference(field=name, value=value, reason=f"The words say '{claim.quote}'.", by="model")


def _limited(constraints: Iterable[Constraint]) -> Claim | None:
    """A metric that has a limit is the one to go by, when no other is named."""
    return next((Claim(each.measure, each.words) for each in constraints if not each.unit), None)


# ---------------------------------------------------------------- what is added


def _unseen(task: TaskSpec, limits: Iterable[Constraint], look: Look) -> tuple[Constraint, ...]:
    """The requirements that the rules did not see, and that can hold with theirs. No number is read twice."""
    metrics = look.families[task.family].metrics
    limited = {each.measure for each in task.constraints}
    free = spoken_numbers(task.words)
    for number in (each for known in task.constraints for each in spoken_numbers(known.words)):
        if number in free:
            free.remove(number)
    found = tuple(
        limit
        for limit in limits
        if (limit.unit or limit.measure in metrics)
        and limit.measure not in limited
        and set(spoken_numbers(limit.words)) & set(free)
    )
    try:
        check_limits((*task.constraints, *found), metrics)
    except InputError:
        return ()
    return found


def _with_limits(task: TaskSpec, limits: tuple[Constraint, ...]) -> TaskSpec:
    """The task with more requirements, and without warnings that they were not read."""
    read_now = {number for limit in limits for number in spoken_numbers(limit.words)}
    inferences = tuple(
        Inference(
            field="constraint",
            value=f"{limit.measure} {limit.comparison} {limit.value}",
            reason=f"The words say '{limit.words}'.",
            by="model",
        )
        for limit in limits
    )
    return task.model_copy(
        update={
            "constraints": (*task.constraints, *limits),
            "inferences": (*task.inferences, *inferences),
            "warnings": tuple(each for each in task.warnings if not (_unread(each) & read_now)),
        }
    )


def _unread(warning: str) -> set[str]:
    """Numbers that a warning says were not read."""
    return set(spoken_numbers(warning)) if "was not taken as a requirement" in warning else set()


def _with_roles(task: TaskSpec, claims: Claims, look: Look) -> TaskSpec:
    """The task with the order, groups, weights, subgroups and unused columns that the rules did not see."""
    family = look.families[task.family]
    update: dict[str, str | tuple[str, ...]] = {}
    inferences = []
    used = {task.target, task.time, task.group, task.weight, *task.ignore}
    weight = claims.weight if family.weighs and _holds_numbers(look, claims.weight) else None
    for name, claim in (("time", claims.time), ("group", claims.group), ("weight", weight)):
        if claim and getattr(task, name) is None and claim.value not in used:
            used.add(claim.value)
            update[name] = claim.value
            inferences.append(_by_model(name, claim.value, claim))
    apart = claims.by if family.subgroups else ()
    for name, several, taken in (("ignore", claims.ignore, used), ("by", apart, {task.target, *task.by})):
        if more := {claim.value: claim for claim in several if claim.value not in taken}:
            update[name] = (*getattr(task, name), *more)
            inferences += [_by_model(name, column, claim) for column, claim in more.items()]
    return task.model_copy(update={**update, "inferences": (*task.inferences, *inferences)})


def _holds_numbers(look: Look, claim: Claim | None) -> bool:
    column = look.table.column(claim.value) if look.table and claim else None
    return column is not None and column.kind == "number"


def _with_user(task: TaskSpec, claims: Claims) -> TaskSpec:
    """The task with what the model says of the user where the rules saw nothing, and with more deliverables."""
    update = {}
    if claims.expertise and task.user.expertise == User().expertise:
        update["expertise"] = claims.expertise.value
    if claims.language.isalpha() and read_language(task.words) is None and len(tx.names(task.words)) >= _FEW:
        update["language"] = claims.language
    deliverables = tuple(dict.fromkeys((*task.deliverables, *claims.deliverables)))
    return task.model_copy(update={"user": task.user.model_copy(update=update), "deliverables": deliverables})


# ---------------------------------------------------------------- work that no family covers


def _with_program(filled: _Filled, claims: Claims) -> TaskSpec | Question:
    """A task whose solution is a whole program; the question of the rules when the model names no target."""
    question = filled.result
    wish = cues.other_wish(filled.look.request.words)
    if claims.target is None or wish is None:
        return question
    surely = likeliest(filled.look)[1].target
    target = Claim(surely, claims.target.quote) if surely else claims.target
    aimed = replace(filled, look=filled.look.given(target=target.value), by_model={"target": target})
    try:
        task = read(aimed.look)
    except InputError:
        return question
    if isinstance(task, Question):
        return question
    kind, phrase = wish
    done = _completed(replace(aimed, result=task), claims)
    assert isinstance(done, TaskSpec)
    reason = f"No installed task family covers {kind} ('{phrase}'): a language model writes a whole program for it."
    needed = Inference(field="program", value=kind, reason=reason, by="model")
    update = {"options": {**done.options, "program": True}, "inferences": (*done.inferences, needed)}
    done = done.model_copy(update=update)
    return _in_time(done, filled.look) if kind == "forecasting" else done


def _in_time(task: TaskSpec, look: Look) -> TaskSpec:
    """The task ordered by the only column of dates, where nothing else orders it."""
    dates = [column.name for column in look.table.columns if column.kind == "date"] if look.table else []
    if task.time is not None or len(dates) != 1 or dates[0] in (task.target, task.group, *task.ignore):
        return task
    reason = f"'{dates[0]}' is the only column of dates, and the future is to be predicted."
    inference = Inference(field="time", value=dates[0], reason=reason)
    return task.model_copy(update={"time": dates[0], "inferences": (*task.inferences, inference)})
