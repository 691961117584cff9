"""Metrics of forecasts: those of regression that people use for them, and MASE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_agent.tasks import metrics
from automl_agent.tasks.family import MetricSpec, targets

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

MASE = MetricSpec(
    "mase", "Mean absolute scaled error", False,
    ("mean absolute scaled error", "scaled error", "absolute scaled error"), "values", 0.0, None,
)  # fmt: skip
METRICS: dict[str, MetricSpec] = {
    "mase": MASE,
    **{name: metrics.REGRESSION[name] for name in ("mae", "rmse", "smape", "rmsle", "mape", "mse", "r2", "median_ae")},
}


def score(metric: str, truth: Array, prediction: Array) -> float:
    """The metric's value.

    Args:
        truth: (rows, 2): the value, and the scale of its series: the mean absolute change over a season in the training
            rows. Or (rows,), the value alone.
        prediction: (rows,).

    Returns:
        MASE (Hyndman & Koehler 2006): the mean of |error| / scale over the rows of series that are not constant; below
        1 is better than the seasonal naive forecast was in sample. NaN where it is not defined (constant series only),
        and for RMSLE of negative values.
    """
    import numpy as np

    values = targets(truth)
    if metric != "mase":
        if metric == "rmsle" and len(values) and values.min() < 0:
            return float("nan")
        return metrics.score(metric, values, prediction)
    if not np.isfinite(prediction).all():
        raise ValueError("Predictions hold missing or infinite values.")
    scale = truth[:, 1] if truth.ndim == 2 else np.zeros(len(truth))
    known = scale > 0
    if not known.any():
        return float("nan")
    return float((np.abs(values - prediction)[known] / scale[known]).mean())
