"""What the report draws of a graph: degrees, agreement along the edges, and where the test nodes ended up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.report.plots import canvas, data, quality
from automl_agent.delivery.words import number, percent, short

Array = npt.NDArray[Any]
Picture = tuple[str, str, str]

_SHADES = (canvas.ACCENT, canvas.WARN, canvas.MUTED, "#3b8f6e", "#8a5fbf", "#b98a1a", "#3d9bb3", "#a8446b")
_POINTS = 1500
_RANGES = 8


def draw(content: ReportContent) -> dict[str, list[Picture]]:
    """Pictures of the data and of the test, as (title, note, SVG)."""
    with np.load(content.data / "graph.npz", allow_pickle=False) as arrays:
        edges = arrays["edges"].astype(np.int64)
    target, classes = content.training_target, content.classes
    drawn: dict[str, list[Picture]] = {"data": [], "test": []}
    nodes = int(content.profile.meta.get("nodes", edges.max(initial=0) + 1))
    drawn["data"].append(("Edges of a node", "How many nodes have how many edges; the ranges double.",
                          degrees(edges, nodes)))  # fmt: skip
    if target is not None:
        shown = data.target(target, classes, content.task.target or "label")
        drawn["data"].append(("The labels", f"Of the {len(target)} training nodes.", shown))
        drawn["data"].append(("Do neighbours agree?", "Share of a class's edges between training nodes that stay in"
                              " it; the mark is what chance would give.",
                              agreement(edges, _labels(content, nodes, target), classes)))  # fmt: skip
    truth, scores, predicted = content.truth, content.scores, content.predicted
    if truth is not None and scores is not None and predicted is not None and len(truth):
        drawn["test"].append(("Confusion matrix", "Shares are of the true class.",
                              quality.confusion(truth, predicted, classes)))  # fmt: skip
        drawn["test"].append(("Map of the test nodes", "The two leading components of the predicted log-probabilities;"
                              " colours are true classes, rings are errors.",
                              landscape(scores, truth, predicted, classes)))  # fmt: skip
    return drawn


def _labels(content: ReportContent, nodes: int, target: Array) -> Array:
    """Class code of each node of the graph that trains; -1 for all others."""
    import pyarrow.parquet as pq

    place = pq.read_schema(content.data / "nodes.parquet").names[0]
    ids = pq.read_table(content.data / "nodes.parquet", columns=[place]).column(0).to_pylist()
    known = {name: number for number, name in enumerate(ids)}
    rows = pq.read_table(content.data / "train.parquet", columns=[place]).column(0).to_pylist()
    found = np.full(nodes, -1)
    found[[known[name] for name in rows]] = target
    return found


def degrees(edges: Array, nodes: int) -> str:
    """Histogram of the number of edges, in ranges that double: 0, 1, 2-3, 4-7, ..."""
    degree = np.bincount(edges.ravel(), minlength=nodes)
    place = np.where(degree > 0, np.floor(np.log2(np.maximum(degree, 1))).astype(int) + 1, 0)
    counts = np.bincount(np.minimum(place, _RANGES - 1))
    axes = canvas.chart(200, left=44, top=24, bottom=40)
    axes.bar(np.arange(len(counts)), counts, 0.86, color=canvas.ACCENT, linewidth=0)
    names = ["0", "1", *(f"{2**k}-{2 ** (k + 1) - 1}" for k in range(1, len(counts) - 1))]
    if len(counts) == _RANGES:
        names[-1] = f"{2 ** (_RANGES - 2)}+"
    axes.set_xticks(range(len(counts)), names[: len(counts)])
    axes.set_xlim(-0.6, len(counts) - 0.4)
    canvas.names(axes, "edges of a node", "nodes")
    middle = number(float(np.median(degree)))
    told = f"Histogram of the edges of {nodes} nodes: median {middle}, at most {int(degree.max(initial=0))}."
    return canvas.svg(axes, "degrees", told)


def agreement(edges: Array, label: Array, classes: Sequence[str]) -> str:
    """For each class, the share of its edges between labelled nodes that stay in it, beside what chance would give."""
    ends = label[edges]
    ends = ends[(ends >= 0).all(axis=1)]
    if len(ends) < 10:
        return ""
    both = np.concatenate([ends, ends[:, ::-1]])
    total = np.bincount(both[:, 0], minlength=len(classes))
    same = np.bincount(both[both[:, 0] == both[:, 1], 0], minlength=len(classes))
    chance = np.bincount(both[:, 1], minlength=len(classes)) / len(both)
    order = [code for code in np.argsort(-total, kind="stable")[:12] if total[code]]
    names = [short(classes[code], 24) for code in order]
    left = min(max(canvas.width_of(name) for name in names) + 14, 200)
    axes = canvas.chart(round(26 * len(order) + 6), left=left, right=52, top=3, bottom=3)
    axes.spines["bottom"].set_visible(False)
    places = np.arange(len(order))[::-1]
    shares = same[order] / total[order]
    axes.barh(places, 1.0, height=0.6, color=canvas.LINE, linewidth=0)
    axes.barh(places, shares, height=0.6, color=canvas.ACCENT, linewidth=0)
    axes.plot(chance[order], places, "|", color=canvas.WARN, markersize=13, markeredgewidth=2)
    axes.set(xlim=(0, 1), ylim=(-0.5, len(order) - 0.5), xticks=[], yticks=[])
    for place, name, share in zip(places, names, shares, strict=True):
        canvas.label(axes, 0, place, name, x_shift=-8, ha="right")
        canvas.label(axes, 1, place, percent(float(share)), x_shift=7, color=canvas.MUTED)
    told = "; ".join(f"{name}: {percent(float(share))}" for name, share in zip(names, shares, strict=True))
    return canvas.svg(axes, "agreement", f"Share of edges that stay in a class. {told}.")


def landscape(scores: Array, truth: Array, predicted: Array, classes: Sequence[str]) -> str:
    """Principal components of log-probabilities, one point for each test node."""
    if scores.shape[1] < 3 or len(scores) < 3:
        return ""  # two classes lie on a line
    logs = np.log(np.clip(scores, 1e-6, None))
    centred = logs - logs.mean(axis=0)
    _, _, axes_of = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(axes_of[np.arange(len(axes_of)), np.abs(axes_of).argmax(axis=1)])
    points = centred @ (axes_of * signs[:, None])[:2].T
    step = -(-len(points) // _POINTS)
    points, truth, predicted = points[::step], truth[::step], predicted[::step]
    counts = np.bincount(truth, minlength=len(classes))
    shown = np.argsort(-counts, kind="stable")[: len(_SHADES)]
    axes = canvas.chart(330, left=10, right=150, top=10, bottom=10)
    axes.set(xticks=[], yticks=[])
    axes.spines["bottom"].set_visible(False)
    for shade, code in zip(_SHADES, shown, strict=False):
        own = truth == code
        right = own & (predicted == truth)
        wrong = own & (predicted != truth)
        axes.plot(*points[right].T, "o", markersize=4, color=shade, markeredgewidth=0, alpha=0.7)
        axes.plot(
            *points[wrong].T, "o", markersize=6, markerfacecolor="none", markeredgecolor=shade, markeredgewidth=1.3
        )
    for row, (shade, code) in enumerate(zip(_SHADES, shown, strict=False)):
        height = 1 - (row + 0.5) / max(len(shown), 8)
        axes.plot([1.03], [height], "o", markersize=7, color=shade, transform=axes.transAxes, clip_on=False)
        canvas.label(axes, 1.06, height, short(classes[code], 18), transform=axes.transAxes)
    errors = int((predicted != truth).sum())
    return canvas.svg(
        axes, "landscape", f"Map of {len(points)} test nodes by predicted probabilities; {errors} errors."
    )
