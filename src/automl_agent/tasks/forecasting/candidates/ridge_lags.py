"""Ridge regression on lags and calendar, over all series at once, for all steps ahead directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy.typing as npt
from forecaster import Forecaster
from lag_models import RidgeLags
from panel import Panel

Array = npt.NDArray[Any]

TITLE = "Ridge on lags"
TAGS = ("ridge", "linear", "autoregression", "autoregressive", "ar", "lags", "lag model")
PORTFOLIO = [
    {"seasons_back": 2.0, "log": False},
    {"seasons_back": 2.0, "log": True},
    {"seasons_back": 1.0, "log": False},
    {"seasons_back": 3.0, "log": False},
]
SPACE = {
    "seasons_back": {"type": "float", "low": 0.5, "high": 4.0},
    "log": {"type": "categorical", "choices": [False, True]},
}


class Model(Forecaster):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]
    USES_KNOWN = True

    def _regression(self) -> RidgeLags:
        # The logarithm needs positive values; `positive` is a fact of the training rows.
        log = bool(self.params["log"]) and bool(self.task["positive_values"])
        return RidgeLags(horizon=self.horizon, season=self.season, longest=self.seasons[-1], grid=self.task["grid"],
                         seasons_back=float(self.params["seasons_back"]), log=log)  # fmt: skip

    def learn(self, panel: Panel) -> None:
        self.regression = self._regression()
        self.regression.learn(panel)

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        return self.regression.forecast(panel, steps, known)

    def arrays(self) -> dict[str, Array]:
        return self.regression.arrays()

    def restore(self, arrays: dict[str, Array], folder: Path) -> None:
        del folder
        self.regression = self._regression()
        self.regression.restore(arrays)
