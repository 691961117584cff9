"""The look that comes before understanding: what each task family sees in the data, and the columns that were given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from automl_agent.errors import InputError
from automl_agent.records import Question, Request
from automl_agent.tasks.family import MetricSpec, Peek, TaskFamily
from automl_agent.tasks.metrics import Metrics
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.columns import require_column

LONGEST = 10_000
"""Characters of a request that are read."""


@dataclass(frozen=True)
class Look:
    """A request, its columns as written in the data, and what each family that can read the data sees."""

    request: Request
    families: Mapping[str, TaskFamily]
    """All installed families."""
    peeks: Mapping[str, Peek]
    """By family."""

    @property
    def table(self) -> Peek | None:
        """What is seen where the data have columns."""
        return next((peek for peek in self.peeks.values() if peek.columns), None)

    @property
    def metrics(self) -> Mapping[str, MetricSpec]:
        """The metrics of all families."""
        return Metrics((name, spec) for family in self.families.values() for name, spec in family.metrics.items())

    def given(self, **fields: str) -> Look:
        """The same data under a request in which more is given."""
        return replace(self, request=self.request.model_copy(update=fields))


def look_at(request: Request, families: Mapping[str, TaskFamily], *, before: str = "") -> Look | Question:
    """Look at the data of a request; without data, or where it is not clear what they are, there is a question.

    Args:
        request: words, data, and what the caller fixed.
        families: installed task families by name.
        before: words of a request that this one varies: they may say how tables belong together.

    Raises:
        InputError: when a family or column that was given does not exist, or no family can use the data.
    """
    request = request.model_copy(update={"words": tx.composed(request.words)[:LONGEST]})
    if not request.data and not request.test_data:
        return Question(field="data", text="Which data shall be learned from? Give the path of a file or folder.")
    spoken = request.model_copy(update={"words": f"{before} {request.words}"}) if before else request
    look = Look(request, families, _peeks(spoken, _asked(request, families)))
    if (open_question := next((peek.question for peek in look.peeks.values() if peek.question), None)) is not None:
        return open_question
    return replace(look, request=_checked_columns(request, look.table))


def _asked(request: Request, families: Mapping[str, TaskFamily]) -> Mapping[str, TaskFamily]:
    """The families that may be meant."""
    if request.family is None:
        return families
    if request.family not in families:
        raise InputError(f"There is no task family {request.family!r}.", hint=f"Installed: {', '.join(families)}.")
    return {request.family: families[request.family]}


def _peeks(request: Request, families: Mapping[str, TaskFamily]) -> dict[str, Peek]:
    """What each family sees in the data. Families of one class and area look once."""
    looks: dict[tuple[type, str], Peek | None] = {}
    found: dict[str, Peek] = {}
    problems: list[InputError] = []
    for name, family in families.items():
        key = (type(family), family.area)
        if key not in looks:
            try:
                looks[key] = family.peek(request)
            except InputError as problem:  # another family may read what this one cannot
                looks[key] = None
                problems.append(problem)
        peek = looks[key]
        if peek is not None:
            found[name] = peek
    if not found and problems:
        said = Counter(map(str, problems))  # who alone complains knows the format best
        raise min(problems, key=lambda problem: said[str(problem)])
    if not found:
        shown = ", ".join(str(source) for source in (*request.data, request.test_data) if source)
        titles = ", ".join(family.title for family in families.values())
        raise InputError(f"No task family can use {shown}.", hint=f"There are families for: {titles}.")
    return found


def _checked_columns(request: Request, peek: Peek | None) -> Request:
    """The request with its column names as written in the data.

    Raises:
        InputError: when there is no such column, or one has two roles.
    """
    if peek is None:
        return request
    given = {"target": request.target, "time": request.time, "group": request.group, "weight": request.weight}
    fixed: dict[str, str] = {what: require_column(name, peek, what) for what, name in given.items() if name}
    ignore = tuple(require_column(name, peek, "ignore") for name in request.ignore)
    target = fixed.get("target")
    by = tuple(dict.fromkeys(require_column(name, peek, "by") for name in request.by))
    roles = {role: (fixed.get(role),) for role in ("time", "group", "weight")} | {"ignore": ignore, "by": by}
    clash = next((what for what, names in roles.items() if target and target in names), None)
    if clash:
        raise InputError(f"Column {target!r} cannot be both target and {clash}.", hint="Choose one of them.")
    return request.model_copy(update={**fixed, "ignore": ignore, "by": by})
