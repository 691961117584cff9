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
    {"share": 0.5, "damp": 1.0, "longest": False},
    {"share": 0.5, "damp": 0.95, "longest": False},
    {"share": 0.5, "damp": 1.0, "longest": True},
]
SPACE = {
    "share": {"type": "float", "low": 0.1, "high": 0.7},
    "damp": {"type": "float", "low": 0.8, "high": 1.0},
    "longest": {"type": "categorical", "choices": [False, True]},
}
SHARED = ("forecaster.py", "panel.py", "calendars.py", "series_io.py", "table_io.py", "plain_state.py", "smoothing.py")


class Model(Forecaster):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        del known
        season = self.seasons[-1] if self.params["longest"] else self.season
        share, damp = float(self.params["share"]), float(self.params["damp"])
        return np.stack([theta(line, steps, season, share=share, damp=damp) for line in panel.values])
