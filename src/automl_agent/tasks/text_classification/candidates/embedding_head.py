"""Sentence embeddings with a linear head: knows what words mean, which pays on short texts and few labels."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from plain_state import load_arrays, save_arrays
from text_model import TextModel, softmax, temperature
from text_vectors import TextVectors, in_folder, installed

TITLE = "Sentence embeddings with a linear head"
TAGS = ("embedding", "embeddings", "sentence embeddings", "pretrained", "transfer learning", "semantic")
PORTFOLIO = [{"C": 1.0}, {"C": 0.05}, {"C": 10.0}]
SPACE = {"C": {"type": "float", "low": 0.001, "high": 100.0, "log": True}}
REQUIRES = ("sklearn", "tokenizers")
CONDITIONS = {"embeddings": ">= 1"}

Array = npt.NDArray[Any]

TIMED = 100
"""Texts that the time of embedding all of them is told from."""
ITERATIONS = 200


class Model(TextModel):
    """Logistic regression on the vectors of all texts; of two texts, also on their difference and product.

    The weights of the embedding are the user's (`task["embedding"]`, a folder) or those of an installed package; they
    are stored with the model.
    """

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, texts: list[list[str]], side: Array, codes: Array) -> None:  # type: ignore[override]
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        self.vectors = TextVectors.of(self._files())
        self._time_embedding(texts)
        matrix = self._embedded(texts, side)
        self.centre, self.scale = matrix.mean(axis=0), matrix.std(axis=0)
        self.scale[self.scale == 0] = 1.0
        matrix = (matrix - self.centre) / self.scale
        weights = self.row_weights(codes)

        def fitted(rows: Array) -> Any:
            head = LogisticRegression(C=self.params["C"] / matrix.shape[1], max_iter=ITERATIONS, tol=1e-3)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                return head.fit(matrix[rows], codes[rows], sample_weight=weights[rows])

        inside, outside = self.calibration(codes)
        if len(np.unique(codes[inside])) < len(self.present):
            inside = outside = np.arange(len(codes))
        started = time.monotonic()
        trial = fitted(inside)
        self.require(1.2 * (time.monotonic() - started) * len(codes) / len(inside), "Logistic regression")
        self.slopes, self.offsets, self.temperature = trial.coef_.T, trial.intercept_, 1.0
        self.temperature = temperature(self._scores(matrix[outside]), codes[outside], weights[outside])
        head = fitted(np.arange(len(codes)))
        self.slopes, self.offsets = head.coef_.T, head.intercept_

    def answer(self, texts: list[list[str]], side: Array) -> Array:  # type: ignore[override]
        matrix = (self._embedded(texts, side) - self.centre) / self.scale
        return softmax(self._scores(matrix) / self.temperature)

    def store(self, folder: Path) -> None:
        save_arrays(folder / "head.npz", {"slopes": self.slopes, "offsets": self.offsets, "centre": self.centre,
                    "scale": self.scale, "temperature": np.array([self.temperature])})  # fmt: skip
        (folder / "embedding").mkdir(exist_ok=True)
        self.vectors.copy(folder / "embedding")

    def restore(self, folder: Path) -> None:
        arrays = load_arrays(folder / "head.npz")
        self.slopes, self.offsets = arrays["slopes"], arrays["offsets"]
        self.centre, self.scale = arrays["centre"], arrays["scale"]
        self.temperature = float(arrays["temperature"][0])
        self.vectors = TextVectors.of(in_folder(folder / "embedding"))

    def _files(self) -> tuple[Path, Path]:
        """Tokenizer and weights: where a model is trained again, those that it was trained with first."""
        own = self.params.get("embedding") or self.task.get("embedding")
        if own:
            self.effective["embedding"] = str(own)
            return in_folder(own)
        found = installed()
        if found is None:
            raise ValueError("no weights for sentence embeddings are installed")
        return found

    def _embedded(self, texts: list[list[str]], side: Array) -> Array:
        blocks = [self.vectors.embed(column) for column in texts]
        if len(blocks) == 2:
            one, other = blocks
            blocks += [np.abs(one - other), one * other * one.shape[1] ** 0.5]
        return np.concatenate([*blocks, side], axis=1, dtype=np.float64)

    def _scores(self, matrix: Array) -> Array:
        scores = matrix @ self.slopes + self.offsets
        return np.concatenate([np.zeros_like(scores), scores], axis=1) if scores.shape[1] == 1 else scores

    def _time_embedding(self, texts: list[list[str]]) -> None:
        """Raise `TimeoutError` when embedding all texts takes too long."""
        rows = len(texts[0])
        if self.seconds_left is None or rows < 4 * TIMED:
            return
        started = time.monotonic()
        for column in texts:
            self.vectors.embed(column[:: rows // TIMED])
        self.require((time.monotonic() - started) * rows / TIMED, f"Embedding {rows} texts")
