"""Which candidates may be tried at all: what the user's words, the data and the installed packages allow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from automl_agent.errors import InputError
from automl_agent.records import Constraint, DataProfile, TaskSpec
from automl_agent.tasks.candidate import holds, installed
from automl_agent.tasks.family import Candidate, TaskFamily
from automl_agent.tasks.words.text import nearest

_DIGITS = str.maketrans("", "", " -_")

HURRY = ("budget", "rows_per_second")
"""Conditions on the time there is, which do not count for a model that the user wished for."""


def allowed_candidates(
    family: TaskFamily, task: TaskSpec, profile: DataProfile
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of the candidates that may be tried, and the others with the reason.

    Raises:
        InputError: when the user's words leave no candidate, naming those that there are.
    """
    wished = any(one.measure == "model_family" and one.comparison in ("in", "==") for one in task.constraints)
    left_out: dict[str, str] = {}
    allowed: list[str] = []
    for name, candidate in family.candidates().items():
        if name == family.baseline:
            continue
        reason = _forbidden(candidate, task.constraints)
        if not reason and not installed(candidate):
            reason = f"needs {', '.join(candidate.requires)}, which is not installed"
        if not reason:
            failed = [
                f"{key} {rule}"
                for key, rule in candidate.conditions.items()
                if not holds(rule, profile.meta.get(key)) and not (key in HURRY and wished)
            ]
            reason = f"is for {' and '.join(failed)}" if failed else ""
        if reason:
            left_out[name] = reason
        else:
            allowed.append(name)
    if not allowed:
        reasons: dict[str, list[str]] = {}
        for name, reason in left_out.items():
            reasons.setdefault(reason, []).append(name)
        told = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        raise InputError(f"No installed model is left that the request allows ({told}).")
    return tuple(allowed), left_out


def useful_steps(family: TaskFamily, profile: DataProfile) -> tuple[str, ...]:
    """Data steps that can do anything on data of this profile."""
    return tuple(
        name
        for name, step in family.steps.items()
        if all(holds(rule, profile.meta.get(key)) for key, rule in step.conditions.items())
    )


def unknown_names(family: TaskFamily, models: Iterable[str], steps: Iterable[str]) -> dict[str, str]:
    """What the family does not have, by name, with what it has instead, in words: models that are no candidate files
    either, and data steps, which its own models pass over."""
    found = {}
    for kind, wanted, known in (
        ("model", models, tuple(family.candidates())),
        ("data step", steps, tuple(family.steps)),
    ):
        for name in wanted:
            if name not in known and not (kind == "model" and Path(name).is_file()):
                near = nearest(name, known, 1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                found[name] = (f"{family.name} has no {kind} {name!r}, and does without it.{hint}"
                               f" There are: {', '.join(known) or 'none'}.")  # fmt: skip
    return found


def meets_wish(candidate: Candidate, constraint: Constraint) -> bool:
    """Whether a candidate satisfies a `model_family` constraint."""
    wanted = constraint.value if isinstance(constraint.value, tuple) else (str(constraint.value),)
    names = {_plain(tag) for tag in (candidate.name, candidate.title, *candidate.tags)}
    hit = any(_plain(word) in names for word in wanted)
    return hit == (constraint.comparison in ("in", "=="))


def _forbidden(candidate: Candidate, constraints: tuple[Constraint, ...]) -> str:
    for constraint in constraints:
        if constraint.measure == "model_family" and not meets_wish(candidate, constraint):
            return f"the request says {constraint.words!r}" if constraint.words else "the request excludes it"
    return ""


def _plain(word: str) -> str:
    return word.lower().translate(_DIGITS).rstrip("s")
