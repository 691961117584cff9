"""Metrics agree with scikit-learn where it defines a value, and are well-defined where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from automl_agent.errors import InputError
from automl_agent.tasks.metrics import CLASSIFICATION, REGRESSION, best_threshold, require_two_classes, score
from automl_agent.tasks.words.metric import named_metric, read_metric


def _labels(prediction, positive, threshold=None):
    if prediction.shape[1] > 2 or threshold is None:
        return prediction.argmax(axis=1)
    return np.where(prediction[:, positive] >= threshold, positive, 1 - positive)


BINARY = {
    "accuracy": lambda y, a, p, c: sk.accuracy_score(y, a),
    "balanced_accuracy": lambda y, a, p, c: sk.balanced_accuracy_score(y, a),
    "f1": lambda y, a, p, c: sk.f1_score(y, a, pos_label=c),
    "f1_macro": lambda y, a, p, c: sk.f1_score(y, a, average="macro"),
    "f1_micro": lambda y, a, p, c: sk.f1_score(y, a, average="micro"),
    "f1_weighted": lambda y, a, p, c: sk.f1_score(y, a, average="weighted"),
    "precision": lambda y, a, p, c: sk.precision_score(y, a, pos_label=c),
    "precision_macro": lambda y, a, p, c: sk.precision_score(y, a, average="macro"),
    "recall": lambda y, a, p, c: sk.recall_score(y, a, pos_label=c),
    "recall_macro": lambda y, a, p, c: sk.recall_score(y, a, average="macro"),
    "specificity": lambda y, a, p, c: sk.recall_score(y, a, pos_label=1 - c),
    "roc_auc": lambda y, a, p, c: sk.roc_auc_score(y == c, p[:, c]),
    "average_precision": lambda y, a, p, c: sk.average_precision_score(y == c, p[:, c]),
    "log_loss": lambda y, a, p, c: sk.log_loss(y, p),
    "brier": lambda y, a, p, c: sk.brier_score_loss(y == c, p[:, c]),
    "mcc": lambda y, a, p, c: sk.matthews_corrcoef(y, a),
    "kappa": lambda y, a, p, c: sk.cohen_kappa_score(y, a),
    "qwk": lambda y, a, p, c: sk.cohen_kappa_score(y, a, weights="quadratic"),
}
MULTI = BINARY | {
    "f1": lambda y, a, p, c: sk.f1_score(y, a, average="macro"),
    "precision": lambda y, a, p, c: sk.precision_score(y, a, average="macro"),
    "recall": lambda y, a, p, c: sk.recall_score(y, a, average="macro"),
    "specificity": lambda y, a, p, c: np.mean([sk.recall_score(y == k, a == k, pos_label=False) for k in range(4)]),
    "roc_auc": lambda y, a, p, c: sk.roc_auc_score(y, p, multi_class="ovr"),
    "average_precision": lambda y, a, p, c: sk.average_precision_score(np.eye(4)[y], p),
    "brier": lambda y, a, p, c: sk.brier_score_loss(y, p),
}
VALUES = {
    "rmse": sk.root_mean_squared_error,
    "mse": sk.mean_squared_error,
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
    "rmsle": lambda y, p: sk.root_mean_squared_log_error(y, np.maximum(p, 0)),
    "mape": sk.mean_absolute_percentage_error,
    "smape": lambda y, p: np.mean(2 * abs(y - p) / (abs(y) + abs(p))),
    "median_ae": sk.median_absolute_error,
    "max_error": sk.max_error,
    "explained_variance": sk.explained_variance_score,
    "poisson_deviance": lambda y, p: sk.mean_poisson_deviance(y, np.maximum(p, 1e-9)),
}


def _probabilities(rng, rows, classes):
    """Coarse, so that there are ties."""
    raw = rng.integers(1, 12, size=(rows, classes)).astype(float)
    return raw / raw.sum(axis=1, keepdims=True)


def test_the_tables_name_the_same_metrics():
    assert set(BINARY) == set(MULTI) == set(CLASSIFICATION)
    assert set(VALUES) == set(REGRESSION)
    synonyms = [word for spec in (*CLASSIFICATION.values(), *REGRESSION.values()) for word in spec.synonyms]
    assert len(synonyms) == len(set(synonyms)), "a synonym names two metrics"
    assert all(word == word.lower() for word in synonyms)


@pytest.mark.parametrize("metric", sorted(CLASSIFICATION))
@pytest.mark.parametrize("positive", [0, 1])
def test_binary_metrics_agree_with_scikit_learn(metric, positive):
    rng = np.random.default_rng(1)
    truth, prediction = rng.integers(0, 2, 300), _probabilities(rng, 300, 2)
    for threshold in (None, 0.3, 0.8):
        expected = BINARY[metric](truth, _labels(prediction, positive, threshold), prediction, positive)
        if threshold is None:  # two equal probabilities: scikit-learn has no say; argmax and ours take the first
            assert score(metric, truth, prediction, positive=positive) == pytest.approx(expected)
        assert score(metric, truth, prediction, positive=positive, threshold=threshold) == pytest.approx(expected)


@pytest.mark.parametrize("metric", sorted(CLASSIFICATION))
def test_multiclass_metrics_agree_with_scikit_learn(metric):
    rng = np.random.default_rng(2)
    truth, prediction = rng.integers(0, 4, 400), _probabilities(rng, 400, 4)
    answered = _labels(prediction, 1)
    expected = MULTI[metric](truth, answered, prediction, 1)
    assert score(metric, truth, prediction) == pytest.approx(expected)


@pytest.mark.parametrize("metric", sorted(REGRESSION))
def test_regression_metrics_agree_with_scikit_learn(metric):
    rng = np.random.default_rng(3)
    truth = rng.gamma(2.0, 3.0, 250)
    prediction = truth + rng.normal(0, 2, 250)
    assert score(metric, truth, prediction) == pytest.approx(VALUES[metric](truth, prediction))


@pytest.mark.parametrize("metric", sorted(CLASSIFICATION))
@pytest.mark.parametrize("classes", [2, 3])
def test_a_truth_of_one_class_gives_a_number_and_no_warning(metric, classes):
    prediction = _probabilities(np.random.default_rng(4), 20, classes)
    for code in range(classes):
        value = score(metric, np.full(20, code), prediction, positive=1)
        assert np.isfinite(value)
    assert score("roc_auc", np.zeros(20, dtype=int), prediction) == 0.5


@pytest.mark.parametrize("metric", sorted(REGRESSION))
def test_a_constant_truth_gives_a_number_and_no_warning(metric):
    truth = np.full(5, 3.0)
    assert np.isfinite(score(metric, truth, np.arange(5.0)))
    perfect = 1.0 if REGRESSION[metric].higher_is_better else 0.0
    assert score(metric, truth, truth) == pytest.approx(perfect)


def test_zero_targets_have_a_value():
    zeros = np.zeros(3)
    assert score("smape", zeros, zeros) == 0.0
    assert score("rmsle", zeros, np.full(3, -5.0)) == 0.0
    assert score("poisson_deviance", zeros, np.ones(3)) == pytest.approx(2.0)


@pytest.mark.parametrize("metric", ["rmsle", "poisson_deviance"])
def test_negative_targets_are_refused_where_the_metric_is_not_defined(metric):
    with pytest.raises(InputError, match="negative"):
        score(metric, np.array([-1.0, 2.0]), np.array([1.0, 2.0]))


def test_predictions_that_are_no_numbers_raise():
    with pytest.raises(ValueError, match="missing or infinite"):
        score("rmse", np.zeros(2), np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match="no rows"):
        score("rmse", np.zeros(0), np.zeros(0))
    with pytest.raises(KeyError):
        score("beauty", np.zeros(2, dtype=int), np.full((2, 2), 0.5))


def test_inflated_probabilities_bring_no_better_log_loss():
    truth, prediction = np.array([0, 1, 1]), np.array([[0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
    assert score("log_loss", truth, prediction * 2) == pytest.approx(score("log_loss", truth, prediction))


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1", "f1_macro", "f1_weighted", "mcc", "kappa"])
@pytest.mark.parametrize("positive", [0, 1])
def test_the_best_threshold_beats_every_other(metric, positive):
    rng = np.random.default_rng(5)
    hits = rng.random(200) < 0.2
    chance = np.round(np.clip(rng.normal(0.25 + 0.15 * hits, 0.12), 0.01, 0.99), 2)
    truth = np.where(hits, positive, 1 - positive)
    prediction = np.empty((200, 2))
    prediction[:, positive], prediction[:, 1 - positive] = chance, 1 - chance
    threshold = best_threshold(metric, truth, prediction, positive=positive)
    assert threshold is not None
    assert 0 < threshold < 1
    best = score(metric, truth, prediction, positive=positive, threshold=threshold)
    others = [score(metric, truth, prediction, positive=positive, threshold=cut) for cut in np.linspace(0, 1, 201)]
    assert best == pytest.approx(max(others))


def test_metrics_without_use_for_a_threshold_have_none():
    rng = np.random.default_rng(6)
    truth, two, three = rng.integers(0, 2, 50), _probabilities(rng, 50, 2), _probabilities(rng, 50, 3)
    for metric in ("roc_auc", "log_loss", "brier", "average_precision", "precision", "recall", "specificity"):
        assert best_threshold(metric, truth, two) is None
    assert best_threshold("f1", truth, three) is None
    assert best_threshold("f1", np.ones(50, dtype=int), two) is None
    assert best_threshold("rmse", np.zeros(3), np.zeros(3)) is None
    assert best_threshold("accuracy", truth, two) is None
    assert best_threshold("f1", np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]])) == pytest.approx(0.45)


# ---------------------------------------------------------------- names that hold numbers

TRUTH = np.array([1, 1, 0, 0, 0])
CHANCE = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
BOTH = np.column_stack([1 - CHANCE, CHANCE])


@pytest.mark.parametrize(
    ("metric", "value"),
    [("precision@1", 1.0), ("precision@2", (1 + 1 / 3) / 2), ("recall@40%", (1 + 1 / 3) / 2), ("recall@4", 1.0),
     ("precision@100", 2 / 5), ("recall@0.1%", 1 / 2)],
)  # fmt: skip
def test_rows_that_are_equally_likely_count_in_part_among_the_top(metric, value):
    assert score(metric, TRUTH, BOTH) == pytest.approx(value)
    assert score(metric, 1 - TRUTH, BOTH[:, ::-1], positive=0) == pytest.approx(value)


def test_costs_are_of_a_row_and_move_the_threshold():
    assert score("cost(10:1)", TRUTH, BOTH, threshold=0.7) == pytest.approx(10 / 5)
    assert score("cost(10:1)", TRUTH, BOTH, threshold=0.3) == pytest.approx(2 / 5)
    assert best_threshold("cost(10:1)", TRUTH, BOTH) < 0.5 < best_threshold("cost(1:10)", TRUTH, BOTH)
    rng = np.random.default_rng(0)
    chance = rng.uniform(size=4000)
    truth = (rng.uniform(size=4000) < chance).astype(int)
    fitted = best_threshold("cost(4:1)", truth, np.column_stack([1 - chance, chance]))
    assert fitted == pytest.approx(1 / 5, abs=0.06)  # alarm / (alarm + miss), as the chances are true


@pytest.mark.parametrize(
    ("words", "metric"),
    [
        ("Predict fraud. A missed fraud costs 50 times as much as a false alarm.", "cost(50:1)"),
        ("Predict churn; false negatives cost 10 and false positives 1.", "cost(10:1)"),
        ("A false positive is 5 times worse than a false negative.", "cost(1:5)"),
        ("Missing a defect costs 500 euros, a needless inspection 20 euros.", "cost(500:20)"),
        ("A false alarm costs $3, a miss costs $100.", "cost(100:3)"),
        ("A missed tumour is twice as bad as a false alarm.", "cost(2:1)"),
        ("Reach a precision among the top 100 of at least 0.8.", "precision@100"),
        ("We care about recall in the top 5 %.", "recall@5%"),
        ("Maximise precision@50.", "precision@50"),
        ("A precision at 0.9 is needed.", "precision"),
    ],
)
def test_costs_and_lists_are_read_from_words(words, metric):
    assert read_metric(words, CLASSIFICATION)[0] == metric
    assert read_metric(words, REGRESSION)[0] is None


def test_a_name_that_holds_numbers_is_known_where_there_are_classes():
    assert named_metric("Precision @ 5%", CLASSIFICATION) == "precision@5%"
    assert CLASSIFICATION["cost(10:1)"].higher_is_better is False
    assert "cost(10:1)" not in [*CLASSIFICATION]
    assert "precision@5" not in REGRESSION
    for wrong in ("cost(0:0)", "precision@0", "precision@2.5", "cost(1)"):
        with pytest.raises(InputError, match="There is no metric"):
            named_metric(wrong, CLASSIFICATION)
    with pytest.raises(InputError, match=r"for two classes, and here are 3: a, b, c"):
        require_two_classes("cost(2:1)", ("a", "b", "c"))
