"""Runs of letters with a linear model: bears misspellings, endings and languages without blanks between words."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt
from scipy.sparse import csr_matrix
from text_linear import LinearText, solve_linear
from text_terms import LetterTerms

TITLE = "Linear model on letters"
TAGS = ("linear", "characters", "letters", "n-grams", "character n-grams", "support vector machine", "svm")
PORTFOLIO = [
    {"C": 0.5, "shortest": 3, "longest": 5},
    {"C": 0.5, "shortest": 2, "longest": 4},
    {"C": 0.2, "shortest": 3, "longest": 6},
]
SPACE = {
    "C": {"type": "float", "low": 0.03, "high": 10.0, "log": True},
    "shortest": {"type": "int", "low": 1, "high": 3},
    "longest": {"type": "int", "low": 4, "high": 6},
    "loss": {"type": "categorical", "choices": ["hinge", "logistic"]},
}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]


class Model(LinearText):
    DEFAULTS: ClassVar[dict[str, Any]] = {**PORTFOLIO[0], "loss": "hinge", "bits": 18}

    def vocabulary(self) -> LetterTerms:
        return LetterTerms(self.params["shortest"], self.params["longest"], self.params["bits"])

    def solve(self, matrix: csr_matrix, codes: Array, weights: Array) -> tuple[Array, Array]:
        loss, strength = self.params["loss"], self.params["C"]
        return solve_linear(matrix, codes, weights, loss=loss, strength=strength, seed=self.seed)
