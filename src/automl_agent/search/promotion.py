"""Who is trained on all rows, and in which order: successive halving over the trials of all plans."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_agent.records import Trial
from automl_agent.search.compose import limit_share
from automl_agent.search.rungs import probe_fidelity
from automl_agent.search.runner import TrialRunner, ranked
from automl_agent.tasks.family import best, improvement, loss

PROMOTED = 6
"""Probed trials that are trained on all rows before tuning begins."""
DEFAULTS = 0.02
"""Of the loss, by which another configuration must be better on some of the rows than a candidate's first one to be
trained on all in its place: few rows favour small models."""
FAR = 0.05
"""A trial that was so much worse than the best one on some of the rows, as a share of what that one left to a perfect
score, may take 1/e of the time on all rows that one as good may: what is far behind hardly gets into the ensemble."""
LEAST_GAIN = 1e-4
"""Of the loss, by which a trial must be better to be promising."""


def queue(runner: TrialRunner, probes: Sequence[Trial], full: Sequence[Trial]) -> list[Trial]:
    """What to train on all rows: best first, but the best of every plan, then of every candidate, before the second of
    any: diversity is what the ensemble lives on, and few rows tell little of who is good on many.

    Args:
        full: what was trained on all rows already, and is left out.
    """
    rung = probe_fidelity(runner.family, runner.profile)
    unique = allowed(runner, list({trial.id: trial for trial in probes if trial.fidelity == rung}.values()))
    order = ranked(runner.family, runner.task.metric, unique)
    if rung.rows:
        order = _defaults_first(runner, order)
    done = {trial.configuration for trial in full}
    order = [trial for trial in order if trial.configuration not in done]
    plans: dict[str, Trial] = {}
    candidates: dict[str, Trial] = {}
    for trial in order:
        plans.setdefault(trial.plan, trial)
        candidates.setdefault(trial.candidate, trial)
    first = {trial.id: trial for trial in (*order[:1], *plans.values(), *candidates.values(), *order)}
    return list(first.values())[:PROMOTED]


def allowed(runner: TrialRunner, trials: Sequence[Trial]) -> list[Trial]:
    """Those whose models keep the limits on latency, size and training time; all where none does."""
    constraints = runner.task.constraints
    inside = [trial for trial in trials if trial.score is not None and limit_share(trial, constraints) <= 1.0]
    return inside or list(trials)


def worth(runner: TrialRunner, trial: Trial, tried: Sequence[Trial]) -> float:
    """What share of the time a trial is worth, from 1 down to 0, by how far behind the best one it was; 1 where another
    kind of model may catch up on more rows, as with texts and images.

    Args:
        tried: what it is compared with at the lowest rung.
    """
    metric, rung = runner.family.metrics[runner.task.metric], probe_fidelity(runner.family, runner.profile)
    scores = [one.score for one in tried if one.fidelity == rung and one.score is not None]
    if trial.score is None or not scores or not runner.family.probe_cells:
        return 1.0
    return math.exp(improvement(metric, trial.score, best(metric, scores)) / FAR)


def promising(runner: TrialRunner, trial: Trial, tried: Sequence[Trial], full: Sequence[Trial]) -> bool:
    """Whether a trial is better than all but one of those `tried` of the same candidate and fidelity, and inside the
    limits, where any of `full` is."""
    if trial.id not in {one.id for one in allowed(runner, [trial, *full])}:
        return False
    metric = runner.family.metrics[runner.task.metric]
    before = [one for one in tried if (one.candidate, one.fidelity) == (trial.candidate, trial.fidelity)]
    leaders = ranked(runner.family, metric.name, before)[:2]
    if trial.score is None or not leaders:
        return trial.score is not None
    goal, spread = loss(metric, leaders[-1].score or 0.0), abs(loss(metric, leaders[0].score or 0.0))
    return loss(metric, trial.score) < goal - LEAST_GAIN * spread


def _defaults_first(runner: TrialRunner, order: Sequence[Trial]) -> list[Trial]:
    """The first configuration of a candidate in the place of its best one, where that was hardly better."""
    metric = runner.family.metrics[runner.task.metric]
    swapped = list(order)
    for candidate in dict.fromkeys(trial.candidate for trial in order):
        places = [place for place, trial in enumerate(swapped) if trial.candidate == candidate]
        first = runner.candidate(candidate).portfolio[0]
        default = next((place for place in places if swapped[place].params == first), places[0])
        least, other = (loss(metric, swapped[place].score or 0.0) for place in (places[0], default))
        if other - least <= DEFAULTS * abs(least):
            swapped[places[0]], swapped[default] = swapped[default], swapped[places[0]]
    return swapped
