"""The trivial baseline: class shares, or one value that is best for the metric. Nothing may be worse than this."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

TITLE = "Trivial baseline"
TAGS = ("baseline", "constant", "prior", "mean", "median", "dummy")
PORTFOLIO = [{}]
SPACE = {}

Array = npt.NDArray[Any]


class Model:
    """Answers the same for every row."""

    def __init__(self, task: Mapping[str, Any], *_: Any, **__: Any) -> None:
        self.task = dict(task)
        self.answer: Array = np.zeros(0)

    def fit(self, _: pd.DataFrame, target: Array) -> Model:
        if self.task["kind"] == "classification":
            self.answer = np.bincount(target, minlength=len(self.task["classes"])) / len(target)
        else:
            self.answer = np.array([best_constant(np.asarray(target, dtype=np.float64), self.task.get("metric") or "")])
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        if self.task["kind"] == "classification":
            return np.tile(self.answer, (len(frame), 1))
        return np.full(len(frame), self.answer[0])

    def save(self, folder: str | Path) -> None:
        state = {"task": self.task, "answer": self.answer.tolist()}
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, "model.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        state = json.loads(Path(folder, "model.json").read_text(encoding="utf-8"))
        model = cls(state["task"])
        model.answer = np.array(state["answer"], dtype=np.float64)
        return model


def best_constant(values: Array, metric: str) -> float:
    """The value with the least loss: the mean, or what the metric wants instead."""
    if metric in ("mae", "median_ae", "smape"):
        return float(np.median(values))
    if metric == "max_error":
        return float((values.min() + values.max()) / 2)
    if metric == "rmsle" and values.min() > -1:
        return float(np.expm1(np.log1p(values).mean()))
    if metric == "mape" and (values != 0).any():
        known = np.sort(values[values != 0])
        order = np.argsort(known, kind="stable")
        weights = np.cumsum(1 / np.abs(known[order]))
        return float(known[order][np.searchsorted(weights, weights[-1] / 2)])
    return float(values.mean())
