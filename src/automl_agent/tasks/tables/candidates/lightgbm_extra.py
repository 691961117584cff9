"""LightGBM with extremely randomised splits: weaker alone, but different enough to improve a blend."""

from __future__ import annotations

from typing import Any, ClassVar

from table_boosting import LightGBMModel

TITLE = "LightGBM with extremely randomised trees"
TAGS = ("lightgbm", "lgbm", "gradient boosting", "boosting", "tree", "trees", "randomised", "ensemble")
PORTFOLIO = [
    {"learning_rate": 0.1, "num_leaves": 39, "feature_fraction": 0.46, "bagging_fraction": 0.88, "min_data_in_leaf": 3,
     "lambda_l1": 0.24, "lambda_l2": 0.36},
    {"learning_rate": 0.06, "num_leaves": 180, "feature_fraction": 0.6, "bagging_fraction": 0.9, "min_data_in_leaf": 8,
     "lambda_l1": 0.1, "lambda_l2": 1.0},
    {"learning_rate": 0.1, "num_leaves": 12, "feature_fraction": 0.7, "bagging_fraction": 0.8, "min_data_in_leaf": 5,
     "lambda_l1": 0.1, "lambda_l2": 2.0},
]  # fmt: skip
SPACE = {
    "learning_rate": {"type": "float", "low": 0.02, "high": 0.2, "log": True},
    "num_leaves": {"type": "int", "low": 4, "high": 256, "log": True},
    "feature_fraction": {"type": "float", "low": 0.3, "high": 1.0},
    "bagging_fraction": {"type": "float", "low": 0.7, "high": 1.0},
    "min_data_in_leaf": {"type": "int", "low": 1, "high": 64, "log": True},
    "lambda_l1": {"type": "float", "low": 0.0001, "high": 10.0, "log": True},
    "lambda_l2": {"type": "float", "low": 0.0001, "high": 10.0, "log": True},
    "cat_smooth": {"type": "float", "low": 0.001, "high": 100.0, "log": True},
}
REQUIRES = ("lightgbm",)
SETTLES = True


class Model(LightGBMModel):
    DEFAULTS: ClassVar[dict[str, Any]] = {**PORTFOLIO[0], "extra_trees": True}
