"""Third verifier: does what was built meet every constraint, on out-of-fold estimates and measured limits?"""

from __future__ import annotations

from automl_agent.agents.allowed import meets_wish
from automl_agent.records import Constraint, ConstraintCheck, Grade, Solution, TaskSpec, Verdict
from automl_agent.tasks.family import TaskFamily, loss
from automl_agent.verifiers.base import SolutionCase, Verifier
from automl_agent.verifiers.constraints import Measured, check_constraints, missed


def verify_solution(case: SolutionCase) -> Verdict:
    measured = {**limits(case.solution, case.task, case.family), **scores(case.solution)}
    checks = check_constraints(case.task.constraints, measured)
    reasons = [check.text for check in missed(checks)]
    metric = case.family.metrics[case.task.metric]
    if case.baseline.score is not None and loss(metric, case.solution.score) > loss(metric, case.baseline.score):
        reasons.append(f"{metric.name} {case.solution.score:.4g} is worse than the baseline {case.baseline.score:.4g}")
    warnings = []
    if case.solution.interval is not None:
        warnings = interval_warnings(case.task.constraints, metric.name, case.solution.interval, "out of fold")
    return Verdict(
        subject="solution", passed=not reasons, checks=checks, reasons=tuple(reasons), warnings=tuple(warnings)
    )


def verify_grade(task: TaskSpec, family: TaskFamily, solution: Solution, grade: Grade, validation: Verdict) -> Verdict:
    """The final word: a constraint is met when the locked test and the validation before it both say so; one that
    compares with an earlier run's validation, when the validation says so.

    A test of few rows can flatter a model that was found wanting out-of-fold; that is luck, not a requirement met.
    """
    measured: Measured = {**limits(solution, task, family), **grade.others, grade.metric: grade.score}
    before = {(check.measure, check.comparison, check.value): check for check in validation.checks}
    judged_before = {(one.measure, one.comparison, one.value) for one in task.constraints if one.validation_only}
    checks = tuple(
        before[key]
        if (key := (check.measure, check.comparison, check.value)) in judged_before & before.keys()
        else _both(check, before.get(key))
        for check in check_constraints(task.constraints, measured)
    )
    warnings = interval_warnings(task.constraints, grade.metric, grade.interval, "on the test")
    return Verdict(
        subject="grade",
        passed=not missed(checks),
        checks=checks,
        reasons=tuple(check.text for check in missed(checks)),
        warnings=tuple(warnings),
    )


def _both(test: ConstraintCheck, validation: ConstraintCheck | None) -> ConstraintCheck:
    if validation is None or validation.met or not test.met:
        return test
    text = f"{validation.text} on validation (the locked test alone, {test.measured}, would meet it)"
    return validation.model_copy(update={"text": text})


def limits(solution: Solution, task: TaskSpec, family: TaskFamily) -> dict[str, float | str | tuple[str, ...] | None]:
    """What was measured of the solution besides its scores; for a wished family, the members that break the wish."""
    catalogue = family.candidates()
    offenders: set[str] = set()
    for constraint in task.constraints:
        if constraint.measure == "model_family":
            offenders |= {
                member.candidate
                for member in solution.members
                if member.candidate in catalogue and not meets_wish(catalogue[member.candidate], constraint)
            }
    return {
        "latency_ms": solution.latency_ms,
        "size_mb": solution.size_mb,
        "train_seconds": solution.train_seconds,
        "memory_mb": solution.memory_mb,
        "model_family": tuple(sorted(offenders)),
    }


def scores(solution: Solution) -> dict[str, float]:
    return {**solution.others, solution.metric: solution.score}


def interval_warnings(
    constraints: tuple[Constraint, ...], metric: str, interval: tuple[float, float], where: str
) -> list[str]:
    low, high = interval
    return [
        f"The limit {metric} {constraint.comparison} {constraint.value:g} lies inside the 95 % interval "
        f"{low:.4g} to {high:.4g} {where}: another sample could decide otherwise."
        for constraint in constraints
        if constraint.measure == metric and isinstance(constraint.value, float) and low < constraint.value < high
    ]


SOLUTION_VERIFIER = Verifier(
    "solution", "solution", "Compares every constraint with cross-fitted scores and measured limits.", verify_solution
)
