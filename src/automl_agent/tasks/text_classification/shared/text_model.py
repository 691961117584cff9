"""What all candidates for texts share: which columns are texts, the columns beside them, classes, storage."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from prepare import Encoder, kind_of
from table_model import TableModel
from table_targets import hold_out

Array = npt.NDArray[Any]

RARE = {"f1_macro": 0.5, "balanced_accuracy": 1.0, "recall_macro": 1.0}
"""How much rare classes weigh more where the metric wants it: the power of one over their frequency."""
CALIBRATED = 4000
"""Rows that a model is fitted on at most to learn how sure it may be."""


class TextModel(TableModel):
    """Base of the candidates: classifies rows by their texts, and by the other columns where there are any.

    Texts are the columns of pandas' string type; in a frame without one, those that look like texts.
    """

    def learn(self, texts: list[list[str]], side: Array, codes: Array) -> None:  # type: ignore[override]
        """Learn from columns of texts, the others as a matrix (rows, width), and the codes of the present classes."""
        raise NotImplementedError

    def answer(self, texts: list[list[str]], side: Array) -> Array:  # type: ignore[override]
        """Probabilities of the present classes."""
        raise NotImplementedError

    # ------------------------------------------------------------ the contract

    def fit(self, frame: pd.DataFrame, target: Array) -> TextModel:
        """Fit on typed rows and class codes (int64).

        Raises:
            TimeoutError: what must be done does not fit into the time limit; it was not begun.
            ValueError: the frame holds no texts.
        """
        self._started = time.monotonic()
        self.present, codes = np.unique(target, return_inverse=True)
        codes = codes.reshape(-1)
        self.texts = text_columns(frame)
        others = frame[[name for name in frame.columns if name not in self.texts]]
        self.encoder = None
        side = np.zeros((len(frame), 0))
        if others.shape[1]:
            self.encoder = Encoder([], "matrix", "classification", self.seed)
            side = self.encoder.fit_transform(others, codes)
        if not self._certain:
            self.learn([_plain(frame[name]) for name in self.texts], side, codes)
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        """Probabilities (rows, classes) in the order of the class codes; float64."""
        scores = np.zeros((len(frame), len(self.task["classes"])))
        if self._certain:
            scores[:, self.present] = 1.0
        elif len(frame):
            none = np.zeros((len(frame), 0))
            side = none if self.encoder is None else self.encoder.transform(frame[self.encoder.columns])
            scores[:, self.present] = self.answer([_plain(frame[name]) for name in self.texts], side)
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
            "texts": self.texts,
            "side": self.encoder is not None,
        }
        (folder / "model.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        effective = json.dumps({**self.params, **self.effective}, ensure_ascii=False)
        (folder / "params.json").write_text(effective, encoding="utf-8")
        if self.encoder is not None:
            self.encoder.save(folder)
        if not self._certain:
            self.store(folder)

    @classmethod
    def load(cls, folder: str | Path) -> TextModel:
        folder = Path(folder)
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        model = cls(state["task"], state["params"], state["steps"], state["seed"])
        model.effective = state["effective"]
        model.present = np.array(state["present"], dtype=np.int64)
        model.texts = state["texts"]
        model.encoder = Encoder.load(folder) if state["side"] else None
        if not model._certain:
            model.restore(folder)
        return model

    # ------------------------------------------------------------ for candidates

    def row_weights(self, codes: Array) -> Array:
        """One weight a row, of mean 1: rare classes weigh more where the metric or the step `balance` wants it."""
        power = min(1.0, RARE.get(self.metric, 0.0) + (0.5 if "balance" in self.steps else 0.0))
        weights = (1 / np.bincount(codes)[codes]) ** power
        return np.asarray(weights / weights.mean())

    def calibration(self, codes: Array) -> tuple[Array, Array]:
        """Rows to fit on, and rows to see how sure the fit may be."""
        inside, outside = hold_out(codes, self.seed)
        inside = np.random.default_rng(self.seed).permutation(inside)[:CALIBRATED]
        return np.sort(inside), outside


def text_columns(frame: pd.DataFrame) -> list[str]:
    """Names of the columns of texts.

    Raises:
        ValueError: there is none.
    """
    names = [str(name) for name in frame.columns if isinstance(frame[name].dtype, pd.StringDtype)]
    names = names or [str(name) for name in frame.columns if kind_of(frame[name]) == "text"]
    if not names:
        raise ValueError(f"none of the columns {', '.join(map(str, frame.columns))} holds texts")
    return names


def softmax(scores: Array) -> Array:
    """(rows, classes) scores as probabilities."""
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def temperature(scores: Array, codes: Array, weights: Array) -> float:
    """What scores are divided by so that their softmax has the least log loss (Guo et al. 2017)."""
    grid = float(np.std(scores) or 1.0) * np.geomspace(0.02, 20, 60)
    rows = np.arange(len(codes))
    losses = [-(weights * np.log(np.maximum(softmax(scores / t)[rows, codes], 1e-12))).sum() for t in grid]
    return float(grid[int(np.argmin(losses))])


def _plain(column: pd.Series) -> list[str]:
    """Texts as Python strings, "" where missing."""
    return ["" if value is None or value is pd.NA or value != value else str(value) for value in column.tolist()]
