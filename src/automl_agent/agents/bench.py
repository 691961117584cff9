"""The bench of an agent: what it may look at, and the measurements it can take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from automl_agent.records import CandidateChoice, DataProfile, Fidelity, Measurement, TaskSpec, Trial
from automl_agent.search.rungs import probe_fidelity
from automl_agent.search.runner import TrialRunner, Work, ranked
from automl_agent.tasks.family import MetricSpec, TaskFamily


@dataclass
class Bench:
    """What a sub-task agent works with. It never sees the locked test."""

    task: TaskSpec
    profile: DataProfile
    family: TaskFamily
    data: Path
    """Folder with the training rows (`train.parquet`, `target.npy`, `folds.npy`, `schema.json`, `columns.json`)."""
    allowed: tuple[str, ...]
    """Candidates that the user's words, the data and the installed packages allow."""
    runner: TrialRunner
    until: float
    """`time.monotonic()` by which the agent shall be done."""
    plans: int = 1
    """Plans that are worked on at the same time, sharing the workers."""
    plan: str = ""
    role: str = ""
    measurements: list[Measurement] = field(default_factory=list)
    """What was measured, for the report; the agent may add its own."""

    @property
    def metric(self) -> MetricSpec:
        return self.family.metrics[self.task.metric]

    @property
    def seconds_left(self) -> float:
        return min(self.until - time.monotonic(), self.runner.seconds_left())

    @property
    def probe(self) -> Fidelity:
        """The low fidelity that quick measurements are taken at."""
        return probe_fidelity(self.profile)

    def measure(self, works: Sequence[tuple[CandidateChoice, tuple[str, ...]]]) -> list[Trial]:
        """Train candidates with data steps at low fidelity; returns their trials in the order given.

        They run in parallel, are remembered, and end by the agent's deadline; failed ones have `score=None`. Fewer come
        back than were given when the number of trials is bounded.
        """
        limit = max(1.0, self.seconds_left / 2)
        batch = [Work(choice, steps, self.plan, f"agent_{self.role}") for choice, steps in works]
        return self.runner.run(batch, self.probe, until=self.until, time_limit=limit)

    def best_first(self, trials: Sequence[Trial]) -> list[Trial]:
        """Trials that have a score, best first."""
        return ranked(self.family, self.task.metric, trials)
