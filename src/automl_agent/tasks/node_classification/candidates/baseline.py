"""The trivial baseline: the classes' shares among the training nodes. Nothing may be worse than this."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

TITLE = "Trivial baseline"
TAGS = ("baseline", "constant", "prior", "dummy")
PORTFOLIO = [{}]
SPACE = {}

Array = npt.NDArray[Any]


class Model:
    """Answers the same for every node."""

    def __init__(self, task: Mapping[str, Any], *_: Any, **__: Any) -> None:
        self.task = {name: value for name, value in task.items() if name != "files"}
        self.answer: Array = np.zeros(0)

    def fit(self, _: pd.DataFrame, target: Array) -> Model:
        self.answer = np.bincount(target, minlength=len(self.task["classes"])) / len(target)
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        return np.tile(self.answer, (len(frame), 1))

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
