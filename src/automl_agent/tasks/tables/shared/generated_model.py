"""A candidate whose model is a module: two plain functions, and its state in formats that run no code when read.

The module defines `fit(frame, target, params, task) -> dict` and `predict(frame, state)`: probabilities
(rows, classes) in the order of `task["classes"]`, or values (rows,). A literal `PARAMS` holds default parameters.
`task` is the candidate's, with `seed` and `threads` added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from module_calls import checked_state, drawn, seeded, shown
from stored_state import load_state, save_state

Array = npt.NDArray[Any]


class GeneratedModel:
    """Base of the candidates that name such a module."""

    module: ClassVar[ModuleType]
    names: ClassVar[Mapping[str, str]] = {}
    """Stand-in name of a column, as the module knows it, -> its name."""

    def __init__(
        self,
        task: Mapping[str, Any],
        params: Mapping[str, Any],
        _steps: Sequence[str],
        seed: int,
        threads: int = 1,
        **_: Any,
    ) -> None:
        self.task = {**task, "seed": seed, "threads": threads}
        self.params = {**getattr(self.module, "PARAMS", {}), **params}
        self.state: dict[str, Any] = {}

    def fit(self, frame: pd.DataFrame, target: Array, weight: Array | None = None) -> GeneratedModel:
        frame, target = drawn(frame, target, weight, self.task["seed"])
        with seeded(self.task["seed"]):
            given = shown(frame, self.names)
            self.state = checked_state(self.module.fit(given, target.copy(), dict(self.params), dict(self.task)), "fit")
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        answer = self.module.predict(shown(frame, self.names), self.state)
        return checked_answer(answer, len(frame), self.task, "predict")

    def save(self, folder: str | Path) -> None:
        save_state({"task": self.task, "state": self.state}, Path(folder), self.module.__name__)

    @classmethod
    def load(cls, folder: str | Path) -> GeneratedModel:
        stored = load_state(Path(folder), cls.module.__name__)
        model = cls(stored["task"], {}, [], stored["task"]["seed"], stored["task"]["threads"])
        model.state = stored["state"]
        return model


def checked_answer(answer: Any, rows: int, task: Mapping[str, Any], what: str) -> Array:
    """Predictions as float64; probabilities sum to exactly 1.

    Raises:
        ValueError: they have a wrong shape, are not finite, or are no probabilities.
    """
    values = np.asarray(answer, dtype=np.float64)
    classifies = task["kind"] == "classification"
    if not classifies and values.shape == (rows, 1):
        values = values[:, 0]
    shape = (rows, len(task["classes"])) if classifies else (rows,)
    if values.shape != shape:
        meaning = f", one column for each of {task['classes'][:10]}" if classifies else ""
        raise ValueError(f"{what} must return an array of shape {shape}{meaning}; it returned {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{what} returned NaN or infinite values")
    if classifies and rows:
        sums = values.sum(axis=1, keepdims=True)
        if values.min() < -1e-9 or np.abs(sums - 1).max() > 1e-3:
            raise ValueError(f"{what} must return probabilities: not negative, and each row sums to 1")
        values = np.clip(values, 0, None) / sums
    return values
