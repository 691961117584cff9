"""Logistic regression on gradients, colours and small pixels: learns in seconds, answers in a millisecond."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from image_features import features, grid
from image_model import ImageModel, softmax
from plain_state import load_arrays, save_arrays

TITLE = "Logistic regression on image features"
TAGS = ("linear", "logistic regression", "hog", "classical", "simple")
PORTFOLIO = [{"strength": 1.0}, {"strength": 10.0}, {"strength": 0.1}]
SPACE = {"strength": {"type": "float", "low": 0.01, "high": 100.0, "log": True}}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]

ITERATIONS = 200
FEWEST = 30
"""Iterations below which a fit is not begun."""
TIMED = 5


class Model(ImageModel):
    """L2-penalised; `strength` is the weight of the penalty against the sum of the images' losses."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, images: list[bytes], target: Array) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        matrix = features(images, self.grey, *grid(self.side))
        self.centre = matrix.mean(axis=0)
        # One scale for all: the parts of the features are comparable, and rare gradients shall not be blown up.
        self.scale = np.float32(np.sqrt(matrix.var(axis=0).mean()))
        # In double precision: what single precision rounds away grows over the iterations, and where a matrix lies in
        # memory decides it, so that the same fit in another process would give another model.
        matrix = ((matrix - self.centre) / self.scale).astype(np.float64)

        def fitted(iterations: int) -> Any:
            model = LogisticRegression(C=1 / (float(self.params["strength"]) * matrix.shape[1] / 10),
                                       max_iter=iterations, tol=1e-3)  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                return model.fit(matrix, target)

        iterations = int(self.params.get("iterations", ITERATIONS))
        if self.seconds_left is not None:
            started = time.monotonic()
            fitted(TIMED)
            each = (time.monotonic() - started) / TIMED
            self.require(each * FEWEST, "Logistic regression")
            iterations = max(FEWEST, min(iterations, int((self.seconds_left or 0.0) / each)))
        self.effective["iterations"] = iterations
        model = fitted(iterations)
        self.slopes, self.offsets = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)

    def answer(self, images: list[bytes]) -> Array:
        # In double precision: the answer to an image must not depend on those beside it.
        matrix = (features(images, self.grey, *grid(self.side)).astype(np.float64) - self.centre) / self.scale
        scores = matrix @ self.slopes.astype(np.float64) + self.offsets
        return softmax(scores if scores.shape[1] > 1 else np.concatenate([np.zeros_like(scores), scores], axis=1))

    def store(self, folder: Path) -> None:
        save_arrays(folder / "linear.npz", {"centre": self.centre, "scale": np.asarray(self.scale),
                                            "slopes": self.slopes, "offsets": self.offsets})  # fmt: skip

    def restore(self, folder: Path) -> None:
        arrays = load_arrays(folder / "linear.npz")
        self.centre, self.scale = arrays["centre"], arrays["scale"]
        self.slopes, self.offsets = arrays["slopes"], arrays["offsets"]
