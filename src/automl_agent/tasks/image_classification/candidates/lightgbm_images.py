"""LightGBM on gradients, colours and small pixels, reduced to principal components: differs from all smooth models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from image_features import features, grid, principal, reduced
from image_model import ImageModel
from plain_state import load_arrays, save_arrays

TITLE = "LightGBM on image features"
TAGS = ("lightgbm", "lgbm", "gradient boosting", "boosting", "tree", "trees", "hog", "classical")
PORTFOLIO = [{"components": 64, "rounds": 150, "num_leaves": 15, "learning_rate": 0.1}]
SPACE = {
    "components": {"type": "int", "low": 32, "high": 128, "log": True},
    "num_leaves": {"type": "int", "low": 4, "high": 63, "log": True},
    "rounds": {"type": "int", "low": 60, "high": 400, "log": True},
}
REQUIRES = ("lightgbm",)

Array = npt.NDArray[Any]

TIMED = 5
FEWEST = 30
"""Rounds below which boosting is not begun."""


class Model(ImageModel):
    """`rounds` that do not fit into the time are fewer from the start, at a higher learning rate."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, images: list[bytes], target: Array) -> None:
        import lightgbm

        whole = features(images, self.grey, *grid(self.side))
        self.centre, self.components = principal(whole, int(self.params["components"]))
        matrix = reduced(whole, self.centre, self.components)
        many = len(self.present) > 2
        settings = {
            "objective": "multiclass" if many else "binary",
            "learning_rate": float(self.params["learning_rate"]),
            "num_leaves": int(self.params["num_leaves"]),
            "min_data_in_leaf": min(20, max(1, len(images) // 20)),
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "verbosity": -1,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "seed": self.seed,
        } | ({"num_class": len(self.present)} if many else {})
        data = lightgbm.Dataset(matrix, target, params=settings)
        rounds = int(self.params["rounds"])
        if self.seconds_left is not None:
            started = time.monotonic()
            lightgbm.train(settings, data, TIMED)
            each = (time.monotonic() - started) / TIMED
            self.require(each * FEWEST, f"Boosting ({FEWEST} rounds)")
            affordable = max(FEWEST, min(rounds, int((self.seconds_left or 0.0) / each)))
            settings["learning_rate"] = min(0.3, settings["learning_rate"] * rounds / affordable)
            rounds = affordable
        self.effective = {"rounds": rounds, "learning_rate": settings["learning_rate"]}
        self.booster = lightgbm.train(settings, data, rounds)

    def answer(self, images: list[bytes]) -> Array:
        matrix = reduced(features(images, self.grey, *grid(self.side)), self.centre, self.components)
        scores = np.asarray(self.booster.predict(matrix, num_threads=1))
        return np.stack([1 - scores, scores], axis=1) if scores.ndim == 1 else scores

    def store(self, folder: Path) -> None:
        save_arrays(folder / "components.npz", {"centre": self.centre, "components": self.components})
        self.booster.save_model(folder / "lightgbm.txt")

    def restore(self, folder: Path) -> None:
        import lightgbm

        arrays = load_arrays(folder / "components.npz")
        self.centre, self.components = arrays["centre"], arrays["components"]
        self.booster = lightgbm.Booster(model_file=folder / "lightgbm.txt")
