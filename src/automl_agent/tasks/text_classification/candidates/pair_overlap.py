"""Boosted trees on how two texts go together, and on what a linear model makes of their words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pair_features import overlap
from plain_state import load_arrays, save_arrays
from scipy.sparse import csr_matrix, hstack
from text_linear import solve_linear
from text_model import TextModel
from text_terms import WordTerms

TITLE = "Boosted trees on the relation of two texts"
TAGS = ("pairs", "overlap", "lightgbm", "gradient boosting", "boosting", "trees", "similarity")
PORTFOLIO = [
    {"learning_rate": 0.04, "num_leaves": 15, "trees": 150, "components": 20},
    {"learning_rate": 0.04, "num_leaves": 6, "trees": 250, "components": 0},
    {"learning_rate": 0.03, "num_leaves": 31, "trees": 250, "components": 40},
]
SPACE = {
    "learning_rate": {"type": "float", "low": 0.01, "high": 0.1, "log": True},
    "num_leaves": {"type": "int", "low": 3, "high": 63, "log": True},
    "trees": {"type": "int", "low": 60, "high": 400, "log": True},
    "components": {"type": "categorical", "choices": [0, 20, 40]},
    "C": {"type": "float", "low": 0.1, "high": 10.0, "log": True},
    "feature_fraction": {"type": "float", "low": 0.2, "high": 1.0},
    "lambda_l2": {"type": "float", "low": 0.1, "high": 30.0, "log": True},
}
REQUIRES = ("lightgbm", "sklearn")
CONDITIONS = {"texts": ">= 2"}

Array = npt.NDArray[Any]

PARTS = 4
"""Rows are scored by linear models that were fitted without their part."""


class Model(TextModel):
    """LightGBM (Ke et al. 2017) on overlaps of the first two texts, the absolute difference and the product of their
    topics (a truncated SVD of both vocabularies together), scores of linear models on all words, and other columns."""

    DEFAULTS: ClassVar[dict[str, Any]] = {"C": 3.0, "feature_fraction": 0.5, "lambda_l2": 5.0, **PORTFOLIO[0]}

    def learn(self, texts: list[list[str]], side: Array, codes: Array) -> None:  # type: ignore[override]
        import lightgbm

        self.joint = WordTerms(pairs=False)
        both = self.joint.fit_transform([*texts[0], *texts[1]])
        self.components = self._topics(both)
        self.terms = [WordTerms(most=100_000) for _ in texts]
        words = hstack([terms.fit_transform(column) for terms, column in zip(self.terms, texts, strict=True)], "csr")
        weights = self.row_weights(codes)
        scores = self._linear(words, codes, weights)
        matrix = self._matrix(texts, scores, side)
        settings = {
            "objective": "multiclass" if len(self.present) > 2 else "binary",
            "learning_rate": self.params["learning_rate"],
            "num_leaves": self.params["num_leaves"],
            "feature_fraction": self.params["feature_fraction"],
            "lambda_l2": self.params["lambda_l2"],
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "min_data_in_leaf": max(2, min(30, len(codes) // 40)),
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
        if len(self.present) > 2:
            settings["num_class"] = len(self.present)
        self.require(len(codes) * matrix.shape[1] * self.params["trees"] * len(self.present) * 1e-9, "Boosting")
        data = lightgbm.Dataset(matrix, codes, weight=weights)
        self.booster = lightgbm.train(settings, data, self.params["trees"])

    def answer(self, texts: list[list[str]], side: Array) -> Array:  # type: ignore[override]
        words = hstack([terms.transform(column) for terms, column in zip(self.terms, texts, strict=True)], "csr")
        scores = np.asarray(words @ self.slopes, dtype=np.float64) + self.offsets
        found = np.asarray(self.booster.predict(self._matrix(texts, scores, side), num_threads=1))
        return found if found.ndim == 2 else np.stack([1 - found, found], axis=1)

    def store(self, folder: Path) -> None:
        self.joint.save(folder, "joint")
        for place, terms in enumerate(self.terms):
            terms.save(folder, f"terms{place}")
        arrays = {"components": self.components, "slopes": self.slopes, "offsets": self.offsets}
        save_arrays(folder / "pairs.npz", arrays)
        (folder / "trees.txt").write_text(self.booster.model_to_string(), encoding="utf-8")

    def restore(self, folder: Path) -> None:
        import lightgbm

        arrays = load_arrays(folder / "pairs.npz")
        self.components, self.slopes, self.offsets = arrays["components"], arrays["slopes"], arrays["offsets"]
        self.joint = WordTerms().load(folder, "joint")
        self.terms = [WordTerms().load(folder, f"terms{place}") for place in range(len(self.texts))]
        self.booster = lightgbm.Booster(model_str=(folder / "trees.txt").read_text(encoding="utf-8"))

    def _topics(self, both: csr_matrix) -> Array:
        """(terms, components) float32"""
        from sklearn.decomposition import TruncatedSVD

        width = min(int(self.params["components"]), both.shape[1] - 1, both.shape[0] - 1)
        if width < 2:
            return np.zeros((both.shape[1], 0), dtype=np.float32)
        # In double precision: where arrays lie in memory decides what single precision rounds away, and trees turn that
        # into other splits, so that the same fit in another process would give another model.
        reduced = TruncatedSVD(width, random_state=self.seed).fit(both.astype(np.float64))
        return np.ascontiguousarray(reduced.components_.T, dtype=np.float32)

    def _linear(self, words: csr_matrix, codes: Array, weights: Array) -> Array:
        """Scores of the training rows out of their part; the model of all rows is kept for new ones."""
        part = np.random.default_rng(self.seed).integers(0, PARTS, len(codes))
        strength = float(self.params["C"])

        def solved(rows: Array) -> tuple[Array, Array]:
            return solve_linear(words[rows], codes[rows], weights[rows], loss="logistic", strength=strength,
                                seed=self.seed)  # fmt: skip

        self.slopes, self.offsets = solved(np.arange(len(codes)))
        scores = np.zeros((len(codes), len(self.offsets)))
        for number in range(PARTS):
            inside, outside = np.flatnonzero(part != number), np.flatnonzero(part == number)
            if len(outside) and len(np.unique(codes[inside])) == len(self.present):
                slopes, offsets = solved(inside)
                scores[outside] = words[outside] @ slopes + offsets
        return scores

    def _matrix(self, texts: list[list[str]], scores: Array, side: Array) -> Array:
        blocks = [overlap(texts[0], texts[1], self.joint), scores, side]
        if self.components.shape[1]:
            one, other = (np.asarray(self.joint.transform(column) @ self.components) for column in texts[:2])
            blocks += [np.abs(one - other), one * other]
        return np.concatenate(blocks, axis=1, dtype=np.float64)
