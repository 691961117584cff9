"""Theta: the winner of the M3 competition; hard to beat on short series."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from forecaster import Forecaster
from panel import Panel
from smoothing import theta

Array = npt.NDArray[Any]

TITLE = "Theta"
TAGS = ("theta", "statistical", "classical", "smoothing")
PORTFOLIO = [
    {"share": 0.5, "damp": 1.0, "log": True, "longest": False},
    {"share": 0.5, "damp": 1.0, "log": False, "longest": False},
    {"share": 0.5, "damp": 0.95, "log": True, "longest": False},
    {"share": 0.5, "damp": 1.0, "log": True, "longest": True},
]
SPACE = {
    "share": {"type": "float", "low": 0.1, "high": 0.7},
    "damp": {"type": "float", "low": 0.8, "high": 1.0},
    "log": {"type": "categorical", "choices": [True, False]},
    "longest": {"type": "categorical", "choices": [False, True]},
}


class Model(Forecaster):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        del known
        season = self.seasons[-1] if self.params["longest"] else self.season
        settings = {"share": float(self.params["share"]), "damp": float(self.params["damp"])}
        log = bool(self.params["log"])
        return np.stack([theta(line, steps, season, log=log, **settings) for line in panel.values])
