"""The bench of an agent: what it may look at, and the measurements it can take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from automl_agent.events import CodeJudged
from automl_agent.records import CandidateChoice, CodeModule, DataProfile, Fidelity, Measurement, TaskSpec, Trial
from automl_agent.search.rungs import probe_fidelity
from automl_agent.search.runner import TrialRunner, Work, ranked
from automl_agent.tasks.family import MetricSpec, TaskFamily, improvement

if TYPE_CHECKING:
    from automl_agent.agents.language_model import LanguageModel


UNEVEN = 2.0
"""What one fit may take, as a multiple of an even share: most take less."""


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
    language_model: LanguageModel | None = None
    """`None` where the agents work by rules."""
    new_folder: Callable[[str], tuple[str, Path]] | None = None
    """Makes a folder of this name in the artifact store; gives its id and place. For what an agent leaves behind."""
    trials: list[Trial] = field(default_factory=list)
    """What this agent has measured so far, failed trials included."""
    modules: list[CodeModule] = field(default_factory=list)
    """What a language model wrote for this agent, and what became of it."""

    @property
    def metric(self) -> MetricSpec:
        return self.family.metrics[self.task.metric]

    @property
    def seconds_left(self) -> float:
        return min(self.until - time.monotonic(), self.runner.seconds_left())

    @property
    def probe(self) -> Fidelity:
        """The low fidelity that quick measurements are taken at."""
        return probe_fidelity(self.family, self.profile)

    def measure(self, works: Sequence[tuple[CandidateChoice, tuple[str, ...]]]) -> list[Trial]:
        """Train candidates with data steps at low fidelity; returns their trials in the order given.

        They run in parallel, are remembered, and end by the agent's deadline; failed ones have `score=None`. Fewer come
        back than were given when the number of trials is bounded.
        """
        limit = UNEVEN * self.runner.fair(len(works) * self.plans, self.probe, self.seconds_left)
        batch = [Work(choice, steps, self.plan, f"agent_{self.role}") for choice, steps in works]
        trials = self.runner.run(batch, self.probe, until=self.until, time_limit=limit)
        self.trials.extend(trials)
        return trials

    @property
    def trials_left(self) -> float:
        """Trials that this agent may still run."""
        return float("inf") if self.runner.max_trials is None else self.runner.max_trials - self.runner.count

    def best_first(self, trials: Sequence[Trial]) -> list[Trial]:
        """Trials that have a score, best first."""
        return ranked(self.family, self.task.metric, trials)

    def gain(self, trial: Trial, base: Trial) -> float:
        """Relative improvement of the loss over `base`; negative when worse or failed."""
        if trial.score is None:
            return -1.0
        return 1.0 if base.score is None else self.improvement(trial.score, base.score)

    def improvement(self, score: float, base: float) -> float:
        """By how much a score is better than another, as a share of what is left to a perfect one."""
        return improvement(self.metric, score, base)

    def judged(self, module: CodeModule) -> None:
        """Note what became of a module, and say so."""
        self.modules.append(module)
        self.runner.emit(CodeJudged(module=module))
