"""What is looked for in a model of texts: how long they are, and which words speak for each class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.delivery.report.plots import canvas, quality
from automl_agent.delivery.words import number, short

if TYPE_CHECKING:
    from automl_agent.delivery.report.content import ReportContent

Picture = tuple[str, str, str]
"""Title, note, SVG."""

CLASSES = 12
"""Classes whose words are shown, the most frequent ones."""
WORDS = 12
ROW = 26
MOST_TEXTS = 20_000
"""Texts whose length is measured."""
BINS = 30


def draw(content: ReportContent) -> dict[str, list[Picture]]:
    """Pictures of the data and of the test; what there is no data for is left out."""
    lengths = [
        (f"Words of {short(name, 30)}", "Longest 1 % together on the right.", _lengths(values, name, place))
        for place, (name, values) in enumerate(_word_counts(content).items())
    ]
    told = [("Words that speak for each class", "Of the linear model on words; the strongest first.", _words(content))]
    found = {"test": [*_confusion(content), *told]}
    target = _target(content)
    return found | ({"data": [*target, *lengths]} if target else {})


def _target(content: ReportContent) -> list[Picture]:
    from automl_agent.delivery.report.plots import data

    values = content.training_target
    if values is None:
        return []
    svg = data.target(values, content.classes, content.task.target or "target")
    return [("The target", f"Over the {len(values)} training rows.", svg)]


def _confusion(content: ReportContent) -> list[Picture]:
    truth, predicted = content.truth, content.predicted
    if truth is None or predicted is None or not len(truth):
        return []
    drawn = [("Confusion matrix", "Shares are of the true class.",
              quality.confusion(truth, predicted, content.classes))]  # fmt: skip
    scores, positive = content.scores, content.positive
    if scores is not None and positive is not None and 0 < (truth == positive).sum() < len(truth):
        others = content.grade.others | {content.grade.metric: content.grade.score}
        right, probability = truth == positive, scores[:, positive]
        drawn += [
            ("ROC curve", "", quality.roc(right, probability, others.get("roc_auc"))),
            ("Calibration", "Do predicted probabilities mean what they say?", quality.calibration(right, probability)),
        ]
    return drawn


# ---------------------------------------------------------------- lengths


def _word_counts(content: ReportContent) -> dict[str, Any]:
    """Words of the training texts by column."""
    import numpy as np
    import pyarrow.parquet as pq

    path = content.data / "train.parquet"
    names = [str(column["name"]) for column in content.columns if column.get("kind") == "text"]
    if not path.is_file() or not names:
        return {}
    frame = pq.read_table(path, columns=names).slice(0, MOST_TEXTS)
    return {name: np.array([len((text or "").split()) for text in frame[name].to_pylist()]) for name in names}


def _lengths(counts: Any, name: str, place: int) -> str:
    """Histogram of the words of a text."""
    import numpy as np

    if not len(counts) or counts.max() == counts.min():
        return ""
    top = max(float(np.quantile(counts, 0.99)), float(counts.min()) + 1)
    heights, edges = np.histogram(np.minimum(counts, top), bins=min(BINS, int(top - counts.min()) + 1))
    axes = canvas.chart(180, left=44, top=24, bottom=40)
    axes.bar(edges[:-1], heights, np.diff(edges) * 0.94, align="edge", color=canvas.ACCENT, linewidth=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, float(heights.max()) * 1.04)
    canvas.names(axes, "words", "texts")
    middle = number(float(np.median(counts)))
    return canvas.svg(axes, f"length{place}", f"Histogram of the words of {short(name)}; median {middle}.")


# ---------------------------------------------------------------- words


def _words(content: ReportContent) -> str:
    """For each class the terms with the greatest weights, as a list; empty where no member works on words."""
    told = speaking_words(Path(content.bundle.path), len(content.classes))
    if not told or content.training_target is None:
        return ""
    import numpy as np

    sizes = np.bincount(content.training_target.astype(int), minlength=len(content.classes))
    order = [code for code in np.argsort(-sizes, kind="stable").tolist() if told.get(code)][:CLASSES]
    labels = [short(content.classes[code], 24) for code in order]
    left = max(canvas.width_of(label) for label in labels) + 16
    width = 720
    axes = canvas.chart(ROW * len(order) + 6, width=width, left=left, right=8, top=3, bottom=3)
    axes.spines["bottom"].set_visible(False)
    axes.set(xlim=(0, 1), ylim=(-0.5, len(order) - 0.5), xticks=[], yticks=[])
    for place, (code, label) in enumerate(zip(order, labels, strict=True)):
        height = len(order) - 1 - place
        canvas.label(axes, 0, height, label, x_shift=-8, ha="right")
        canvas.label(axes, 0, height, _fitting(told[code], width - left - 16), color=canvas.MUTED)
    spoken = "; ".join(f"{label}: {', '.join(told[code][:5])}" for code, label in zip(order, labels, strict=True))
    return canvas.svg(axes, "speaking", f"Words that speak for each class. {spoken}.")


def _fitting(terms: list[str], width: float) -> str:
    """As many terms as a line holds."""
    line = ""
    for term in terms:
        longer = f"{line} · {term}" if line else term
        if canvas.width_of(longer) > width:
            break
        line = longer
    return line or short(terms[0], 40)


def speaking_words(bundle: Path, classes: int) -> dict[int, list[str]]:
    """Class code -> the terms with the greatest weights in the heaviest member that works on words.

    Args:
        bundle: a finished bundle.
        classes: number of classes.
    """
    import numpy as np

    try:
        solution = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8"))
    except OSError:
        return {}
    for member in sorted(solution["members"], key=lambda member: -member["weight"]):
        folder = bundle / "model" / member["id"] / f"fold{member['folds'][0]}"
        if not (folder / "terms0.json").is_file() or not (folder / "linear.npz").is_file():
            continue
        present = json.loads((folder / "model.json").read_text(encoding="utf-8"))["present"]
        names = _term_names(folder)
        with np.load(folder / "linear.npz", allow_pickle=False) as arrays:
            slopes = arrays["slopes"][: len(names)].astype(np.float32)
        if slopes.shape[1] == 1:
            slopes = np.concatenate([-slopes, slopes], axis=1)
        return {code: [names[term] for term in np.argsort(-slopes[:, place], kind="stable")[: 2 * WORDS].tolist()
                       if slopes[term, place] > 0][:WORDS]
                for place, code in enumerate(present) if code < classes}  # fmt: skip
    return {}


def _term_names(folder: Path) -> list[str]:
    """The terms of all columns of texts, in the order of the slopes; those of the second text have a mark."""
    import numpy as np

    names: list[str] = []
    for place in range(100):
        if not (folder / f"terms{place}.json").is_file():
            break
        words = json.loads((folder / f"terms{place}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"terms{place}.npz", allow_pickle=False) as arrays:
            couples = arrays["couples"].tolist()
        size = max(1, len(words))
        found = [*words, *(f"{words[code // size]} {words[code % size]}" for code in couples)]
        names += [f"{name} ({place + 1})" for name in found] if place else found
    return names
