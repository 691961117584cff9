"""What those who work with images look at first: some of each class, and those that the model took for another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.report.plots import canvas, data, quality
from automl_agent.delivery.words import percent, short
from automl_agent.tasks.image_classification.shared import image_io

Array = npt.NDArray[Any]

SIDE = 56
"""Pixels of a drawn image."""
GAP = 8
CLASSES, EACH = 10, 6
"""Classes shown, and images of each."""
WRONG = 12
PER_ROW = 6
CAPTION = 30
"""Pixels for the two lines under an image."""


def draw(content: ReportContent) -> dict[str, list[tuple[str, str, str]]]:
    """Pictures for the sections of the data and of the test: (title, note, SVG)."""
    drawn: dict[str, list[tuple[str, str, str]]] = {}
    target = content.training_target
    if target is not None:
        bars = data.target(target, content.classes, content.task.target or "label")
        drawn["data"] = [
            ("The classes", f"Over the {len(target)} training images.", bars),
            ("Training images", f"Up to {EACH} of each class.", _samples(content, target)),
        ]
    truth, scores, predicted = content.truth, content.scores, content.predicted
    if truth is not None and scores is not None and predicted is not None and len(truth):
        drawn["test"] = [
            ("Confusion matrix", "Shares are of the true class.", quality.confusion(truth, predicted, content.classes)),
            ("Images taken for another class", "The surest mistakes on the test; below: truth, then answer.",
             _mistakes(content, truth, scores, predicted)),
            *_of_two(content, truth, scores),
        ]  # fmt: skip
    return drawn


def _of_two(content: ReportContent, truth: Array, scores: Array) -> list[tuple[str, str, str]]:
    """What is drawn where one of two classes is asked for."""
    positive = content.positive
    if positive is None or not 0 < (truth == positive).sum() < len(truth):
        return []
    right, probability = truth == positive, scores[:, positive]
    known = content.grade.others | {content.grade.metric: content.grade.score}
    return [
        ("ROC curve", "", quality.roc(right, probability, known.get("roc_auc"))),
        ("Precision and recall", "Dashed: the share of positive images.",
         quality.precision_recall(right, probability, known.get("average_precision"))),
        ("Calibration", "Do predicted probabilities mean what they say?", quality.calibration(right, probability)),
    ]  # fmt: skip


def _samples(content: ReportContent, target: Array) -> str:
    images = _stored(content.data / "train.parquet")
    order = np.argsort(-np.bincount(target.astype(int), minlength=len(content.classes)), kind="stable")[:CLASSES]
    rows = [(content.classes[code], np.flatnonzero(target == code)[:EACH].tolist()) for code in order]
    left = min(max(canvas.width_of(short(name, 16)) for name, _ in rows) + 14, 150)
    height = len(rows) * (SIDE + GAP)
    axes = _blank(height, left=left, width=round(left) + EACH * (SIDE + GAP))
    for row, (name, places) in enumerate(rows):
        top = height - row * (SIDE + GAP)
        canvas.label(axes, 0, top - SIDE / 2, short(name, 16), x_shift=-8, ha="right")
        for column, place in enumerate(places):
            _put(axes, images[place], column * (SIDE + GAP), top)
    told = ", ".join(short(name, 16) for name, _ in rows)
    return canvas.svg(axes, "samples", f"Some training images of the classes {told}.")


def _mistakes(content: ReportContent, truth: Array, scores: Array, predicted: Array) -> str:
    """The test images with the highest probability for a wrong class."""
    codes = np.asarray(predicted, dtype=int)
    wrong = np.flatnonzero(codes != truth)
    if not len(wrong):
        return ""
    sure = scores[wrong, codes[wrong]]
    wrong = wrong[np.argsort(-sure, kind="stable")[:WRONG]]
    images = _stored(content.data / "test.parquet")
    lines = -(-len(wrong) // PER_ROW)
    step = 72
    height = lines * (SIDE + CAPTION + GAP)
    axes = _blank(height, left=4, width=4 + PER_ROW * step)
    for number, place in enumerate(wrong.tolist()):
        left, top = number % PER_ROW * step, height - number // PER_ROW * (SIDE + CAPTION + GAP)
        _put(axes, images[place], left, top)
        canvas.label(axes, left, top - SIDE - 8, short(content.classes[int(truth[place])], 9))
        answer = f"{short(content.classes[codes[place]], 6)} {percent(float(scores[place, codes[place]]))}"
        canvas.label(axes, left, top - SIDE - 22, answer, color=canvas.WARN)
    return canvas.svg(axes, "mistakes", f"{len(wrong)} test images that were taken for another class.")


def _blank(height: int, *, left: float, width: int) -> Any:
    """Axes whose units are pixels."""
    axes = canvas.chart(height, width=width, left=left, right=0, top=2, bottom=2)
    axes.spines["bottom"].set_visible(False)
    axes.set(xlim=(0, width - left), ylim=(0, height), xticks=[], yticks=[])
    return axes


def _put(axes: Any, content: bytes | None, left: float, top: float) -> None:
    """An image with its upper left corner at a place, as broad as high."""
    found = image_io.pixels(content, SIDE, grey=False) if content is not None else None
    if found is not None:
        axes.imshow(found, extent=(left, left + SIDE, top - SIDE, top), aspect="auto", interpolation="nearest")


def _stored(path: Path) -> Sequence[bytes | None]:
    """The images of a data folder."""
    import pyarrow.parquet as pq

    images: list[bytes | None] = pq.read_table(path).column(0).to_pylist()
    return images
