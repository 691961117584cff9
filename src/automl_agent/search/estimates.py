"""Honest estimates from out-of-fold predictions: what a metric is worth when its threshold was fitted elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_agent.tasks.family import TaskFamily, loss

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from automl_agent.tasks.measures import Threshold

    Array = npt.NDArray[np.float64]


TEMPERATURES = 2.0
"""Temperatures lie within this power of two, and its inverse."""
MAX_CELLS = 200_000
"""Probabilities (rows times classes) that a temperature is fitted on; of more rows an even part."""
_FEW_ROUNDS = 50
"""Samples that a standard error can be told from (Efron & Tibshirani 1993, section 6.4)."""


def recentre(probabilities: Array, threshold: float, positive: int) -> Array:
    """Shift binary probabilities in log-odds so that `threshold` becomes 0.5.

    Rows that were decided with different thresholds can then be scored together.
    """
    import numpy as np

    threshold = min(max(threshold, 1e-6), 1 - 1e-6)
    p = probabilities[:, positive]
    odds = (1 - threshold) / threshold
    shifted = p * odds / (p * odds + (1 - p))
    result = np.empty_like(probabilities)
    result[:, positive] = shifted
    result[:, 1 - positive] = 1 - shifted
    return result


def best_temperature(family: TaskFamily, truth: Any, prediction: Array, *, averaged: bool = False) -> float:
    """The temperature at which probabilities have the least log loss (Guo et al. 2017, "On calibration of modern neural
    networks"); 1 where they are none.

    Args:
        averaged: whether several models' mean ships for what one has predicted here. It is more cautious than each of
            them, so that only temperatures up to 1 are looked at.
    """
    from scipy.optimize import minimize_scalar

    from automl_agent.tasks.measures import tempered

    if prediction.ndim != 2 or "log_loss" not in family.metrics or not family.pooled:
        return 1.0
    step = max(1, prediction.size // MAX_CELLS)
    truth, prediction = truth[::step], prediction[::step]
    found = minimize_scalar(
        lambda power: family.score("log_loss", truth, tempered(prediction, float(2.0**power))),
        bounds=(-TEMPERATURES, 0.0 if averaged else TEMPERATURES),
        method="bounded",
        options={"xatol": 0.01, "maxiter": 30},
    )
    return float(2.0**found.x)


def calibrated(
    family: TaskFamily, truth: Any, prediction: Array, folds: Any, *, averaged: bool = False
) -> tuple[Array, float]:
    """Out-of-fold predictions, each fold's at the temperature that is best for the others, and that of all: what would
    ship. As they are, and 1, where the log loss is no better for it."""
    import numpy as np

    from automl_agent.tasks.measures import tempered

    names = np.unique(folds)
    temperature = best_temperature(family, truth, prediction, averaged=averaged)
    if temperature == 1.0 or len(names) < 2:
        return prediction, 1.0
    found = np.empty_like(prediction)
    for name in names:
        inside = folds == name
        others = best_temperature(family, truth[~inside], prediction[~inside], averaged=averaged)
        found[inside] = tempered(prediction[inside], others)
    if family.score("log_loss", truth, found) >= family.score("log_loss", truth, prediction):
        return prediction, 1.0
    return found, temperature


def cross_fitted(
    family: TaskFamily, metric: str, truth: Any, prediction: Array, folds: Any, positive: int | None
) -> tuple[float, Threshold]:
    """Score out-of-fold predictions; a threshold of two classes is fitted on the other folds for each fold.

    Returns the score, and the threshold fitted on all rows (what would ship), or `None` where the metric needs none.
    """
    import numpy as np

    names = np.unique(folds)
    if not family.pooled:
        parts = [folds == name for name in names]
        return float(np.mean([family.score(metric, truth[part], prediction[part]) for part in parts])), None
    final = family.threshold(metric, truth, prediction, positive=positive)
    if not isinstance(final, float) or len(names) < 2 or positive is None:
        return family.score(metric, truth, prediction, positive=positive, threshold=final), final
    shifted = prediction.copy()
    for name in names:
        inside = folds == name
        fitted = family.threshold(metric, truth[~inside], prediction[~inside], positive=positive)
        shifted[inside] = recentre(prediction[inside], fitted if isinstance(fitted, float) else 0.5, positive)
    return family.score(metric, truth, shifted, positive=positive, threshold=0.5), final


def cross_fitted_answers(family: TaskFamily, metric: str, truth: Any, prediction: Array, folds: Any) -> Array | None:
    """Answers of more than two classes, each fold's taken by a decision that was fitted on the other folds.

    Returns one-hot rows (rows, classes), which score as what they answer; `None` where the metric has no decision.
    """
    import numpy as np

    from automl_agent.tasks.measures import answers

    names = np.unique(folds)
    if not family.pooled or len(names) < 2 or prediction.ndim != 2 or prediction.shape[1] < 3:
        return None
    codes = np.empty(len(truth), dtype=np.int64)
    for name in names:
        inside = folds == name
        fitted = family.decision(metric, truth[~inside], prediction[~inside])
        if fitted is None:
            return None
        codes[inside] = answers(prediction[inside], 1, fitted)
    return np.eye(prediction.shape[1])[codes]


def tie_break(family: TaskFamily, metric: str, truth: Any, prediction: Array, positive: int | None) -> float:
    """Loss of the metric's smoother companion, which ranks predictions of equal score; 0 where there is none."""
    smooth = family.metrics[metric].tie_break
    if not smooth:
        return 0.0
    return float(loss(family.metrics[smooth], family.score(smooth, truth, prediction, positive=positive)))


def bootstrap_interval(
    family: TaskFamily,
    metric: str,
    truth: Any,
    prediction: Array,
    *,
    positive: int | None,
    threshold: Threshold,
    seed: int,
    rounds: int = 200,
    max_rows: int = 20_000,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the metric over rows (Efron & Tibshirani 1993, chapter 13).

    More than `max_rows` rows are thinned; the interval is then scaled by the square root of the share. A perfect score
    has no spread to draw from: there the rule of three gives the other end, 3 / rows away (Hanley & Lippman-Hand 1983).
    Metrics that compare rows with each other (of a family that is not `pooled`) are slow: of them, few samples give the
    standard error, and that the interval (chapters 6 and 12).
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    n = len(truth)
    size = min(n, max_rows)
    centre = family.score(metric, truth, prediction, positive=positive, threshold=threshold)
    scores = []
    for _ in range(rounds if family.pooled else _FEW_ROUNDS):
        rows = rng.integers(0, n, size)
        scores.append(family.score(metric, truth[rows], prediction[rows], positive=positive, threshold=threshold))
    low, high = np.quantile(scores, [0.025, 0.975])
    if low == high == family.metrics[metric].high:
        return float(high - 3 / n), float(high)
    shrink = (size / n) ** 0.5
    if not family.pooled:
        half = 1.96 * float(np.std(scores)) * shrink
        return float(centre - half), float(centre + half)
    return float(centre + (low - centre) * shrink), float(centre + (high - centre) * shrink)
