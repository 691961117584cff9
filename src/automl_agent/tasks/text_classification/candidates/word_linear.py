"""Words and pairs of words with a linear model: fast, small, and the strongest single model on long texts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt
from scipy.sparse import csr_matrix
from text_linear import LinearText, solve_linear
from text_terms import WordTerms

TITLE = "Linear model on words"
TAGS = ("linear", "words", "tf-idf", "tfidf", "bag of words", "support vector machine", "svm", "logistic regression")
PORTFOLIO = [
    {"loss": "hinge", "C": 1.0, "pairs": True},
    {"loss": "hinge", "C": 0.3, "pairs": True},
    {"loss": "logistic", "C": 10.0, "pairs": True},
    {"loss": "hinge", "C": 0.3, "pairs": False},
]
SPACE = {
    "C": {"type": "float", "low": 0.03, "high": 30.0, "log": True},
    "loss": {"type": "categorical", "choices": ["hinge", "logistic"]},
    "pairs": {"type": "categorical", "choices": [True, False]},
    "fewest": {"type": "int", "low": 1, "high": 4},
}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]


class Model(LinearText):
    DEFAULTS: ClassVar[dict[str, Any]] = {**PORTFOLIO[0], "fewest": 2, "most": 200_000}

    def vocabulary(self) -> WordTerms:
        return WordTerms(self.params["pairs"], self.params["fewest"], self.params["most"])

    def solve(self, matrix: csr_matrix, codes: Array, weights: Array) -> tuple[Array, Array]:
        loss, strength = self.params["loss"], self.params["C"]
        return solve_linear(matrix, codes, weights, loss=loss, strength=strength, seed=self.seed)
