"""The metrics of classification and regression: what they are called, how they are computed, which threshold is best.

The formulas are in `measures.py`, in plain numpy: ensemble selection computes a score thousands of times. They agree
with scikit-learn's wherever that defines a value; where it does not (one class only, a constant target), the docstrings
say what is returned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from automl_agent.errors import InputError
from automl_agent.tasks.family import MetricSpec
from automl_agent.tasks.words.scales import in_order

if TYPE_CHECKING:
    import numpy.typing as npt

    from automl_agent.tasks.measures import Threshold

    Array = npt.NDArray[Any]


def _class(name: str, title: str, *synonyms: str, low: float = 0.0, high: float | None = 1.0, better: bool = True,
           needs: Literal["labels", "probabilities"] = "labels") -> MetricSpec:  # fmt: skip
    return MetricSpec(name, title, better, synonyms, needs, low, high, "log_loss" if needs == "labels" else "")


def _value(name: str, title: str, *synonyms: str, low: float | None = 0.0, high: float | None = None,
           better: bool = False) -> MetricSpec:  # fmt: skip
    return MetricSpec(name, title, better, synonyms, "values", low, high)


_CLASSIFICATION = (
    _class("accuracy", "Accuracy", "accuracy score", "acc", "hit rate", "share of correct predictions",
           "percent correct", "percentage correct", "correct classification rate", "genauigkeit", "exactitude",
           "exactitud", "precision globale"),
    _class("balanced_accuracy", "Balanced accuracy", "bal acc", "bacc", "mean recall", "average class accuracy",
           "mean per class accuracy", "mean class accuracy", "class averaged accuracy"),
    _class("f1", "F1", "f1 score", "f 1", "f score", "f measure", "f1 measure", "f1 metric", "dice",
           "harmonic mean of precision and recall", "binary f1"),
    _class("f1_macro", "Macro F1", "macro averaged f1", "macro average f1", "macro f score", "macro f1 score",
           "f1 score macro", "unweighted f1", "mean f1", "average f1"),
    _class("f1_micro", "Micro F1", "micro averaged f1", "micro average f1", "micro f score", "micro f1 score"),
    _class("f1_weighted", "Weighted F1", "weighted f1 score", "weighted average f1", "support weighted f1",
           "weighted f score"),
    _class("precision", "Precision", "precision score", "positive predictive value", "ppv"),
    _class("precision_macro", "Macro precision", "macro averaged precision", "mean precision",
           "macro average precision"),
    _class("recall", "Recall", "recall score", "sensitivity", "true positive rate", "tpr", "detection rate"),
    _class("recall_macro", "Macro recall", "macro averaged recall", "macro average recall"),
    _class("specificity", "Specificity", "true negative rate", "tnr", "selectivity"),
    _class("roc_auc", "Area under the ROC curve", "auc", "roc", "auroc", "auc roc", "auc score", "roc auc score",
           "c statistic", "c index", "area under curve", "area under the curve", "area under roc curve",
           "area under the roc", "area under the receiver operating characteristic",
           "area under the receiver operating characteristic curve", needs="probabilities"),
    _class("average_precision", "Average precision", "pr auc", "auc pr", "auprc", "aucpr", "prauc",
           "average precision score", "area under the precision recall curve", "area under precision recall curve",
           "precision recall auc", needs="probabilities"),
    _class("log_loss", "Log loss", "logloss", "logarithmic loss", "cross entropy", "crossentropy", "cross entropy loss",
           "binary cross entropy", "categorical cross entropy", "negative log likelihood", "nll", "multi logloss",
           "binary logloss", high=None, better=False, needs="probabilities"),
    _class("brier", "Brier score", "brier", "brier loss", "brier score loss", high=2.0, better=False,
           needs="probabilities"),
    _class("mcc", "Matthews correlation coefficient", "matthews", "matthews correlation", "matthews corrcoef",
           "phi coefficient", low=-1.0),
    _class("kappa", "Cohen's kappa", "cohen kappa", "cohens kappa", "cohen s kappa", "kappa score",
           "unweighted kappa", low=-1.0),
    _class("qwk", "Quadratic weighted kappa", "quadratic kappa", "quadratically weighted kappa", "weighted kappa",
           "kappa with quadratic weights", "quadratic weighted cohen s kappa", "quadratic weighted cohen kappa",
           "cohen s kappa with quadratic weights", "cohen kappa with quadratic weights", low=-1.0),
)  # fmt: skip

_REGRESSION = (
    _value("rmse", "Root mean squared error", "root mean square error", "root of the mean squared error", "rms error",
           "root mse", "rmsd", "root mean square deviation"),
    _value("mse", "Mean squared error", "mean square error", "squared error", "l2 loss", "squared loss", "l2",
           "quadratic loss", "least squares"),
    _value("mae", "Mean absolute error", "absolute error", "mean absolute deviation", "average absolute error",
           "l1 loss", "l1", "absolute loss"),
    _value("r2", "R squared", "r 2", "rsquared", "r2 score", "coefficient of determination", "rsq", low=None, high=1.0,
           better=True),
    _value("rmsle", "Root mean squared logarithmic error", "root mean squared log error", "root mean square log error",
           "root mean square logarithmic error", "rms log error", "log rmse"),
    _value("mape", "Mean absolute percentage error", "absolute percentage error", "mean percentage error",
           "percentage error", "percent error", "relative error", "mean absolute percent error"),
    _value("smape", "Symmetric mean absolute percentage error", "symmetric mape", "symmetric percentage error",
           "symmetric mean absolute percent error", high=2.0),
    _value("median_ae", "Median absolute error", "medae", "median error", "median ae", "mdae"),
    _value("max_error", "Largest error", "maximum error", "max error", "worst error", "worst case error",
           "maximal error", "maximum absolute error", "biggest error"),
    _value("explained_variance", "Explained variance", "explained variance score", "variance explained",
           "share of variance explained", low=None, high=1.0, better=True),
    _value("poisson_deviance", "Mean Poisson deviance", "poisson loss", "poisson deviance", "mean poisson deviance",
           "poisson"),
)  # fmt: skip


class Metrics(dict[str, MetricSpec]):
    """Metrics by name. Those of classification know names that hold numbers, too, though they do not list them:
    `precision@100`, `recall@5%`, `cost(10:1)`."""

    @property
    def forms(self) -> tuple[str, ...]:
        """How names that hold numbers are written."""
        return ("precision@K", "recall@K (K rows, or K%)", "cost(MISS:FALSE_ALARM)") if "precision" in self else ()

    def __missing__(self, name: str) -> MetricSpec:
        spec = _numbered(name) if self.forms else None
        if spec is None:
            raise KeyError(name)
        return spec

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name) or name == "precision":
            return super().__contains__(name)
        return bool(self.forms) and _numbered(str(name)) is not None

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401  (this is `get`)


_TOP = re.compile(r"(precision|recall)@(?:(\d+)|(\d*\.?\d+)%)")
_COST = re.compile(r"cost\((\d+(?:\.\d+)?):(\d+(?:\.\d+)?)\)")


def _numbered(name: str) -> MetricSpec | None:
    """What a name that holds numbers means."""
    if (top := _TOP.fullmatch(name)) and float(top[2] or top[3]) > 0:
        among = f"{top[2]} likeliest rows" if top[2] else f"likeliest {top[3]} % of the rows"
        return MetricSpec(name, f"{top[1].capitalize()} among the {among}", True, (), "probabilities", 0.0, 1.0,
                          "log_loss")  # fmt: skip
    if (cost := _COST.fullmatch(name)) and float(cost[1]) + float(cost[2]) > 0:
        title = f"Cost per row (a missed positive {cost[1]}, a false alarm {cost[2]})"
        return MetricSpec(name, title, False, (), "labels", 0.0, None, "log_loss")
    return None


def require_two_classes(metric: str, classes: tuple[str, ...]) -> None:
    """Refuse costs of errors and scores of the likeliest rows where it is not one class against another.

    Raises:
        InputError: names the metric and the classes.
    """
    if _numbered(metric) and len(classes) != 2:
        named = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
        raise InputError(
            f"The metric {metric!r} is for two classes, and here are {len(classes)}: {named}.",
            hint="Use f1_macro, balanced_accuracy or log_loss, or a target with two classes.",
        )


def require_order(metric: str, classes: tuple[str, ...], ranked: bool) -> None:
    """Refuse a metric of ordered classes where no order is known.

    Args:
        ranked: whether the classes stand in an order that was given or recognised.

    Raises:
        InputError: names the classes, and how to give their order.
    """
    if metric == "qwk" and len(classes) > 2 and not ranked and not in_order(classes):
        named = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
        raise InputError(
            f"The metric 'qwk' is for classes with an order, and that of these is not known: {named}.",
            hint="Give it (for tables and texts: --set order=LOW,MEDIUM,HIGH), or use kappa, which needs none.",
        )


def require_weighable(metric: str) -> None:
    """Refuse a metric of classification or regression that has no form in which rows count differently.

    Raises:
        InputError: names the metric and those that have one.
    """
    from automl_agent.tasks import measures

    if measures.known(metric) and not measures.weighable(metric):
        others = [name for table in (CLASSIFICATION, REGRESSION) if metric in table for name in table]
        raise InputError(
            f"The metric {metric!r} has no form in which rows count differently, and here they do (--weight).",
            hint=f"Use one of {', '.join(filter(measures.weighable, others))}, or do not weight the rows.",
        )


CLASSIFICATION = Metrics((spec.name, spec) for spec in _CLASSIFICATION)
"""Metrics of classification by name. With two classes `f1`, `precision`, `recall`, `average_precision` and
`specificity` are of the positive class; with more they are means over the classes."""

REGRESSION = Metrics((spec.name, spec) for spec in _REGRESSION)
"""Metrics of regression by name. `mape` and `smape` are shares: 0.1 means 10 %."""

_TUNABLE = ("balanced_accuracy", "f1", "f1_macro", "f1_weighted", "mcc", "kappa", "qwk")
"""Metrics that a threshold can improve. Precision, recall and specificity alone would drive it to an end; for accuracy
0.5 is best where probabilities mean what they say, and a fitted one follows the noise of few rows."""


_MANY = ("balanced_accuracy", "f1", "f1_macro", "f1_weighted", "recall_macro", "kappa")
"""Metrics of more than two classes that weights of the classes can improve."""


def score(metric: str, truth: Array, prediction: Array, *, positive: int | None = None,
          threshold: Threshold = None, weights: Array | None = None) -> float:  # fmt: skip
    """The metric's value.

    Args:
        metric: a name of `CLASSIFICATION` or `REGRESSION`.
        truth: class codes (rows,) or values (rows,).
        prediction: probabilities (rows, classes), or values (rows,).
        positive: code of the positive class of a binary task; 1 when not given.
        threshold: for metrics on labels, see `measures.answers`; without it the likeliest class is answered.
        weights: what each row counts, above 0 (rows,); all the same where it is left out.

    Raises:
        KeyError: when there is no such metric.
        ValueError: when there are no rows, or a prediction is missing or infinite.
        InputError: when the metric is not defined on these targets (RMSLE, Poisson deviance of negative values; costs
            and the top rows where there are more than two classes), or has no weighted form.
    """
    from automl_agent.tasks import measures

    try:
        return measures.score(metric, truth, prediction, 1 if positive is None else positive, threshold, weights)
    except measures.UndefinedMetric as error:
        raise InputError(str(error), hint="Use f1_macro." if "classes" in str(error) else "Use rmse.") from error


def best_threshold(metric: str, truth: Array, prediction: Array, *, positive: int | None = None,
                   weights: Array | None = None) -> Threshold:  # fmt: skip
    """The threshold with the best score; of equally good ones the nearest to 0.5, or for costs to the one that is best
    for probabilities that mean what they say: alarm / (alarm + miss).

    Every cut between two different probabilities is tried at once. `None` for metrics that have no use for a threshold,
    for a truth of one class, and for more than two classes; but `qwk` of these has cuts halfway between the classes.

    Args:
        metric: a name of `CLASSIFICATION` or `REGRESSION`.
        truth: class codes (rows,).
        prediction: probabilities (rows, classes).
        positive: code of the positive class; 1 when not given.
        weights: what each row counts (rows,).
    """
    import numpy as np

    from automl_agent.tasks import decisions, measures

    prices = measures.costs(metric)
    if (metric not in _TUNABLE and prices is None) or prediction.ndim != 2:
        return None
    if prediction.shape[1] != 2:
        return decisions.usual_cuts(prediction.shape[1]) if metric == "qwk" else None
    code = 1 if positive is None else positive
    hits = truth == code
    if hits.all() or not hits.any():
        return None
    cuts, tables = measures.cuts(hits, prediction[:, code], weights)
    formula = measures.on_labels(metric)
    assert formula is not None
    scores = formula(tables, 1) * (1 if prices is None else -1)
    winners = np.flatnonzero(scores >= scores.max() - 1e-12)
    usual = 0.5 if prices is None else prices[1] / sum(prices)
    return float(cuts[winners[np.abs(cuts[winners] - usual).argmin()]])


def best_decision(metric: str, truth: Array, prediction: Array, *, weights: Array | None = None
                  ) -> tuple[float, ...] | None:  # fmt: skip
    """Of more than two classes, the numbers by which answers are best for the metric (`decisions.py`); it takes longer
    than a threshold, and few rows of a class make it worse than none: use it where the score is cross-fitted.

    `None` for two classes, for very many, for metrics without use for it and where a class does not occur.
    """
    import numpy as np

    from automl_agent.tasks import decisions, measures

    if metric not in (*_MANY, "qwk") or prediction.ndim != 2 or not 2 < prediction.shape[1] <= decisions.MAX_CLASSES:
        return None
    formula = measures.on_labels(metric)
    if formula is None or len(np.unique(truth)) < prediction.shape[1]:
        return None
    return (decisions.cuts if metric == "qwk" else decisions.class_weights)(formula, truth, prediction, weights)
