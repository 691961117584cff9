"""Exponential smoothing with damped trend and season; many parameter sets, averaged with Akaike weights."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt
from forecaster import Forecaster
from panel import Panel
from smoothing import exponential_smoothing

Array = npt.NDArray[Any]

TITLE = "Exponential smoothing"
TAGS = ("exponential smoothing", "ets", "holt-winters", "holt winters", "statistical", "classical", "smoothing")
PORTFOLIO = [{"trend": True, "longest": False}, {"trend": False, "longest": False}, {"trend": True, "longest": True}]
SPACE = {
    "trend": {"type": "categorical", "choices": [True, False]},
    "longest": {"type": "categorical", "choices": [False, True]},
}


class Model(Forecaster):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        del known
        season = self.seasons[-1] if self.params["longest"] else self.season
        return exponential_smoothing(panel.values, steps, season, trend=bool(self.params["trend"]))
