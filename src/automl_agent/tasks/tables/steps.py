"""The data steps of table families: what each does, and on what data it can do anything at all."""

from __future__ import annotations

from collections.abc import Mapping

from automl_agent.tasks.family import DataStep

_TREES = ("tree",)
"""They split by rank, and send missing values their own way."""

_ALL = {
    "missing_indicators": DataStep("A column that says where values are missing.", {"missing_share": "> 0"}, _TREES),
    "target_encoding": DataStep("Categories become the out-of-fold mean of the target.", {"max_cardinality": "> 2"}),
    "frequency_encoding": DataStep("Categories also become their frequency.", {"max_cardinality": "> 2"}),
    "interactions": DataStep("Sums, differences, products and ratios of telling numbers.", {"numbers": ">= 2"}),
    "category_pairs": DataStep("Pairs of categories become categories.", {"categories": ">= 2"}),
    "quantile_scale": DataStep("Numbers are mapped to a normal distribution by rank.", {"numbers": ">= 1"}, _TREES),
    "clip_outliers": DataStep("Extreme numbers are clipped to the outer quantiles.", {"numbers": ">= 1"}, _TREES),
    "splines": DataStep("Numbers become spline bases, for curves in linear models.", {"numbers": ">= 1"}, _TREES),
}
_BY_KIND = {
    "classification": {"balance": DataStep("Rare classes weigh more.", {"minority_share": "< 0.4"})},
    "regression": {"log_target": DataStep("The model predicts the logarithm of the target.", {"target_skew": "> 0.8"})},
}


def data_steps(kind: str) -> Mapping[str, DataStep]:
    """The steps of `classification` or `regression`, by name."""
    return {**_ALL, **_BY_KIND[kind]}
