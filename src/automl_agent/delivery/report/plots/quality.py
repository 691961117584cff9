"""Plots of the delivered model: its score on the test, where it errs, what it looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_agent.delivery.report.plots import canvas
from automl_agent.delivery.words import number, percent, short, title
from automl_agent.records import Grade
from automl_agent.tasks.family import MetricSpec

Array = npt.NDArray[Any]

_POINTS = 700
"""More points than these are thinned out: they would not be told apart."""
_CLASSES = 10


def score(grade: Grade, metric: MetricSpec, required: float | None) -> str:
    """The test score with its interval, between the baseline and the required level."""
    ends = [grade.score, grade.baseline, *grade.interval, *([required] if required is not None else [])]
    if not np.isfinite(ends).all():
        return ""
    low, high = min(ends), max(ends)
    pad = (high - low) * 0.14 or abs(high) * 0.1 or 1.0
    axes = canvas.chart(112, left=8, right=10, top=2, bottom=24)
    axes.set(xlim=(low - pad, high + pad), ylim=(-1, 1), yticks=[])
    axes.plot(grade.interval, [0, 0], color=canvas.SOFT, linewidth=16, solid_capstyle="butt", zorder=1)
    axes.plot([grade.baseline], [0], "o", markersize=8, markerfacecolor=canvas.PAPER, markeredgecolor=canvas.MUTED,
              markeredgewidth=1.6)  # fmt: skip
    axes.plot([grade.score], [0], "o", markersize=11, color=canvas.ACCENT, markeredgewidth=0, zorder=4)
    canvas.label(axes, grade.baseline, 0, f"baseline {number(grade.baseline)}", y_shift=-18,
                 **_inside(grade.baseline, low, high), color=canvas.MUTED)  # fmt: skip
    canvas.label(axes, grade.score, 0, f"test {number(grade.score)}", y_shift=22, fontsize=13.5, fontweight="bold",
                 **_inside(grade.score, low, high))  # fmt: skip
    if required is not None:
        axes.plot([required, required], [-0.45, 0.32], color=canvas.WARN, linewidth=1.6, linestyle=(0, (4, 2)))
        canvas.label(axes, required, 0, f"required {number(required)}", y_shift=-31, color=canvas.WARN,
                     **_inside(required, low, high))  # fmt: skip
    told = (
        f"{metric.title} on the test: {number(grade.score)}, 95 % interval {number(grade.interval[0])} to "
        f"{number(grade.interval[1])}; baseline {number(grade.baseline)}"
    )
    return canvas.svg(axes, "score", told + (f"; required {number(required)}." if required is not None else "."))


def confusion(truth: Array, predicted: Array, classes: Sequence[str]) -> str:
    """Counts of true classes (rows) against answers (columns), shaded by the share of the row."""
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (truth.astype(int), predicted.astype(int)), 1)
    labels = [short(label, 14) for label in classes]
    if len(classes) > _CLASSES:  # the most frequent classes, and all others as one
        kept = np.argsort(-counts.sum(axis=1), kind="stable")[: _CLASSES - 1]
        group = np.full(len(classes), _CLASSES - 1)
        group[kept] = np.arange(len(kept))
        folded = np.zeros((_CLASSES, _CLASSES), dtype=int)
        np.add.at(folded, (group[:, None], group[None, :]), counts)
        counts, labels = folded, [labels[index] for index in kept] + ["others"]
    cell = 78 if len(labels) <= 4 else 44
    left = max(canvas.width_of(label) for label in labels) + 18
    size = cell * len(labels)
    axes = canvas.chart(size + 56, width=round(size + left + 14), left=left, right=14, top=50, bottom=6)
    axes.spines["bottom"].set_visible(False)
    axes.set(xlim=(0, len(labels)), ylim=(len(labels), 0), xticks=[], yticks=[])
    _cells(axes, counts, labels, roomy=cell > 50)
    told = "; ".join(
        f"of {number(int(line.sum()))} true {label}, {number(int(line[place]))} right"
        for place, (label, line) in enumerate(zip(labels, counts, strict=True))
    )
    return canvas.svg(axes, "confusion", f"Confusion matrix: {told}.")


def _cells(axes: Any, counts: Array, labels: Sequence[str], *, roomy: bool) -> None:
    from matplotlib.patches import Rectangle

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for (row, column), share in np.ndenumerate(shares):
        right = row == column
        axes.add_patch(
            Rectangle((column + 0.02, row + 0.02), 0.96, 0.96, facecolor=canvas.LINE, linewidth=0, alpha=0.5)
        )
        axes.add_patch(Rectangle((column + 0.02, row + 0.02), 0.96, 0.96, linewidth=0, alpha=float(0.9 * share),
                                 facecolor=canvas.ACCENT if right else canvas.WARN))  # fmt: skip
        ink = canvas.PAPER if share > 0.55 else canvas.INK
        canvas.label(axes, column + 0.5, row + 0.5, number(int(counts[row, column])), ha="center", color=ink,
                     y_shift=7 if roomy else 0, fontsize=16 if roomy else canvas.TEXT)  # fmt: skip
        if roomy:
            canvas.label(axes, column + 0.5, row + 0.5, percent(float(share)), ha="center", y_shift=-13, color=ink)
    room = 10 if roomy else 5
    for place, name in enumerate(labels):
        canvas.label(axes, 0, place + 0.5, name, x_shift=-8, ha="right")
        canvas.label(axes, place + 0.5, 0, short(name, room), y_shift=11, ha="center")
    canvas.label(axes, len(labels), 0, "predicted", y_shift=34, ha="right", color=canvas.MUTED)
    canvas.label(axes, 0, 0, "true", x_shift=-8, y_shift=11, ha="right", color=canvas.MUTED)


def predicted_against_actual(truth: Array, predicted: Array, name: str) -> str:
    axes = canvas.chart(320, left=52, right=16, top=28, bottom=44)
    canvas.grid(axes, "both")
    shown = _thin(len(truth))
    ends = (float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max())))
    axes.plot(ends, ends, color=canvas.MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    _points(axes, truth[shown], predicted[shown])
    canvas.names(axes, f"actual {short(name)}", "predicted")
    together = float(np.corrcoef(truth, predicted)[0, 1]) if np.std(truth) and np.std(predicted) else 0.0
    told = f"Predicted against actual values of {len(truth)} test rows; correlation {number(together, 3)}."
    return canvas.svg(axes, "actual", told)


def residuals(truth: Array, predicted: Array) -> str:
    errors = truth - predicted
    axes = canvas.chart(320, left=52, right=16, top=28, bottom=44)
    canvas.grid(axes)
    shown = _thin(len(truth))
    axes.axhline(0, color=canvas.MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    _points(axes, predicted[shown], errors[shown])
    canvas.names(axes, "predicted", "actual − predicted")
    low, middle, high = (number(float(value)) for value in np.quantile(errors, [0.05, 0.5, 0.95]))
    return canvas.svg(axes, "residuals", f"Residuals: median {middle}; nine of ten lie between {low} and {high}.")


def roc(truth: Array, probability: Array, area: float | None, weights: Array | None = None) -> str:
    """`truth` is boolean, `probability` that of the positive class, `weights` what each row counts."""
    hits, alarms, _ = _sweep(truth, probability, weights)
    axes = _square()
    axes.plot([0, 1], [0, 1], color=canvas.MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.plot([0, *alarms], [0, *hits], color=canvas.ACCENT, linewidth=2, clip_on=False)
    canvas.names(axes, "false positive rate", "true positive rate")
    told = f" Area {number(area)}." if area is not None else ""
    return canvas.svg(axes, "roc", f"ROC curve of the test rows.{told}")


def precision_recall(truth: Array, probability: Array, area: float | None, weights: Array | None = None) -> str:
    hits, _, precision = _sweep(truth, probability, weights)
    axes = _square()
    axes.axhline(float(np.average(truth, weights=weights)), color=canvas.MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.step([0, *hits], [precision[0], *precision], where="pre", color=canvas.ACCENT, linewidth=2, clip_on=False)
    canvas.names(axes, "recall", "precision")
    told = f" Average precision {number(area)}." if area is not None else ""
    return canvas.svg(axes, "precision", f"Precision against recall on the test rows.{told}")


def calibration(truth: Array, probability: Array) -> str:
    """Observed share of positives against the predicted probability, in up to ten groups of equal size."""
    groups = np.array_split(np.argsort(probability, kind="stable"), min(10, max(2, len(truth) // 20)))
    said = np.array([probability[group].mean() for group in groups])
    seen = np.array([truth[group].mean() for group in groups])
    error = np.array([1.96 * np.sqrt((seen[i] * (1 - seen[i]) + 0.01) / len(group)) for i, group in enumerate(groups)])
    axes = _square()
    axes.plot([0, 1], [0, 1], color=canvas.MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.vlines(said, np.clip(seen - error, 0, 1), np.clip(seen + error, 0, 1), color=canvas.SOFT, linewidth=4)
    axes.plot(said, seen, "-o", color=canvas.ACCENT, linewidth=2, markersize=6, markeredgewidth=0, clip_on=False)
    canvas.names(axes, "predicted probability", "observed share")
    pairs = "; ".join(f"{number(float(a), 2)}: {number(float(b), 2)}" for a, b in zip(said, seen, strict=True))
    return canvas.svg(axes, "calibration", f"Calibration, predicted against observed: {pairs}.")


def importance(facts: Sequence[Mapping[str, Any]], metric: MetricSpec, limit: int = 15) -> str:
    """By how much the score falls when a column is shuffled, with two standard deviations."""
    if not facts:
        return ""
    top = sorted(facts, key=lambda fact: -float(fact["mean"]))[:limit]
    labels = [short(str(fact["column"]), 26) for fact in top]
    means = np.array([float(fact["mean"]) for fact in top])
    spread = 2 * np.array([float(fact.get("std") or 0.0) for fact in top])
    left = min(max(canvas.width_of(label) for label in labels) + 16, 200)
    axes = canvas.chart(24 * len(top) + 50, left=left, right=16, top=4, bottom=44)
    canvas.grid(axes, "x")
    places = np.arange(len(top))[::-1]
    axes.hlines(places, means - spread, means + spread, color=canvas.SOFT, linewidth=7)
    axes.plot(means, places, "o", color=canvas.ACCENT, markersize=7, markeredgewidth=0)
    axes.axvline(0, color=canvas.MUTED, linewidth=1)
    axes.set(ylim=(-0.6, len(top) - 0.4), yticks=[])
    for place, name in zip(places, labels, strict=True):
        canvas.label(axes, 0, place, name, transform=axes.get_yaxis_transform(), x_shift=-9, ha="right")
    canvas.names(axes, f"loss of {title(metric.name)} when shuffled")
    told = "; ".join(f"{name}: {number(float(mean), 3)}" for name, mean in zip(labels, means, strict=True))
    return canvas.svg(axes, "importance", f"Permutation importance. {told}.")


def _inside(x: float, low: float, high: float) -> dict[str, Any]:
    """Alignment that keeps a text within the axes."""
    share = (x - low) / ((high - low) or 1.0)
    return {"ha": "left" if share < 0.12 else "right" if share > 0.88 else "center"}


def _square() -> Any:
    axes = canvas.chart(300, width=340, left=46, right=16, top=28, bottom=44)
    canvas.grid(axes, "both")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    return axes


def _points(axes: Any, x: Array, y: Array) -> None:
    axes.plot(x, y, "o", color=canvas.ACCENT, markersize=5, markeredgewidth=0, alpha=0.5)


def _thin(rows: int) -> Array:
    return (
        np.arange(rows) if rows <= _POINTS else np.sort(np.random.default_rng(0).choice(rows, _POINTS, replace=False))
    )


def _sweep(truth: Array, probability: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """True positive rate, false positive rate and precision at every threshold, from strict to lax; at most 400."""
    order = np.argsort(-probability, kind="stable")
    last = np.append(np.diff(probability[order]) != 0, True)  # equal probabilities are answered alike
    each = np.ones(len(order)) if weights is None else weights[order]
    right, answered = np.cumsum(each * truth[order])[last], np.cumsum(each)[last]
    hits = right / (right[-1] or 1.0)
    alarms = (answered - right) / ((answered[-1] - right[-1]) or 1.0)
    kept = np.unique(np.linspace(0, len(hits) - 1, min(len(hits), 400)).astype(int))
    return hits[kept], alarms[kept], (right / answered)[kept]
