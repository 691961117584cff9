"""The Model Agent: measures the candidates that a plan bets on, and shortlists those worth their time."""

from __future__ import annotations

from automl_agent.agents.allowed import allowed_candidates
from automl_agent.agents.base import Agent
from automl_agent.agents.bench import Bench
from automl_agent.records import CandidateChoice, Measurement, Shortlist, SubTask, Trial
from automl_agent.search.rungs import full_cost

KEEP = 3
"""Candidates kept on a shortlist at most."""


def shortlist(subtask: SubTask, bench: Bench) -> Shortlist:
    """Train each model of the plan once at low fidelity; drop what fails, what is too slow and what is far behind."""
    _, left_out = allowed_candidates(bench.family, bench.task, bench.profile)
    rejected = {name: left_out[name] for name in subtask.plan.models if name in left_out}
    catalogue = bench.family.candidates()
    models = [name for name in subtask.plan.models if name in bench.allowed]
    first = [CandidateChoice(candidate=name, params=catalogue[name].portfolio[0]) for name in models]
    trials = bench.measure([(choice, ()) for choice in first])
    for trial in trials:
        if trial.score is not None:
            bench.measurements.append(Measurement(what=trial.candidate, value=trial.score, unit=bench.task.metric))
    kept: list[Trial] = []
    for trial in bench.best_first(trials):
        reason = _reason_against(trial, bench)
        if reason:
            rejected[trial.candidate] = reason
        elif len(kept) < KEEP:
            kept.append(trial)
    rejected |= {trial.candidate: f"failed: {trial.error}" for trial in trials if trial.score is None}
    if not kept:  # better a slow model than none
        kept = bench.best_first(trials)[:1]
    choices = [CandidateChoice(candidate=t.candidate, params=t.params, reason="measured") for t in kept]
    if kept:  # the best one earns its second configuration
        more = catalogue[kept[0].candidate].portfolio[1:2]
        choices += [CandidateChoice(candidate=kept[0].candidate, params=params, reason="portfolio") for params in more]
    late = [CandidateChoice(candidate=t.candidate, params=t.params, reason="no time so far") for t in trials if t.late]
    return Shortlist(choices=tuple(choices), rejected=rejected, late=tuple(late))


def _reason_against(trial: Trial, bench: Bench) -> str:
    for constraint in bench.task.constraints:
        if constraint.measure == "latency_ms" and trial.latency_ms and isinstance(constraint.value, float):
            if trial.latency_ms > constraint.value:
                return f"one row takes {trial.latency_ms:.3g} ms, {constraint.value:g} ms are allowed"
        elif (
            constraint.measure == "size_mb" and isinstance(constraint.value, float) and trial.size_mb > constraint.value
        ):
            return f"takes {trial.size_mb:.3g} MB, {constraint.value:g} MB are allowed"
    cost = full_cost(trial, bench.profile) / bench.runner.pool.size
    if cost > max(1.0, bench.runner.seconds_left()):
        return f"would take about {cost:.0f} s on all rows"
    return ""


MODEL_AGENT = Agent("model", "Measuring and shortlisting models", shortlist)
