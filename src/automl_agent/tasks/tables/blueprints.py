"""Outlines of plans for tables: three that differ in what they do to the data and in the models they bet on."""

from __future__ import annotations

from automl_agent.tasks.family import Blueprint

BLUEPRINTS = (
    Blueprint(
        title="Boosted trees on the columns as they are",
        hypothesis="Gradient boosting takes missing values and categories as they come, and finds interactions.",
        models=("lightgbm", "catboost", "hist_gradient_boosting"),
        steps=("frequency_encoding", "log_target", "balance"),
        emphasis="score",
    ),
    Blueprint(
        title="Smooth models on prepared features",
        hypothesis="On scaled, de-skewed and encoded columns a smooth model generalises well and answers fast.",
        models=("linear", "network", "nearest_neighbours"),
        steps=("splines", "quantile_scale", "target_encoding", "missing_indicators", "clip_outliers", "log_target"),
        emphasis="speed",
    ),
    Blueprint(
        title="Randomised trees on engineered features",
        hypothesis="Combined columns expose what single ones hide, and randomised trees vary enough to blend.",
        models=("extra_trees", "lightgbm_extra", "lightgbm"),
        steps=("interactions", "category_pairs", "target_encoding", "log_target"),
        emphasis="robustness",
    ),
)
