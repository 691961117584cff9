"""Where plans learn from each other: the data steps of one with the candidates of the others.

Each plan has tried its own steps with its own models, and what helps one kind of boosted trees mostly helps the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from automl_agent.records import CandidateChoice, Trial
from automl_agent.search.rungs import BESIDES
from automl_agent.search.runner import TrialRunner, Work


def crossover(runner: TrialRunner, tried: Sequence[Trial], leaders: Sequence[Trial], seconds: float) -> list[Work]:
    """What to try: each leader with the data steps of the first one, but where they can do nothing for it.

    Args:
        tried: what was tried so far, and is not tried again.
        leaders: best first.
        seconds: that all of it may be expected to take, at the price of the leaders as they are.
    """
    if not leaders:
        return []
    steps = leaders[0].steps
    declared = runner.family.steps  # a custom agent may name others
    useless = {tag for step in steps if step in declared for tag in declared[step].nothing_for}
    known = {(trial.candidate, trial.steps) for trial in tried}
    works = []
    for trial in leaders[1:]:
        if (trial.candidate, steps) in known or useless & set(runner.candidate(trial.candidate).tags):
            continue
        seconds -= BESIDES * trial.fit_seconds / runner.pool.size
        if seconds < 0:
            break
        known.add((trial.candidate, steps))
        choice = CandidateChoice(candidate=trial.candidate, params=trial.params)
        works.append(Work(choice, steps, trial.plan, "crossover"))
    return works
