"""The metrics that a bundle can be scored in, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import metrics as m


def score(solution: dict[str, Any], truth: np.ndarray, prediction: np.ndarray) -> float | None:
    """The solution's metric of probabilities (rows, classes) or values (rows,); `None` for a metric unknown here."""
    if solution["kind"] != "classification":
        value = VALUES.get(solution["metric"])
        return None if value is None else float(value(truth, prediction))
    classes, positive = solution["classes"], solution.get("positive")
    code = classes.index(positive) if positive in classes else len(classes) - 1
    name = solution["metric"]
    if name in PROBABILITIES:
        return float(PROBABILITIES[name](truth, prediction, code))
    labels = prediction.argmax(axis=1)
    if solution.get("threshold") is not None and len(classes) == 2:
        labels = np.where(prediction[:, code] >= solution["threshold"], code, 1 - code)
    return float(LABELS[name](truth, labels, len(classes), code)) if name in LABELS else None


def _averaged(function: Callable[..., float], average: str | None = None) -> Callable[..., float]:
    """Of the positive class for two classes, the mean over classes for more, unless `average` says otherwise."""

    def value(truth: np.ndarray, labels: np.ndarray, classes: int, code: int) -> float:
        if average is None and classes == 2:
            return float(function(truth == code, labels == code, zero_division=0))
        every = list(range(classes))
        return float(function(truth, labels, labels=every, average=average or "macro", zero_division=0))

    return value


def _specificity(truth: np.ndarray, labels: np.ndarray, classes: int, code: int) -> float:
    codes = [code] if classes == 2 else range(classes)
    rest = [(truth != c, labels != c) for c in codes]
    return float(np.mean([(found & true).sum() / max(1, true.sum()) for true, found in rest]))


def _one_hot(truth: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[truth]


def _roc_auc(truth: np.ndarray, p: np.ndarray, code: int) -> float:
    if p.shape[1] == 2:
        return float(m.roc_auc_score(truth == code, p[:, code]))
    return float(m.roc_auc_score(_one_hot(truth, p.shape[1]), p, average="macro"))


def _average_precision(truth: np.ndarray, p: np.ndarray, code: int) -> float:
    if p.shape[1] == 2:
        return float(m.average_precision_score(truth == code, p[:, code]))
    return float(m.average_precision_score(_one_hot(truth, p.shape[1]), p, average="macro"))


def _log_loss(truth: np.ndarray, p: np.ndarray, _: int) -> float:
    p = np.clip(p, 1e-15, 1)
    return float(m.log_loss(truth, p / p.sum(axis=1, keepdims=True), labels=list(range(p.shape[1]))))


def _brier(truth: np.ndarray, p: np.ndarray, code: int) -> float:
    if p.shape[1] == 2:
        return float(np.mean((p[:, code] - (truth == code)) ** 2))
    return float(np.mean(((p - _one_hot(truth, p.shape[1])) ** 2).sum(axis=1)))


PROBABILITIES: dict[str, Callable[..., float]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
}

LABELS: dict[str, Callable[..., float]] = {
    "accuracy": lambda t, y, *_: m.accuracy_score(t, y),
    "balanced_accuracy": lambda t, y, *_: m.balanced_accuracy_score(t, y),
    "mcc": lambda t, y, *_: m.matthews_corrcoef(t, y),
    "kappa": lambda t, y, *_: m.cohen_kappa_score(t, y),
    "specificity": _specificity,
    "f1": _averaged(m.f1_score),
    "f1_macro": _averaged(m.f1_score, "macro"),
    "f1_micro": _averaged(m.f1_score, "micro"),
    "f1_weighted": _averaged(m.f1_score, "weighted"),
    "precision": _averaged(m.precision_score),
    "precision_macro": _averaged(m.precision_score, "macro"),
    "recall": _averaged(m.recall_score),
    "recall_macro": _averaged(m.recall_score, "macro"),
}

VALUES: dict[str, Callable[..., float]] = {
    "rmse": m.root_mean_squared_error,
    "mse": m.mean_squared_error,
    "mae": m.mean_absolute_error,
    "r2": m.r2_score,
    "rmsle": lambda t, y: m.root_mean_squared_error(np.log1p(t), np.log1p(np.maximum(y, 0))),
    "mape": m.mean_absolute_percentage_error,
    "smape": lambda t, y: np.mean(2 * np.abs(y - t) / np.maximum(np.abs(t) + np.abs(y), 1e-12)),
    "median_ae": m.median_absolute_error,
    "max_error": m.max_error,
    "explained_variance": m.explained_variance_score,
    "poisson_deviance": lambda t, y: m.mean_poisson_deviance(t, np.maximum(y, 1e-9)),
}
