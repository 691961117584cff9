"""Forecasts one or many series on a regular grid of time; what it does is in the files beside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks.base import Family
from automl_agent.tasks.family import FoldData, Peek, Reading
from automl_agent.tasks.forecasting import scoring
from automl_agent.tasks.forecasting.blueprints import BLUEPRINTS

if TYPE_CHECKING:
    import numpy.typing as npt

    from automl_agent.tasks.measures import Threshold

    Array = npt.NDArray[Any]


class ForecastingFamily(Family):
    """The last steps of every series are the locked test, the windows before them the folds."""

    name = "forecasting"
    title = "time-series forecasting"
    area = "time series"
    kind = "regression"
    metrics = scoring.METRICS
    probe = ("theta", "ridge_lags")
    follows = True
    dated = True
    blueprints = BLUEPRINTS
    reader = "series_io.py"
    pictures = "automl_agent.tasks.forecasting.pictures:draw"

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        from automl_agent.tasks.forecasting.interpreting import interpret

        return interpret(request, peek)

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        from automl_agent.tasks.forecasting.acquiring import acquire

        del seed, test_share  # time decides what is locked
        return acquire(task, request, folder, private)

    def describe(self, folder: Path, metric: str) -> dict[str, Any]:
        from automl_agent.tasks.tables import dataset

        told = dict(dataset.load(folder).schema["time_series"])
        told.pop("ends")
        return dataset.describe(folder, metric) | told

    def fold(self, folder: Path, index: int, *, rows: int, seed: int) -> FoldData:
        from automl_agent.tasks.forecasting import backtesting

        return backtesting.load_fold(folder, index, rows=rows, seed=seed)

    def training_truth(self, folder: Path) -> Array:
        """(rows, 2): the value and the scale of its series."""
        from automl_agent.tasks.forecasting import backtesting

        return backtesting.training_truth(folder)

    def score(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None,
              threshold: Threshold = None) -> float:  # fmt: skip
        del positive, threshold
        return scoring.score(metric, truth, prediction)

    def spread(self, folder: Path, rows: Array, truth: Array, prediction: Array) -> Any:
        from automl_agent.tasks.forecasting import backtesting

        return backtesting.spread(folder, rows, truth, prediction)
