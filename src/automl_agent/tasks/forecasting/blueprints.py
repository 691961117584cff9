"""Outlines of plans for series: statistics of each series, lags learned over all of them, and their mean."""

from __future__ import annotations

from automl_agent.tasks.family import Blueprint

BLUEPRINTS = (
    Blueprint(
        title="The mean of different forecasters",
        hypothesis="Errors of smoothing and of lags differ, so that their equal-weight mean is hard to beat.",
        models=("combination", "exponential_smoothing", "theta"),
        steps=(),
        emphasis="score",
    ),
    Blueprint(
        title="Lags and calendar, learned over all series",
        hypothesis="Long or many series repeat patterns that lags and calendar tell better than smoothing does.",
        models=("ridge_lags", "lightgbm_global"),
        steps=(),
        emphasis="score",
    ),
    Blueprint(
        title="Statistics of each series alone",
        hypothesis="Short series say too little for learned models; level, damped trend and season are enough.",
        models=("theta", "exponential_smoothing"),
        steps=(),
        emphasis="speed",
    ),
)
