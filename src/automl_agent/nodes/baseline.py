"""Stage 4: the trivial baseline, and with it a complete bundle that every better one will replace."""

from __future__ import annotations

import time
from typing import Any

from automl_agent.nodes.publishing import publish_single
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import CandidateChoice
from automl_agent.search.rungs import full_fidelity, probe_fidelity
from automl_agent.search.runner import Work

PATIENCE = 120.0
"""Seconds that even a tiny budget grants the baseline: an answer always."""


def baseline(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    runner = stage.runner(task, profile)
    runner.seconds_left = lambda: PATIENCE
    candidate = runner.candidate(runner.family.baseline)
    choice = CandidateChoice(candidate=candidate.name, params=candidate.portfolio[0])
    work = Work(choice, (), "", "baseline")
    until = time.monotonic() + PATIENCE
    (probe,) = runner.run([work], probe_fidelity(profile), until=until)
    (full,) = runner.run([work], full_fidelity(profile), until=until)
    if full.score is None:
        raise RuntimeError(f"The baseline could not be trained: {full.error}")
    artifact = publish_single(stage, runner, full, state["out"], "baseline")
    return {"baseline_bundle": artifact, "baseline": {"probe": probe, "full": full}, "full": {full.id: full}}
