"""Which of the library's models and steps a text speaks of: a fixed table of words, and nothing else.

A paper that mentions CatBoost makes the planner try `catboost` earlier, whether it praises it or not: what it is worth
is measured. A text cannot name anything into a plan that does not stand here and in the family's own list.
"""

from __future__ import annotations

import re
from functools import lru_cache

from automl_agent.tasks.family import TaskFamily

MODELS: dict[str, tuple[str, ...]] = {
    "catboost": ("catboost",),
    "lightgbm, lgbm, light gbm": ("lightgbm", "lightgbm_global", "sgc_lightgbm", "lightgbm_images"),
    "gradient boosting, gradient boosted, xgboost, gbdt": ("lightgbm", "hist_gradient_boosting", "lightgbm_global"),
    "random forest, extra trees, extremely randomized trees": ("extra_trees",),
    "logistic regression, linear regression, ridge regression, lasso, elastic net": ("linear", "features_linear"),
    "nearest neighbor, nearest neighbour, k neighbors, knn": ("nearest_neighbours",),
    "multilayer perceptron, mlp, realmlp, tabular deep learning": ("network",),
    "tf idf, tfidf, bag of words": ("word_linear",),
    "character n gram, char n gram": ("char_linear",),
    "naive bayes": ("naive_bayes",),
    "sentence embedding, sentence transformer, bert": ("embedding_head",),
    "transfer learning, pre trained, pretrained, efficientnet": ("backbone_head",),
    "convolutional neural network, cnn": ("small_network",),
    "histogram of oriented gradients, hog": ("hog_kernel", "hog_linear"),
    "exponential smoothing, holt winters, ets": ("exponential_smoothing",),
    "theta method, theta model": ("theta",),
    "forecast combination, combination of forecasts": ("combination",),
    "autoregression, autoregressive": ("ridge_lags",),
    "graph convolutional, gcn": ("gcn",),
    "personalized pagerank, appnp": ("appnp",),
    "label propagation": ("label_propagation",),
    "correct and smooth": ("correct_and_smooth",),
    "simple graph convolution, simplifying graph convolutional, sgc": ("sgc_linear",),
    "k means, kmeans": ("kmeans",),
    "gaussian mixture": ("gaussian_mixture",),
    "hdbscan, dbscan": ("hdbscan",),
    "spectral clustering": ("spectral",),
    "hierarchical clustering, agglomerative clustering": ("ward",),
}
"""Words, lower case and without hyphens -> candidates, in whichever families they are."""
STEPS: dict[str, tuple[str, ...]] = {
    "target encoding, mean encoding, target statistics": ("target_encoding",),
    "frequency encoding, count encoding": ("frequency_encoding",),
    "feature interaction, interaction terms": ("interactions",),
    "feature cross, crossed features": ("category_pairs",),
    "missing indicator, missingness indicator": ("missing_indicators",),
    "quantile transform": ("quantile_scale",),
    "log transformed target, log transformation of the target": ("log_target",),
    "spline": ("splines",),
    "winsorization, winsorizing": ("clip_outliers",),
    "class imbalance, imbalanced, oversampling": ("balance",),
}


def suggested(text: str, families: tuple[TaskFamily, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Models and steps of these families that the text speaks of, each once, in the order of the tables."""
    candidates = {name for family in families for name in family.candidates()} - {each.baseline for each in families}
    steps = {name for family in families for name in family.steps}
    words = f"{_plain(text)} {_plain(_apart(text))}"
    return _named(MODELS, words, candidates), _named(STEPS, words, steps)


def _named(table: dict[str, tuple[str, ...]], words: str, known: set[str]) -> tuple[str, ...]:
    found = [name for phrases, names in table.items() if _pattern(phrases).search(words) for name in names]
    return tuple(dict.fromkeys(name for name in found if name in known))


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower())


def _apart(text: str) -> str:
    """`ensemble.RandomForestClassifier` as words, as programs name their models."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)


@lru_cache(maxsize=128)
def _pattern(phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(phrases.split(', '))})s?\b")
