"""The trivial baseline: the last season again."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from forecaster import Forecaster
from panel import Panel
from smoothing import seasonal_naive

Array = npt.NDArray[Any]

TITLE = "Seasonal naive"
TAGS = ("baseline", "naive", "seasonal naive", "dummy")
PORTFOLIO = [{"longest": False}, {"longest": True}]
SPACE = {"longest": {"type": "categorical", "choices": [False, True]}}


class Model(Forecaster):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        del known
        season = self.seasons[-1] if self.params["longest"] else self.season
        return np.stack([seasonal_naive(line, steps, season) for line in panel.values])
