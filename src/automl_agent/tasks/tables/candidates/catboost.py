"""CatBoost: boosted symmetric trees with ordered target statistics for categories; strong without tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from table_boosting import REFIT_ROWS, patience, plan_rounds, settled
from table_model import TableModel
from table_targets import hold_out

TITLE = "CatBoost"
TAGS = ("catboost", "cat boost", "gradient boosting", "boosting", "tree", "trees", "ensemble")
PORTFOLIO = [
    {"learning_rate": 0.06, "depth": 6, "max_ctr_complexity": 1},
    {"learning_rate": 0.05, "depth": 4, "max_ctr_complexity": 2, "l2_leaf_reg": 1.0, "subsample": 0.8},
    {"learning_rate": 0.05, "depth": 6, "max_ctr_complexity": 4, "border_count": 254, "one_hot_max_size": 2},
    {"learning_rate": 0.05, "depth": 8, "max_ctr_complexity": 1, "l2_leaf_reg": 5.0},
]
SPACE = {
    "learning_rate": {"type": "float", "low": 0.005, "high": 0.1, "log": True},
    "depth": {"type": "int", "low": 4, "high": 8},
    "subsample": {"type": "float", "low": 0.7, "high": 1.0},
    "l2_leaf_reg": {"type": "float", "low": 0.0001, "high": 5.0, "log": True},
    "max_ctr_complexity": {"type": "int", "low": 1, "high": 5},
}
REQUIRES = ("catboost",)
SETTLES = True

Array = npt.NDArray[Any]

FASTEST = 0.15
"""Learning rate above which CatBoost is far behind quicker boosting."""
_OWN = ("learning_rate", "iterations", "rounds")
MOST_CATEGORIES = 20
"""Category columns up to which CatBoost encodes them itself; above, it gets their codes as numbers, to save time."""


class Model(TableModel):
    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, matrix: Array, target: Array, weights: Array | None) -> None:
        from catboost import CatBoost, Pool

        self._split_columns()

        def pool(places: Array) -> Any:
            return Pool(self._data(matrix[places]), target[places], weight=None if weights is None else weights[places])

        def fitted(train: Any, rounds: int, rate: float, valid: Any = None) -> Any:
            model = CatBoost(
                {**settings, "iterations": rounds, "learning_rate": rate, "use_best_model": valid is not None}
            )
            return model.fit(
                train, eval_set=valid, early_stopping_rounds=2 * patience(rate) if valid is not None else None
            )

        settings = self._settings(target)
        everything = np.arange(len(matrix))
        if "rounds" in self.params:
            self.model = fitted(pool(everything), int(self.params["rounds"]), float(self.params["learning_rate"]))
            return
        refit = len(matrix) <= REFIT_ROWS
        inside, outside = hold_out(target, self.seed)
        train, rate = pool(inside), float(self.params["learning_rate"])
        whole = not self.classifies or len(np.unique(target[inside])) == len(self.present)
        held_out = pool(outside) if whole else None  # the one row of a class must not be held out
        rate, most = plan_rounds(self, rate, lambda rounds: fitted(train, rounds, rate, held_out), 1 + refit, FASTEST)
        most = min(most, int(self.params.get("iterations", most)))
        self.effective = {"learning_rate": rate, "iterations": most}
        if held_out is None:
            self.model = fitted(pool(everything), min(most, round(10 / rate)), rate)
            return
        self.model = fitted(train, most, rate, held_out)
        self.settled = settled(rate, most, self.model.tree_count_)
        if refit:
            self.effective = self.settled
            self.model = fitted(pool(everything), self.settled["rounds"], rate)

    def _settings(self, target: Array) -> dict[str, Any]:
        own = {name: value for name, value in self.params.items() if name not in _OWN}
        settings = {
            "loss_function": self._loss(target),
            "boosting_type": "Plain",
            "one_hot_max_size": 5,  # up to 30 saves time, but lost 6 % on a table with ordered categories
            "border_count": 128,  # two thirds of the time of the default 254, for hardly a difference
            "random_seed": self.seed,
            "thread_count": self.threads,
            "logging_level": "Silent",
            "allow_writing_files": False,
            **own,
        }
        if "subsample" in own:
            settings["bootstrap_type"] = "MVS"
        return settings

    def _loss(self, target: Array) -> str:
        """The loss that serves the metric."""
        if self.classifies:
            return "Logloss" if len(self.present) == 2 else "MultiClass"
        if self.metric in ("mae", "median_ae", "smape"):
            return "MAE"
        if self.metric == "mape":
            return "MAE" if self.values.log else "MAPE"
        raw = self.metric == "poisson_deviance" and not self.values.log
        return "Poisson" if raw and target.min() >= 0 else "RMSE"

    # ------------------------------------------------------------ CatBoost's own data: numbers and bytes

    def _split_columns(self) -> None:
        native = self.encoder.native if len(self.encoder.native) <= MOST_CATEGORIES else []
        self._categories = np.array(native, dtype=np.int64)
        sizes = self.encoder.levels.sizes
        self._words = np.array([*(str(code).encode() for code in range(max(sizes, default=0))), b"-"], dtype=object)

    def _data(self, matrix: Array) -> Any:
        from catboost import FeaturesData

        if not len(self._categories):
            return FeaturesData(num_feature_data=np.ascontiguousarray(matrix, dtype=np.float32))
        codes = np.nan_to_num(matrix[:, self._categories], nan=-1).astype(np.int64)
        numbers = np.delete(matrix, self._categories, axis=1)
        return FeaturesData(
            num_feature_data=np.ascontiguousarray(numbers, dtype=np.float32) if numbers.shape[1] else None,
            cat_feature_data=np.ascontiguousarray(self._words[codes]),
        )

    def answer(self, matrix: Array) -> Array:
        kind = "Probability" if self.classifies else "RawFormulaVal"
        kind = "Exponent" if self.model.get_all_params().get("loss_function") == "Poisson" else kind
        threads = 1 if len(matrix) < 1_000 else self.threads
        return np.asarray(self.model.predict(self._data(matrix), prediction_type=kind, thread_count=threads))

    def store(self, folder: Path) -> None:
        self.model.save_model(str(folder / "catboost.cbm"), format="cbm")

    def restore(self, folder: Path) -> None:
        from catboost import CatBoost

        self.model = CatBoost().load_model(str(folder / "catboost.cbm"), format="cbm")
        self._split_columns()
