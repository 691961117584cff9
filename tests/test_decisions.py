"""Answers among more than two classes: weights of classes and cuts of an order make a metric on labels better."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from automl_agent.search.estimates import cross_fitted_answers
from automl_agent.tasks.measures import answers
from automl_agent.tasks.metrics import best_decision, best_threshold, score
from automl_agent.tasks.registry import get_family


def sample(rows: int = 6000, noise: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Truth and true probabilities: four ordered classes, the outer ones rare, seen through noise."""
    rng = np.random.default_rng(0)
    shares = np.array([0.08, 0.6, 0.27, 0.05])
    truth = rng.choice(4, rows, p=shares)
    seen = truth + rng.normal(0, noise, rows)
    likelihood = np.exp(-((seen[:, None] - np.arange(4)) ** 2) / (2 * noise**2)) * shares
    return truth, likelihood / likelihood.sum(axis=1, keepdims=True)


TRUTH, CHANCES = sample()
FIT, CHECK = slice(0, 3000), slice(3000, None)


@pytest.mark.parametrize("metric", ["f1_macro", "balanced_accuracy", "kappa"])
def test_weights_of_the_classes_make_new_rows_better(metric: str) -> None:
    weights = best_decision(metric, TRUTH[FIT], CHANCES[FIT])
    assert weights is not None and len(weights) == 4
    plain = score(metric, TRUTH[CHECK], CHANCES[CHECK])
    assert score(metric, TRUTH[CHECK], CHANCES[CHECK], threshold=weights) > plain


def test_for_balanced_accuracy_the_weights_are_near_the_inverse_shares() -> None:
    weights = best_decision("balanced_accuracy", TRUTH, CHANCES)
    inverse = len(TRUTH) / np.bincount(TRUTH)
    assert np.corrcoef(np.log(weights), np.log(inverse))[0, 1] > 0.95


def test_cuts_are_better_than_halfway_where_signal_is_weak() -> None:
    fitted = best_decision("qwk", TRUTH[FIT], CHANCES[FIT])
    assert fitted is not None and list(fitted) == sorted(fitted) and len(fitted) == 3
    usual = best_threshold("qwk", TRUTH[FIT], CHANCES[FIT])
    assert usual == (0.5, 1.5, 2.5)
    by_cuts = score("qwk", TRUTH[CHECK], CHANCES[CHECK], threshold=fitted)
    assert by_cuts > score("qwk", TRUTH[CHECK], CHANCES[CHECK], threshold=usual) + 0.02
    assert by_cuts > score("qwk", TRUTH[CHECK], CHANCES[CHECK]) + 0.02
    answered = answers(CHANCES[CHECK], 1, fitted)
    assert by_cuts == pytest.approx(sk.cohen_kappa_score(TRUTH[CHECK], answered, weights="quadratic"))


def test_answers_by_number() -> None:
    chances = np.array([[0.5, 0.4, 0.1], [0.1, 0.2, 0.7]])
    assert answers(chances, 1, None).tolist() == [0, 2]
    assert answers(chances, 1, (1.0, 2.0, 0.1)).tolist() == [1, 1]
    assert answers(chances, 1, (0.5, 1.7)).tolist() == [1, 1]
    assert answers(chances, 1, (0.6, 1.6)).tolist() == [0, 1]  # on the cut: the lower one


def test_what_is_not_helped_has_no_decision() -> None:
    assert best_decision("accuracy", TRUTH, CHANCES) is None
    assert best_decision("log_loss", TRUTH, CHANCES) is None
    assert best_decision("f1_macro", np.minimum(TRUTH, 2), CHANCES) is None  # a class is missing
    assert best_decision("f1", TRUTH % 2, CHANCES[:, :2]) is None


def test_an_estimate_is_cross_fitted() -> None:
    """On noise, a decision that was fitted elsewhere brings nothing."""
    rng = np.random.default_rng(1)
    truth, chances = rng.integers(0, 5, 150), rng.dirichlet(np.ones(5), 150)
    folds = np.arange(150) % 5
    answered = cross_fitted_answers(get_family("tabular_classification"), "f1_macro", truth, chances, folds)
    assert answered is not None and (answered.sum(axis=1) == 1).all()
    inside = score("f1_macro", truth, chances, threshold=best_decision("f1_macro", truth, chances))
    assert score("f1_macro", truth, answered) < inside - 0.05
