"""Boosting within a time limit, and LightGBM, which two candidates share.

Time is kept by measuring 20 rounds, without what is done once before the first, and extrapolating: when the rounds that
a learning rate usually needs do not fit, the rate is raised beforehand. Training is never cut by the clock: a low rate
cut short is far worse than a high one.

How many rounds are best is found on rows held out of the training rows, then all of them are trained on. The other
folds of a trial take the number over (`settled`, then the parameter `rounds`) and are trained at once: with 8 folds of
few rows, in each of which three holdouts would be tried, that saves two thirds of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from table_model import TableModel
from table_targets import hold_out

Array = npt.NDArray[Any]

TIMED = 20
"""Rounds that are measured."""
USUAL = 30.0
"""Rounds until early stopping, times the learning rate."""
LONGEST = 4
"""Rounds at most, as a multiple of the usual number: on tables that are hardly noisy, early stopping comes late."""
FASTEST = 0.3
"""Highest learning rate."""
FEWEST = 60
"""Rounds below which boosting is not begun."""
MOST = 4_000
REFIT_ROWS = 10_000
"""Rows up to which the rows held out are worth another fit on all rows, where the number of rounds was not known."""
REPEAT_ROWS = 2_000
"""Rows up to which one holdout is too small to stop by: three are used."""


def plan_rounds(
    model: TableModel, rate: float, time_rounds: Callable[[int], object], fits: float, fastest: float = FASTEST
) -> tuple[float, int]:
    """The learning rate and the largest number of rounds that fit into the model's time limit.

    Args:
        rate: the learning rate wanted.
        time_rounds: trains so many rounds as they will be trained, to be timed; not called without a time limit. Called
            twice: the difference is that of the rounds, the rest what a training does once, as sorting values in bins.
        fits: full trainings that will follow.
        fastest: highest learning rate that is worth its time.

    Raises:
        TimeoutError: when not even the fewest rounds fit, or those of the highest rate.
    """
    most = min(MOST, round(LONGEST * USUAL / rate))
    if model.seconds_left is None:
        return rate, most
    once, more = (_clocked(time_rounds, rounds) for rounds in (1, 1 + TIMED))
    each = max(more - once, more / 4) / TIMED
    fewest = max(FEWEST, round(0.6 * USUAL / fastest))
    model.require((once + each * fewest) * fits, f"Boosting ({fewest} rounds)")
    affordable = int(((model.seconds_left or 0.0) / fits - once) / each)
    needed = round(USUAL / rate)
    if affordable < needed:
        rate = max(rate, min(fastest, USUAL / affordable))
        most = min(MOST, round(LONGEST * USUAL / rate))
    return rate, min(most, affordable)


def _clocked(time_rounds: Callable[[int], object], rounds: int) -> float:
    started = time.monotonic()
    time_rounds(rounds)
    return time.monotonic() - started


def patience(rate: float) -> int:
    """Rounds without improvement after which training stops."""
    return max(20, round(2 / rate))


def settled(rate: float, most: int, best: float) -> dict[str, float | int]:
    """What to train all rows with, after `best` rounds were best without those held out."""
    return {"learning_rate": rate, "rounds": min(most, max(1, round(1.1 * best)))}


class LightGBMModel(TableModel):
    """LightGBM with native categories and missing values, stopped early on rows held out of the training rows."""

    def learn(self, matrix: Array, target: Array, weights: Array | None) -> None:
        import lightgbm

        settings = self._settings(target)

        def dataset(places: Array, reference: Any = None) -> Any:
            return lightgbm.Dataset(
                matrix[places],
                target[places],
                reference=reference,
                weight=None if weights is None else weights[places],
                categorical_feature=self.encoder.native,
                feature_name=[f"f{place}" for place in range(matrix.shape[1])],
                params=settings,
            )

        rows = len(matrix)
        if "rounds" in self.params:
            settings["learning_rate"] = float(self.params["learning_rate"])
            self.booster = lightgbm.train(settings, dataset(np.arange(rows)), int(self.params["rounds"]))
            return
        holdouts = [hold_out(target, self.seed + number) for number in range(3 if rows <= REPEAT_ROWS else 1)]
        refit = rows <= REFIT_ROWS
        first = dataset(holdouts[0][0])
        held_out = dataset(holdouts[0][1], first).construct()  # and with it the first one
        rate = float(self.params["learning_rate"])

        def trained(rounds: int) -> object:
            return lightgbm.train(settings, first, rounds, valid_sets=[held_out])

        rate, most = plan_rounds(self, rate, trained, len(holdouts) + refit)
        most = min(most, int(self.params.get("n_estimators", most)))
        settings["learning_rate"] = rate
        self.effective = {"learning_rate": rate, "n_estimators": most}
        best: list[int] = []
        for number, (inside, outside) in enumerate(holdouts):
            train = dataset(inside) if number else first
            valid = dataset(outside, train) if number else held_out
            stop = lightgbm.early_stopping(patience(rate), verbose=False)
            self.booster = lightgbm.train(settings, train, most, valid_sets=[valid], callbacks=[stop])
            best.append(max(1, self.booster.best_iteration or most))
        self.settled = settled(rate, most, float(np.median(best)))
        if refit:
            self.effective = self.settled
            self.booster = lightgbm.train(settings, dataset(np.arange(rows)), self.settled["rounds"])

    def _settings(self, target: Array) -> dict[str, Any]:
        """LightGBM's own parameters."""
        rows = len(target)
        own = {name: value for name, value in self.params.items() if name not in ("n_estimators", "rounds")}
        settings = {
            "objective": self._objective(target),
            "verbosity": -1,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "seed": self.seed,
            "bagging_freq": 1,
            "min_data_per_group": int(np.clip(rows // 50, 5, 100)),
            "feature_pre_filter": False,
            **own,
        }
        settings["min_data_in_leaf"] = min(int(own.get("min_data_in_leaf", 20)), max(1, rows // 20))
        if settings["objective"] == "multiclass":
            settings["num_class"] = len(self.present)
        return settings

    def _objective(self, target: Array) -> str:
        """The loss that serves the metric."""
        if self.classifies:
            return "binary" if len(self.present) == 2 else "multiclass"
        if self.metric in ("mae", "median_ae", "smape"):
            return "l1"
        if self.metric == "mape":
            return "l1" if self.values.log else "mape"
        if self.metric == "poisson_deviance" and not self.values.log and target.min() >= 0:
            return "poisson"
        return "l2"

    def answer(self, matrix: Array) -> Array:
        threads = 1 if len(matrix) < 1_000 else self.threads
        scores = np.asarray(self.booster.predict(matrix, num_threads=threads))
        return np.stack([1 - scores, scores], axis=1) if self.classifies and scores.ndim == 1 else scores

    def store(self, folder: Path) -> None:
        self.booster.save_model(folder / "lightgbm.txt", num_iteration=self.booster.best_iteration)

    def restore(self, folder: Path) -> None:
        import lightgbm

        self.booster = lightgbm.Booster(model_file=folder / "lightgbm.txt")
