"""Second verifier: did a plan, tried at low cost, show that it can work?"""

from __future__ import annotations

from automl_agent.agents.allowed import meets_wish
from automl_agent.delivery.words import model_name
from automl_agent.records import Trial, Verdict
from automl_agent.search.runner import ranked
from automl_agent.tasks.family import loss
from automl_agent.verifiers.base import PlanCase, Verifier


def verify_plan(case: PlanCase) -> Verdict:
    """Fails on errors, on limits that cannot be met, or when the plan is worse than the baseline.

    An unmet score is a warning only: later rungs, tuning and the ensemble are still to come. So is being worse than the
    baseline on a sample of the rows: what learns from lags, say, needs more of them than what repeats the last season.
    """
    scored = ranked(case.family, case.task.metric, case.trials)
    if not scored:
        errors = sorted({trial.error.rstrip(".") for trial in case.trials if trial.error})
        return Verdict(
            subject=case.plan.id, passed=False, reasons=(f"no trial succeeded: {'; '.join(errors) or 'none ran'}",)
        )
    feasible = [trial for trial in scored if not _limits_broken(trial, case)]
    if not feasible:
        return Verdict(subject=case.plan.id, passed=False, reasons=tuple(_limits_broken(scored[0], case)))
    best = feasible[0]
    metric = case.family.metrics[case.task.metric]
    reasons, passed = (
        [f"{model_name(best.candidate)} scored {metric.name} {best.score:.4g} in the first comparison"],
        True,
    )
    trivial = case.baseline.score
    if trivial is not None and loss(metric, best.score or 0.0) > loss(metric, trivial):
        sampled = best.fidelity.rows
        passed = bool(sampled)
        on = f" on {sampled:,} rows" if sampled else ""
        reasons.append(f"worse than the trivial baseline ({trivial:.4g}){on}")
    return Verdict(
        subject=case.plan.id, passed=passed, reasons=tuple(reasons), warnings=tuple(_score_warnings(best, case))
    )


def _limits_broken(trial: Trial, case: PlanCase) -> list[str]:
    """Limits that even one fold's model of this trial breaks."""
    measured = {"latency_ms": trial.latency_ms, "size_mb": trial.size_mb, "memory_mb": trial.memory_mb}
    broken = []
    for constraint in case.task.constraints:
        value, limit = measured.get(constraint.measure), constraint.value
        if value is not None and isinstance(limit, float) and constraint.comparison in ("<=", "<") and value > limit:
            broken.append(f"{model_name(trial.candidate)} takes {value:.3g} {constraint.unit}, {limit:g} are allowed")
        known = case.family.candidates().get(trial.candidate)
        if constraint.measure == "model_family" and known and not meets_wish(known, constraint):
            broken.append(f"{model_name(trial.candidate)} is not what the request allows")
    return broken


def _score_warnings(best: Trial, case: PlanCase) -> list[str]:
    metric = case.family.metrics[case.task.metric]
    warnings = []
    for constraint in case.task.constraints:
        limit = constraint.value
        if constraint.measure != metric.name or not isinstance(limit, float) or best.score is None:
            continue
        if loss(metric, best.score) > loss(metric, limit):
            warnings.append(f"{metric.name} {best.score:.4g} is short of {limit:g} so far")
    return warnings


PLAN_VERIFIER = Verifier(
    "plans", "plans", "Fails plans that err, cannot meet a limit, or lose to the baseline.", verify_plan
)
