"""One LightGBM over all series: each step ahead is a row of lags before its origin, calendar and known columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from forecaster import Forecaster
from lag_models import step_features
from panel import Panel

Array = npt.NDArray[Any]

TITLE = "LightGBM over all series"
TAGS = ("lightgbm", "lgbm", "gradient boosting", "boosting", "tree", "global model", "machine learning")
PORTFOLIO = [
    {"learning_rate": 0.05, "num_leaves": 31, "rounds": 300, "rows": 60000},
    {"learning_rate": 0.03, "num_leaves": 63, "rounds": 500, "rows": 120000},
    {"learning_rate": 0.05, "num_leaves": 15, "rounds": 200, "rows": 60000},
]
SPACE = {
    "learning_rate": {"type": "float", "low": 0.01, "high": 0.15, "log": True},
    "num_leaves": {"type": "int", "low": 4, "high": 128, "log": True},
    "rounds": {"type": "int", "low": 100, "high": 800, "log": True},
    "feature_fraction": {"type": "float", "low": 0.4, "high": 1.0},
    "min_data_in_leaf": {"type": "int", "low": 5, "high": 200, "log": True},
    "rows": {"type": "int", "low": 20000, "high": 200000, "log": True},
}
REQUIRES = ("lightgbm",)
CONDITIONS = {"rows": ">= 200"}

SECONDS = 4e-7
"""For a row, a round and 31 leaves on one core; measured low, so that nothing is refused that would have fitted."""
STEPS = 8
"""Steps ahead that are learned of one origin at most, drawn at random: more origins tell more than more steps."""


class Model(Forecaster):
    DEFAULTS: ClassVar[dict[str, Any]] = {"feature_fraction": 0.8, "min_data_in_leaf": 20, **PORTFOLIO[0]}
    USES_KNOWN = True

    def learn(self, panel: Panel) -> None:
        import lightgbm

        rows = min(int(self.params["rows"]), sum(map(len, panel.values)) * STEPS)
        expected = SECONDS * rows * int(self.params["rounds"]) * (int(self.params["num_leaves"]) / 31) ** 0.5
        if self.time_limit is not None and expected / self.threads > self.time_limit:
            raise TimeoutError(f"about {expected / self.threads:.0f} s of {self.time_limit:.0f} s are needed")
        features, target = self._training_rows(panel, np.random.default_rng(self.seed))
        settings = {
            "objective": "l2" if self.task["metric"] in ("rmse", "mse", "r2", "explained_variance") else "l1",
            "learning_rate": float(self.params["learning_rate"]),
            "num_leaves": int(self.params["num_leaves"]),
            "feature_fraction": float(self.params["feature_fraction"]),
            "min_data_in_leaf": min(int(self.params["min_data_in_leaf"]), max(1, len(target) // 20)),
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(features, target, free_raw_data=True)
        self.booster = lightgbm.train(settings, data, num_boost_round=int(self.params["rounds"]))

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        ahead = np.arange(1, steps + 1)
        parts, levels, scales = [], [], []
        for place, (line, end) in enumerate(zip(panel.values, panel.ends, strict=True)):
            origins = np.full(steps, len(line) - 1)
            features, level, scale = self._features(panel.names[place], line, origins, ahead, int(end))
            parts.append(np.concatenate([features, known[place, :steps]], axis=1))
            levels.append(level)
            scales.append(scale)
        answers = np.asarray(self.booster.predict(np.concatenate(parts), num_threads=self.threads))
        return np.stack(levels) + answers.reshape(len(parts), steps) * np.stack(scales)

    def arrays(self) -> dict[str, Array]:
        text = np.frombuffer(self.booster.model_to_string().encode(), np.uint8)
        return {"booster": text, "codes": np.frombuffer("\n".join(self.codes).encode(), np.uint8)}

    def restore(self, arrays: dict[str, Array], folder: Path) -> None:
        del folder
        import lightgbm

        self.booster = lightgbm.Booster(model_str=arrays["booster"].tobytes().decode())
        self.codes = arrays["codes"].tobytes().decode().split("\n")

    def _features(self, name: str, line: Array, origins: Array, ahead: Array, end: int) -> tuple[Array, Array, Array]:
        code = self.codes.index(name) if name in self.codes else -1
        return step_features(line, origins, ahead, end, seasons=self.seasons, grid=self.task["grid"], code=code)

    def _training_rows(self, panel: Panel, random: np.random.Generator) -> tuple[Array, Array]:
        """Rows of randomly drawn origins and steps: each series as often as its length allows."""
        self.codes = list(panel.names[:100])
        lengths = np.array([len(line) for line in panel.values])
        steps = min(STEPS, self.horizon)
        least = np.minimum(np.maximum(self.season, 3), np.maximum(lengths // 3, 1))
        room = np.maximum(lengths - least - 1, 0)
        share = min(1.0, int(self.params["rows"]) / max(1.0, float(room.sum() * steps)))
        parts, targets = [], []
        for place, (line, end) in enumerate(zip(panel.values, panel.ends, strict=True)):
            count = int(np.ceil(room[place] * share))
            if not count:
                continue
            chosen = np.sort(random.choice(room[place], count, replace=False)) + least[place]
            origins = np.repeat(chosen, steps)
            ahead = random.integers(1, self.horizon + 1, len(origins))
            inside = origins + ahead < len(line)
            origins, ahead = origins[inside], ahead[inside]
            if not len(origins):
                continue
            features, level, scale = self._features(panel.names[place], line, origins, ahead, int(end))
            parts.append(np.concatenate([features, panel.known[place][origins + ahead]], axis=1))
            targets.append((line[origins + ahead] - level) / scale)
        if not parts:
            raise ValueError("the series are too short to learn from lags")
        return np.concatenate(parts), np.concatenate(targets)
