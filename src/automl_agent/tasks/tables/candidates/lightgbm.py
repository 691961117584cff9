"""LightGBM: gradient boosted trees with native categories; usually the best single model for its time."""

from __future__ import annotations

from typing import Any, ClassVar

from table_boosting import LightGBMModel

TITLE = "LightGBM"
TAGS = ("lightgbm", "lgbm", "light gbm", "gradient boosting", "boosting", "tree", "trees", "ensemble")
PORTFOLIO = [
    {"learning_rate": 0.05, "num_leaves": 31, "feature_fraction": 0.9},
    {"learning_rate": 0.05, "num_leaves": 7, "feature_fraction": 0.8, "bagging_fraction": 0.8, "min_data_in_leaf": 10},
    {"learning_rate": 0.03, "num_leaves": 84, "feature_fraction": 0.53, "bagging_fraction": 0.9, "min_data_in_leaf": 5},
    {"learning_rate": 0.03, "num_leaves": 16, "feature_fraction": 0.5, "bagging_fraction": 0.8, "lambda_l2": 5.0},
]
SPACE = {
    "learning_rate": {"type": "float", "low": 0.005, "high": 0.1, "log": True},
    "num_leaves": {"type": "int", "low": 2, "high": 200, "log": True},
    "feature_fraction": {"type": "float", "low": 0.4, "high": 1.0},
    "bagging_fraction": {"type": "float", "low": 0.7, "high": 1.0},
    "min_data_in_leaf": {"type": "int", "low": 1, "high": 64, "log": True},
    "extra_trees": {"type": "categorical", "choices": [False, True]},
    "lambda_l1": {"type": "float", "low": 0.0001, "high": 10.0, "log": True},
    "lambda_l2": {"type": "float", "low": 0.0001, "high": 10.0, "log": True},
    "cat_smooth": {"type": "float", "low": 0.001, "high": 100.0, "log": True},
}
REQUIRES = ("lightgbm",)
SETTLES = True


class Model(LightGBMModel):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]
