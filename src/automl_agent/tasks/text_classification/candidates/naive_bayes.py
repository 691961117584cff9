"""Naive Bayes on words: fitted in no time, and unlike the other linear models enough to blend well with them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags
from text_linear import LinearText, solve_linear
from text_terms import WordTerms

TITLE = "Naive Bayes on words"
TAGS = ("naive bayes", "bayes", "nb", "nbsvm", "linear", "words", "simple")
PORTFOLIO = [
    {"form": "complement", "alpha": 0.3},
    {"form": "weighted", "alpha": 1.0, "C": 1.0},
    {"form": "complement", "alpha": 0.05},
]
SPACE = {
    "form": {"type": "categorical", "choices": ["complement", "weighted"]},
    "alpha": {"type": "float", "low": 0.01, "high": 3.0, "log": True},
    "C": {"type": "float", "low": 0.03, "high": 30.0, "log": True},
}
REQUIRES = ("sklearn",)

Array = npt.NDArray[Any]


class Model(LinearText):
    """`complement`: Rennie et al. (2003); `weighted`: logistic regression on terms that are weighted by how much more
    often a class has them (Wang & Manning 2012). Reads the texts only."""

    DEFAULTS: ClassVar[dict[str, Any]] = {"C": 1.0, "most": 200_000, **PORTFOLIO[0]}
    READS_SIDE = False

    def vocabulary(self) -> WordTerms:
        return WordTerms(most=self.params["most"])

    def solve(self, matrix: csr_matrix, codes: Array, weights: Array) -> tuple[Array, Array]:
        count, alpha = int(codes.max()) + 1, float(self.params["alpha"])
        member = csr_matrix((weights, (codes, np.arange(len(codes)))), (count, len(codes)))
        sums = np.asarray((member @ matrix).todense(), dtype=np.float64) + alpha
        others = sums.sum(axis=0) - sums
        if self.params["form"] == "complement":
            slopes = -np.log(others / others.sum(axis=1, keepdims=True)).T
            slopes = slopes - slopes.mean(axis=1, keepdims=True)  # what all classes have in common tells nothing
            return slopes.astype(np.float32), np.zeros(count)
        ratios = np.log(sums / sums.sum(axis=1, keepdims=True)) - np.log(others / others.sum(axis=1, keepdims=True))
        outputs = range(count) if count > 2 else [1]
        found = [self._weighted(matrix, codes == code, weights, ratios[code]) for code in outputs]
        return np.stack([slopes for slopes, _ in found], axis=1), np.concatenate([offset for _, offset in found])

    def _weighted(self, matrix: csr_matrix, inside: Array, weights: Array, ratio: Array) -> tuple[Array, Array]:
        scaled = (matrix @ diags(ratio)).tocsr().astype(np.float32)
        slopes, offset = solve_linear(
            scaled, inside.astype(np.int64), weights, loss="logistic", strength=self.params["C"], seed=self.seed
        )
        return (slopes[:, 0] * ratio).astype(np.float32), offset
