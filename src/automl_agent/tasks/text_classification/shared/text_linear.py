"""Linear models on terms: one vocabulary a column of texts, one weight a term and class."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from plain_state import load_arrays, save_arrays
from scipy.sparse import csr_matrix, hstack
from text_model import TextModel, softmax, temperature

Array = npt.NDArray[Any]

TIMED = 300
"""Texts that the time of reading all of them is told from."""
SIDE = 0.5
"""Weight of the columns beside the texts, which have a scale of about one; a text has the length one."""
ITERATIONS = 100


class LinearText(TextModel):
    """Scores are `terms @ slopes + offsets`, probabilities their softmax at a temperature learned on rows held out."""

    READS_SIDE = True
    """Whether the columns beside the texts are terms, too."""

    def vocabulary(self) -> Any:
        """What makes the terms of one column: `fit_transform`, `transform`, `save` and `load`."""
        raise NotImplementedError

    def solve(self, matrix: csr_matrix, codes: Array, weights: Array) -> tuple[Array, Array]:
        """Slopes (terms, outputs) and offsets (outputs,); one output means the second of two classes."""
        raise NotImplementedError

    def learn(self, texts: list[list[str]], side: Array, codes: Array) -> None:  # type: ignore[override]
        self._time_reading(texts)
        self.terms = [self.vocabulary() for _ in texts]
        blocks = [terms.fit_transform(column) for terms, column in zip(self.terms, texts, strict=True)]
        matrix = self._joined(blocks, side)
        weights = self.row_weights(codes)
        inside, outside = self.calibration(codes)
        if len(np.unique(codes[inside])) < len(self.present):  # too few rows to hold some out
            inside = outside = np.arange(len(codes))
        started = time.monotonic()
        trial = self.solve(matrix[inside], codes[inside], weights[inside])
        seconds = time.monotonic() - started
        self.require(1.2 * seconds * len(codes) / len(inside), f"A linear model of {len(codes)} texts")
        self.temperature = temperature(_scores(matrix[outside], *trial), codes[outside], weights[outside])
        slopes, offsets = self.solve(matrix, codes, weights)
        # Half precision as it will be stored: what is predicted now is what will be predicted after loading.
        self.slopes = slopes.astype(np.float16)
        self.offsets = offsets.astype(np.float64)

    def answer(self, texts: list[list[str]], side: Array) -> Array:  # type: ignore[override]
        blocks = [terms.transform(column) for terms, column in zip(self.terms, texts, strict=True)]
        scores = _scores(self._joined(blocks, side), self._wide(), self.offsets)
        return softmax(scores / self.temperature)

    def store(self, folder: Path) -> None:
        arrays = {"slopes": self.slopes, "offsets": self.offsets, "temperature": np.array([self.temperature])}
        for place, terms in enumerate(self.terms):
            terms.save(folder, f"terms{place}")
        save_arrays(folder / "linear.npz", arrays)

    def restore(self, folder: Path) -> None:
        arrays = load_arrays(folder / "linear.npz")
        self.slopes, self.offsets = arrays["slopes"], arrays["offsets"]
        self.temperature = float(arrays["temperature"][0])
        self.terms = [self.vocabulary().load(folder, f"terms{place}") for place in range(len(self.texts))]

    def _wide(self) -> Array:
        """The slopes in single precision, made once."""
        known = self.__dict__.get("_single")
        if known is None:
            known = self._single = self.slopes.astype(np.float32)
        return known

    def _joined(self, blocks: list[csr_matrix], side: Array) -> csr_matrix:
        parts = [*blocks, csr_matrix(SIDE * side, dtype=np.float32)] if self.READS_SIDE and side.shape[1] else blocks
        return hstack(parts, format="csr", dtype=np.float32) if len(parts) > 1 else parts[0]

    def _time_reading(self, texts: list[list[str]]) -> None:
        """Raise `TimeoutError` when reading all texts alone takes too long."""
        rows = len(texts[0])
        if self.seconds_left is None or rows < 4 * TIMED:
            return
        started = time.monotonic()
        for column in texts:
            self.vocabulary().fit_transform(column[:: rows // TIMED])
        self.require((time.monotonic() - started) * rows / TIMED, f"Reading {rows} texts")


def _scores(matrix: csr_matrix, slopes: Array, offsets: Array) -> Array:
    """(rows, classes); of two classes the first scores nothing."""
    scores = np.asarray(matrix @ slopes, dtype=np.float64) + offsets
    return np.concatenate([np.zeros_like(scores), scores], axis=1) if scores.shape[1] == 1 else scores


def solve_linear(matrix: csr_matrix, codes: Array, weights: Array, *, loss: str, strength: float, seed: int
                 ) -> tuple[Array, Array]:  # fmt: skip
    """One against the others, L2-penalised (LIBLINEAR, Fan et al. 2008).

    Args:
        loss: `hinge` (squared: a support vector machine) or `logistic`.
        strength: weight of the rows' losses against the penalty (`C`).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if loss == "hinge":
            model = LinearSVC(C=strength, tol=0.01, max_iter=ITERATIONS, random_state=seed)
            model.fit(matrix, codes, sample_weight=weights)
            return model.coef_.T.astype(np.float32), model.intercept_
        classes = int(codes.max()) + 1
        slopes, offsets = [], []
        for code in range(classes) if classes > 2 else [1]:
            one = LogisticRegression(C=strength, solver="liblinear", tol=0.01, max_iter=ITERATIONS, random_state=seed)
            one.fit(matrix, (codes == code).astype(int), sample_weight=weights)
            slopes.append(one.coef_[0].astype(np.float32))
            offsets.append(one.intercept_[0])
        return np.stack(slopes, axis=1), np.array(offsets)
