"""What the candidates for tables have in common: preparing rows and targets, classes that a fold lacks, files, time.

A candidate's class sets `MODE` and defines

    learn(matrix, target, weights)    fit on an encoded matrix; codes 0, 1, ... or standardised values
    answer(matrix)                    probabilities (rows, classes seen), or standardised values (rows,)
    store(folder), restore(folder)    the fitted model, in a format that runs no code when it is read

Whatever `learn` had to change to keep to the time limit goes into `effective`. `params.json` in the model's folder
holds the parameters with these changes: a fit with them and without a time limit gives the same model on any machine.
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
from prepare import Encoder
from table_targets import TargetTransform, class_weights

Array = npt.NDArray[Any]


class TableModel:
    """Base of the candidates for tables (see `automl_agent.tasks.candidate` for the contract).

    Args:
        task: `kind`, `classes`, `metric`, `positive`.
        time_limit: seconds that `fit` may take; what cannot fit in raises `TimeoutError` before it is begun.
    """

    MODE: ClassVar[str] = "tree"
    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    ONE_HOT: ClassVar[int] = 30
    """Levels up to which a category is one-hot in `matrix` mode."""
    ALWAYS: ClassVar[tuple[str, ...]] = ()
    """Data steps that the candidate wants in any case."""

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
        self.settled: dict[str, Any] = {}
        """Parameters found by `learn` that other folds need not find again (`SETTLES`)."""
        self.present: Array = np.zeros(0, dtype=np.int64)
        """Codes of the classes that the training rows have."""
        self.values = TargetTransform()

    # ------------------------------------------------------------ what a candidate defines

    def learn(self, matrix: Array, target: Array, weights: Array | None) -> None:
        raise NotImplementedError

    def answer(self, matrix: Array) -> Array:
        raise NotImplementedError

    def store(self, folder: Path) -> None:
        raise NotImplementedError

    def restore(self, folder: Path) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ the contract

    @property
    def classifies(self) -> bool:
        return bool(self.task["kind"] == "classification")

    def fit(self, frame: pd.DataFrame, target: Array, weight: Array | None = None) -> TableModel:
        """Fit on typed rows; class codes (int64) or values (float64); what each row counts, where that differs."""
        self._started = time.monotonic()
        weights = None if weight is None else weight / weight.mean()
        if self.classifies:
            self.present, codes = np.unique(target, return_inverse=True)
            seen = codes.reshape(-1)
            weights = class_weights(seen, weights) if "balance" in self.steps else weights
        else:
            seen = self.values.fit(np.asarray(target, dtype=np.float64), self.steps, self.metric).forward(target)
        self.encoder = Encoder([*self.steps, *self.ALWAYS], self.MODE, self.task["kind"], self.seed, self.ONE_HOT)
        matrix = self.encoder.fit_transform(frame, seen, weight)
        if not self._certain:
            self.learn(matrix, seen, weights)
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        """Probabilities (rows, classes) in the order of the class codes, or values (rows,); float64."""
        if self.classifies:
            scores = np.zeros((len(frame), len(self.task["classes"])))
            if self._certain:
                scores[:, self.present] = 1.0
            elif len(frame):
                found = self.answer(self.encoder.transform(frame))
                scores[:, self.present] = found / found.sum(axis=1, keepdims=True)
            return scores
        if not len(frame):
            return np.zeros(0)
        return self.values.inverse(self.answer(self.encoder.transform(frame)))

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
            "values": vars(self.values),
        }
        (folder / "model.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        effective = json.dumps({**self.params, **self.effective}, ensure_ascii=False)
        (folder / "params.json").write_text(effective, encoding="utf-8")
        self.encoder.save(folder)
        if not self._certain:
            self.store(folder)

    @classmethod
    def load(cls, folder: str | Path) -> TableModel:
        folder = Path(folder)
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        model = cls(state["task"], state["params"], state["steps"], state["seed"])
        model.effective = state["effective"]
        model.present = np.array(state["present"], dtype=np.int64)
        vars(model.values).update(state["values"])
        model.encoder = Encoder.load(folder)
        if not model._certain:
            model.restore(folder)
        return model

    # ------------------------------------------------------------ for candidates

    @property
    def metric(self) -> str:
        return str(self.task.get("metric") or "")

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

    @property
    def _certain(self) -> bool:
        """Whether all training rows are of one class."""
        return self.classifies and len(self.present) == 1
