"""Stage 4: the trivial baseline, and with it a complete bundle that every better one will replace: first of all by a
quick model of few rows, so that there is something to use within seconds."""

from __future__ import annotations

import time
from typing import Any

from automl_agent.errors import InputError
from automl_agent.nodes.publishing import publish_single
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import CandidateChoice, Trial
from automl_agent.search.rungs import full_fidelity, probe_fidelity
from automl_agent.search.runner import MEMORY, TrialRunner, Work
from automl_agent.tasks.family import better

PATIENCE = 120.0
"""Seconds that even a tiny budget grants the baseline: an answer always."""

FIRST = 0.1
"""Share of the budget that the first quick model may take."""


def baseline(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    runner = stage.runner(task, profile)
    runner.seconds_left = lambda: PATIENCE
    candidate = runner.candidate(runner.family.baseline)
    choice = CandidateChoice(candidate=candidate.name, params=candidate.portfolio[0])
    work = Work(choice, (), "", "baseline")
    until = time.monotonic() + PATIENCE
    (probe,) = runner.run([work], probe_fidelity(runner.family, profile), until=until)
    (full,) = runner.run([work], full_fidelity(profile), until=until)
    if full.score is None and full.error.startswith(MEMORY):
        text = f"The data do not fit into the {runner.memory_mb:.0f} MB of memory that a worker may use ({full.error})."
        raise InputError(text, hint="Give more memory (--max-memory), fewer workers (--cpus), or fewer rows.")
    if full.score is None:
        raise RuntimeError(f"The baseline could not be trained: {full.error}")
    artifact = publish_single(stage, runner, full, state["out"], "baseline")
    _first_model(stage, runner, state["out"], probe)
    return {"baseline_bundle": artifact, "baseline": {"probe": probe, "full": full}, "full": {full.id: full}}


def _first_model(stage: Stage, runner: TrialRunner, out: str, trivial: Trial) -> None:
    """Put the first quick model at the lowest rung in place. Nothing is lost by it: the agents measure it anyway, and
    find it done."""
    allowed = stage.allowed(runner.task, runner.profile)
    names = [name for name in runner.family.probe if name in allowed]
    seconds = FIRST * min(stage.budget, stage.left())
    if not names or seconds <= 0 or trivial.score is None:
        return
    choice = CandidateChoice(candidate=names[0], params=runner.candidate(names[0]).portfolio[0])
    runner.seconds_left = stage.left
    work, until = Work(choice, (), "", "baseline"), time.monotonic() + seconds
    (trial,) = runner.run([work], probe_fidelity(runner.family, runner.profile), until=until, time_limit=seconds)
    metric = runner.family.metrics[runner.task.metric]
    if trial.score is not None and better(metric, trial.score, trivial.score):
        publish_single(stage, runner, trial, out, "first")
