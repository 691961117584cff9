"""The mean of exponential smoothing, Theta (plain, and in logarithms) and ridge on lags, with equal weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from forecaster import Forecaster
from lag_models import RidgeLags
from panel import Panel
from smoothing import exponential_smoothing, theta

Array = npt.NDArray[Any]

TITLE = "Mean of forecasters"
TAGS = ("combination", "mean", "average", "ensemble", "equal weights", "statistical")
PORTFOLIO = [{"ridge": True, "longest": False}, {"ridge": False, "longest": False}, {"ridge": True, "longest": True}]
SPACE = {
    "ridge": {"type": "categorical", "choices": [True, False]},
    "longest": {"type": "categorical", "choices": [False, True]},
}


class Model(Forecaster):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]
    USES_KNOWN = True

    def _regression(self) -> RidgeLags:
        return RidgeLags(horizon=self.horizon, season=self.season, longest=self.seasons[-1], grid=self.task["grid"],
                         log=bool(self.task["positive_values"]))  # fmt: skip

    def learn(self, panel: Panel) -> None:
        self.regression = self._regression()
        if self.params["ridge"]:
            self.regression.learn(panel)

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        season = self.seasons[-1] if self.params["longest"] else self.season
        members = [
            exponential_smoothing(panel.values, steps, season),
            np.stack([theta(line, steps, season) for line in panel.values]),
            np.stack([theta(line, steps, season, log=True) for line in panel.values]),
        ]
        if self.params["ridge"]:
            members.append(self.regression.forecast(panel, steps, known))
        return np.mean(members, axis=0)

    def arrays(self) -> dict[str, Array]:
        return self.regression.arrays() if self.params["ridge"] else {}

    def restore(self, arrays: dict[str, Array], folder: Path) -> None:
        del folder
        self.regression = self._regression()
        if self.params["ridge"]:
            self.regression.restore(arrays)
