"""The rungs of successive halving: how much data a trial sees at each (Jamieson & Talwalkar 2016)."""

from __future__ import annotations

from automl_agent.records import DataProfile, Fidelity, Trial

PROBE_ROWS = 3000
"""Training rows of the lowest rung; smaller tables are used whole."""


def probe_fidelity(profile: DataProfile) -> Fidelity:
    """The lowest rung: two folds, at most `PROBE_ROWS` rows in each."""
    rows = PROBE_ROWS if profile.rows_train > 1.25 * PROBE_ROWS else 0
    return Fidelity(rows=rows, folds=min(2, profile.folds))


def full_fidelity(profile: DataProfile) -> Fidelity:
    """The highest rung: all rows, all folds. What ships was trained here."""
    return Fidelity(rows=0, folds=profile.folds)


def full_cost(trial: Trial, profile: DataProfile) -> float:
    """Seconds on one core that a probed trial will take at full fidelity, extrapolated from its fit time."""
    seen = trial.fidelity.rows or profile.rows_train
    growth = max(1.0, profile.rows_train / seen)
    return trial.fit_seconds / max(1, trial.fidelity.folds) * profile.folds * growth
