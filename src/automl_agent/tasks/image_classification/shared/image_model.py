"""What the candidates for images have in common: images that are missing, classes that a fold lacks, files, time.

A candidate's class defines

    learn(images, target)             fit on encoded images (list of bytes) and codes 0, 1, ...
    answer(images)                    probabilities (images, classes seen)
    store(folder), restore(folder)    the fitted model, in a format that runs no code when it is read

Whatever `learn` chose by the clock or measured goes into `effective`. `params.json` in the model's folder holds the
parameters with these choices: a fit with them and without a time limit gives the same model on any machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from image_pixels import are_grey, usual_side

Array = npt.NDArray[Any]


class ImageModel:
    """Base of the candidates for images (see `automl_agent.tasks.candidate` for the contract).

    Args:
        task: `classes`, `metric`, `positive`, and `augment`: what the user wants to be done to training images.
        time_limit: seconds that `fit` may take; what cannot fit in raises `TimeoutError` before it is begun.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        task: Mapping[str, Any],
        params: Mapping[str, Any],
        steps: Sequence[str],
        seed: int,
        threads: int = 1,
        time_limit: float | None = None,
    ) -> None:
        self.task = dict(task)
        self.params = {**self.DEFAULTS, **params}
        self.steps = list(steps)
        self.seed = seed
        self.threads = threads
        self.time_limit = time_limit
        self.effective: dict[str, Any] = {}
        self.present: Array = np.zeros(0, dtype=np.int64)
        """Codes of the classes that the training images have."""
        self.shares: Array = np.zeros(0)
        """Of the classes: the answer where there is no image."""
        self.grey = True
        """Whether the training images have no colour."""
        self.side = 1
        """Pixels that their longer side usually has."""

    # ------------------------------------------------------------ what a candidate defines

    def learn(self, images: list[bytes], target: Array) -> None:
        raise NotImplementedError

    def answer(self, images: list[bytes]) -> Array:
        raise NotImplementedError

    def store(self, folder: Path) -> None:
        raise NotImplementedError

    def restore(self, folder: Path) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ the contract

    def fit(self, frame: pd.DataFrame, target: Array) -> ImageModel:
        """Fit on typed rows (one column of encoded images) and class codes (int64)."""
        self._started = time.monotonic()
        values = frame.iloc[:, 0].tolist()
        there = np.array([value is not None for value in values], dtype=bool)
        images, codes = [value for value in values if value is not None], np.asarray(target)[there]
        self.shares = np.bincount(codes, minlength=len(self.task["classes"])) / max(1, len(codes))
        self.present, seen = np.unique(codes, return_inverse=True)
        if len(self.present) > 1:
            self.grey, self.side = are_grey(images), usual_side(images)
            self.learn(images, seen.reshape(-1))
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        """Probabilities (rows, classes) in the order of the class codes; float64."""
        values = frame.iloc[:, 0].tolist()
        scores = np.tile(self.shares, (len(values), 1))
        there = [place for place, value in enumerate(values) if value is not None]
        if len(self.present) > 1 and there:
            found = np.zeros((len(there), len(self.shares)))
            answer = np.asarray(self.answer([values[place] for place in there]), dtype=np.float64)
            found[:, self.present] = answer / answer.sum(axis=1, keepdims=True)
            scores[there] = found
        return scores

    def save(self, folder: str | Path) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "task": self.task,
            "params": self.params,
            "steps": self.steps,
            "seed": self.seed,
            "effective": self.effective,
            "present": self.present.tolist(),
            "shares": self.shares.tolist(),
            "grey": self.grey,
            "side": self.side,
        }
        (folder / "model.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        effective = json.dumps({**self.params, **self.effective}, ensure_ascii=False)
        (folder / "params.json").write_text(effective, encoding="utf-8")
        if len(self.present) > 1:
            self.store(folder)

    @classmethod
    def load(cls, folder: str | Path) -> ImageModel:
        folder = Path(folder)
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        model = cls(state["task"], state["params"], state["steps"], state["seed"])
        model.effective, model.grey, model.side = state["effective"], state["grey"], state["side"]
        model.present = np.array(state["present"], dtype=np.int64)
        model.shares = np.array(state["shares"], dtype=np.float64)
        if len(model.present) > 1:
            model.restore(folder)
        return model

    # ------------------------------------------------------------ for candidates

    @property
    def seconds_left(self) -> float | None:
        """Of the time limit, less a tenth for saving; `None` without a limit."""
        if self.time_limit is None:
            return None
        return 0.9 * self.time_limit - (time.monotonic() - self._started)

    def require(self, seconds: float, what: str) -> None:
        """Raise `TimeoutError` when something that takes so long does not fit into what is left."""
        left = self.seconds_left
        if left is not None and seconds > left:
            raise TimeoutError(
                f"{what} needs about {seconds:.1f} s, {max(left, 0):.1f} s of {self.time_limit:.1f} s are left."
            )


def softmax(scores: Array) -> Array:
    """Probabilities (rows, classes) of scores."""
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = exponents / exponents.sum(axis=1, keepdims=True)
    return shares
