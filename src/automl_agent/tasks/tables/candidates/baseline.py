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

    def fit(self, _: pd.DataFrame, target: Array, weight: Array | None = None) -> Model:
        if self.task["kind"] == "classification":
            counts = np.bincount(target, weight, minlength=len(self.task["classes"]))
            self.answer = counts / counts.sum()
        else:
            values, metric = np.asarray(target, dtype=np.float64), self.task.get("metric") or ""
            self.answer = np.array([best_constant(values, metric, np.ones(len(values)) if weight is None else weight)])
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


def best_constant(values: Array, metric: str, weight: Array) -> float:
    """The value with the least loss: the mean, or what the metric wants instead."""
    if metric in ("mae", "median_ae", "smape"):
        return _median(values, weight)
    if metric == "max_error":
        return float((values.min() + values.max()) / 2)
    if metric == "rmsle" and values.min() > -1:
        return float(np.expm1(np.average(np.log1p(values), weights=weight)))
    if metric == "mape" and (values != 0).any():
        known = values != 0
        return _median(values[known], weight[known] / np.abs(values[known]))
    return float(np.average(values, weights=weight))


def _median(values: Array, weight: Array) -> float:
    """The weighted median; where half of the weight lies below a value and half above, the middle between the two."""
    order = np.argsort(values, kind="stable")
    ordered, so_far = values[order], np.cumsum(weight[order])
    half = so_far[-1] / 2
    place = int(np.searchsorted(so_far, half * (1 - 1e-12)))
    after = min(place + 1, len(ordered) - 1) if np.isclose(so_far[place], half, rtol=1e-12, atol=0) else place
    return float((ordered[place] + ordered[after]) / 2)
