"""Verifiers: who decides whether a stage's result may pass. Numbers decide; words explain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from automl_agent.errors import ConfigurationError
from automl_agent.records import DataProfile, Plan, Request, Solution, TaskSpec, Trial, Verdict
from automl_agent.tasks.family import TaskFamily

if TYPE_CHECKING:
    from automl_agent.llm.client import Client

Stage = Literal["request", "plans", "solution"]


@dataclass(frozen=True)
class RequestCase:
    """What stands before the first verifier."""

    request: Request
    client: Client | None = None
    """Asks the language models of the run; `None` where there are none."""


@dataclass(frozen=True)
class PlanCase:
    """One plan and what its trials at the lowest rung measured."""

    plan: Plan
    trials: tuple[Trial, ...]
    baseline: Trial
    """The trivial baseline at the same fidelity."""
    task: TaskSpec
    profile: DataProfile
    family: TaskFamily


@dataclass(frozen=True)
class SolutionCase:
    """A built solution, measured out-of-fold. The locked test is not among the facts."""

    solution: Solution
    baseline: Trial
    task: TaskSpec
    profile: DataProfile
    family: TaskFamily


@dataclass(frozen=True)
class Verifier:
    """A verifier of one stage. The same name replaces a built-in one, a new name joins its stage: all must pass.

    `run` gets a `RequestCase`, `PlanCase` or `SolutionCase`, after its stage.
    """

    name: str
    stage: Stage
    description: str
    run: Callable[[Any], Verdict]


def panel(builtin: Iterable[Verifier], custom: Iterable[Verifier]) -> Mapping[str, Verifier]:
    """Merge the built-in verifiers with the caller's.

    Raises:
        ConfigurationError: for two custom verifiers of one name, a wrong stage, or something that is not a `Verifier`.
    """
    merged = {verifier.name: verifier for verifier in builtin}
    seen: set[str] = set()
    for verifier in custom:
        if not isinstance(verifier, Verifier):
            raise ConfigurationError(f"verifiers= takes automl_agent.Verifier objects, not {type(verifier).__name__}.")
        if verifier.name in seen:
            raise ConfigurationError(f"Two verifiers are called {verifier.name!r}.")
        if verifier.stage not in ("request", "plans", "solution"):
            raise ConfigurationError(f"Verifier {verifier.name!r}: stage must be request, plans or solution.")
        seen.add(verifier.name)
        merged[verifier.name] = verifier
    return merged


def judge(verifiers: Mapping[str, Verifier], stage: Stage, case: Any, subject: str) -> Verdict:
    """The joint verdict of a stage: passed when every verifier passes."""
    verdicts = [verifier.run(case) for verifier in verifiers.values() if verifier.stage == stage]
    return Verdict(
        subject=subject,
        passed=all(verdict.passed for verdict in verdicts),
        checks=tuple(check for verdict in verdicts for check in verdict.checks),
        reasons=tuple(reason for verdict in verdicts for reason in verdict.reasons),
        warnings=tuple(warning for verdict in verdicts for warning in verdict.warnings),
    )
