"""The rungs of successive halving: how much data a trial sees at each (Jamieson & Talwalkar 2016)."""

from __future__ import annotations

from collections.abc import Sequence

from automl_agent.records import DataProfile, Fidelity, Trial
from automl_agent.tasks.family import TaskFamily

PROBE_ROWS = 3000
"""Training rows of the lowest rung; hardly larger data are used whole."""
ROWS_PER_SECOND, MOST_ROWS = 40, 20_000
"""Where costs go by cells, a large budget draws more rows."""
BESIDES = 1.3
"""What a trial takes, as a multiple of its fits: predictions, scores and files, too."""


def probe_fidelity(family: TaskFamily, profile: DataProfile) -> Fidelity:
    """The lowest rung: two folds of some rows, or of all where that is affordable (`TaskFamily.probe_cells`)."""
    meta, rows = profile.meta, profile.rows_train
    budget, most, cells = meta.get("budget", 0.0), PROBE_ROWS, float("inf")
    if family.probe_cells:
        most = int(min(max(PROBE_ROWS, ROWS_PER_SECOND * budget), MOST_ROWS))
        cells = rows * meta.get("columns", float("inf")) * max(1, len(profile.classes) - 1)
    whole = rows <= 1.25 * most or cells <= family.probe_cells * budget
    return Fidelity(rows=0 if whole else most, folds=min(2, profile.folds))


def full_fidelity(profile: DataProfile, folds: int | None = None) -> Fidelity:
    """The highest rung: all rows, all folds, or as many as there is time for. What ships was trained here."""
    return Fidelity(rows=0, folds=folds or profile.folds)


def full_cost(trial: Trial, profile: DataProfile, folds: int | None = None) -> float:
    """Seconds on one core that a probed trial will take at full fidelity, extrapolated from its fits and predictions.

    The first fold may take longer than those that take over what it found out. Every training row is predicted once;
    what neighbours are asked for grows with the rows that are known, too. Time grows with rows to the power of 0.8:
    fits measured .4 to .8 on diamonds from 3,000 to 29,000 rows, fixed costs and early stopping included.
    """
    rows = profile.rows_train * max(profile.folds - 1, 1) / profile.folds
    growth: float = max(1.0, rows / (trial.fidelity.rows or rows)) ** 0.8
    folds = folds or profile.folds
    predictions = trial.predict_ms / 1000 * profile.rows_train * folds / profile.folds
    first, *others = trial.fold_seconds or (trial.fit_seconds / max(1, trial.fidelity.folds),)
    each = sum(others) / len(others) if others else first
    return (first + each * (folds - 1) + predictions) * growth


def cost_of_folds(trials: Sequence[Trial], folds: int, workers: int) -> float:
    """Seconds that so many more folds of each of these trials take on so many workers."""
    each = [BESIDES * trial.fit_seconds / max(1, trial.fidelity.folds) for trial in trials]
    return max(folds * sum(each) / workers, max(each, default=0.0) * -(-folds // workers))
