"""The reviser: turns what failed, and what was measured on the way, into evidence for the next plans."""

from __future__ import annotations

from collections.abc import Sequence

from automl_agent.delivery.words import model_name
from automl_agent.records import Evidence, Solution, Trial, Verdict
from automl_agent.search.runner import ranked
from automl_agent.tasks.family import TaskFamily


def gather_evidence(
    family: TaskFamily,
    metric: str,
    verdicts: Sequence[Verdict],
    trials: Sequence[Trial],
    solution: Solution | None,
    unused: Sequence[str],
    revision: int,
) -> Evidence:
    """Failures as measured, the trials in short, and the data steps that nobody has measured yet (`unused`)."""
    failed = tuple(reason for verdict in verdicts if not verdict.passed for reason in verdict.reasons)
    order = ranked(family, metric, trials)
    tried = tuple(
        f"{model_name(t.candidate)} [{', '.join(t.steps) or 'no extra step'}] {metric} {t.score:.4g}"
        for t in order[:12]
    )
    best = solution.score if solution is not None else (order[0].score if order else None)
    ideas = tuple(f"data step not used yet: {step}" for step in unused[:6])
    return Evidence(revision=revision, failed=failed, best=best, tried=tried, ideas=ideas)
