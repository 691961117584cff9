"""What a reader of clusters looks for: how many and how large, what sets them apart, a map, silhouettes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from automl_agent.delivery.report.plots import canvas
from automl_agent.delivery.words import number, percent, short
from automl_agent.tasks.tabular_clustering import indices

if TYPE_CHECKING:
    from automl_agent.delivery.report.content import ReportContent

Array = npt.NDArray[Any]
Pictures = list[tuple[str, str, str]]

COLORS = (canvas.ACCENT, canvas.WARN, "#2f8f5b", "#8a4fbf", "#b3902a", "#2a9db0", "#c2447f", "#6b7683", "#5a8f1f",
          "#94553d", "#4453b8", "#a03030")  # fmt: skip
DOTS = 1500
COLUMNS = 12
"""Columns of the table of means."""


def draw(content: ReportContent) -> dict[str, Pictures]:
    """Pictures by section of the report."""
    schema = json.loads((content.data / "schema.json").read_text(encoding="utf-8"))
    told = _descriptions(Path(content.bundle.path))
    return {"data": _counts(schema), "test": [*_clusters(told), *_tested(content)]}


def _descriptions(bundle: Path) -> list[dict[str, Any]]:
    """What the shipped model says of its clusters."""
    found = sorted(bundle.glob("model/*/fold*/cluster_descriptions.json"))
    return json.loads(found[0].read_text(encoding="utf-8")) if found else []


# ---------------------------------------------------------------- how many


def _counts(schema: Mapping[str, Any]) -> Pictures:
    counts = schema.get("counts") or []
    if not counts:
        return []
    axes = canvas.chart(200, left=44, top=24, bottom=40)
    canvas.grid(axes)
    numbers = [count["clusters"] for count in counts]
    for name, color in (("stability", canvas.ACCENT), ("silhouette", canvas.WARN)):
        axes.plot(numbers, [count[name] for count in counts], color=color, marker="o", markersize=4, linewidth=1.6)
        canvas.label(axes, numbers[0], counts[0][name], name, x_shift=8, y_shift=9, color=color)
    axes.axvline(schema["clusters"], color=canvas.MUTED, linestyle="--", linewidth=1)
    axes.set_xticks(numbers)
    axes.set_ylim(min(0.0, *(count["silhouette"] for count in counts)), 1.12)
    canvas.names(axes, "clusters", "")
    ranks = ", ".join(f"{count['clusters']}: {number(count['rank'], 2)}" for count in counts)
    note = f"Mean rank of four measures by number of clusters, the least is best: {ranks}."
    text = f"Stability and silhouette against the number of clusters; {schema['clusters']} was taken."
    return [("How many clusters", note, canvas.svg(axes, "counts", text))]


# ---------------------------------------------------------------- what they are


def _clusters(told: Sequence[Mapping[str, Any]]) -> Pictures:
    """Sizes with the descriptions, and standardised means."""
    if not told:
        return []
    words = " ".join(f"Cluster {one['cluster']} ({percent(one['share'])} of rows): {one['text']}." for one in told)
    axes = canvas.chart(round(26 * len(told) + 6), left=84, right=110, top=3, bottom=3)
    axes.spines["bottom"].set_visible(False)
    places = np.arange(len(told))[::-1]
    axes.barh(
        places, [one["rows"] for one in told], height=0.6, linewidth=0, color=[_color(i) for i in range(len(told))]
    )
    axes.set(xticks=[], yticks=[], ylim=(-0.5, len(told) - 0.5), xlim=(0, max(one["rows"] for one in told)))
    for place, one in zip(places, told, strict=True):
        canvas.label(axes, 0, place, f"cluster {one['cluster']}", x_shift=-8, ha="right")
        behind = f"{number(one['rows'])} · {percent(one['share'])}"
        canvas.label(axes, one["rows"], place, behind, x_shift=7, color=canvas.MUTED)
    sizes = canvas.svg(axes, "sizes", f"Training rows of each cluster. {words}")
    return [("The clusters", words, sizes), *_profile(told)]


def _profile(told: Sequence[Mapping[str, Any]]) -> Pictures:
    """Distance of each cluster's mean from that of all rows, for the columns that differ most."""
    distances: dict[str, dict[int, float]] = {}
    for one in told:
        for column in one["columns"]:
            if not isinstance(column["value"], str) or not str(column["value"]).endswith("%)"):
                distances.setdefault(column["column"], {})[one["cluster"]] = float(column["distance"])
    names = sorted(distances, key=lambda name: -max(map(abs, distances[name].values())))[:COLUMNS]
    if not names:
        return []
    table = np.array([[distances[name].get(one["cluster"], 0.0) for one in told] for name in names])
    left = min(max(canvas.width_of(short(name, 24)) for name in names) + 14, 200)
    axes = canvas.chart(round(24 * len(names) + 30), left=left, right=8, top=24, bottom=6)
    axes.spines["bottom"].set_visible(False)
    axes.set(xlim=(-0.5, len(told) - 0.5), ylim=(len(names) - 0.5, -0.5), xticks=[], yticks=[])
    for row, name in enumerate(names):
        canvas.label(axes, -0.5, row, short(name, 24), x_shift=-8, ha="right")
        for column, value in enumerate(table[row]):
            color = canvas.ACCENT if value < 0 else canvas.WARN
            strength = min(abs(float(value)) / 2, 1.0) * 0.8
            axes.fill_between([column - 0.48, column + 0.48], row - 0.46, row + 0.46, color=color, alpha=strength,
                              linewidth=0)  # fmt: skip
            canvas.label(axes, column, row, f"{value:+.1f}", ha="center")
    for column, one in enumerate(told):
        canvas.label(axes, column, -0.5, str(one["cluster"]), y_shift=10, ha="center", color=canvas.MUTED)
    note = "Mean of each cluster less that of all training rows, in standard deviations."
    return [("What sets them apart", note, canvas.svg(axes, "profile", note))]


# ---------------------------------------------------------------- on the test


def _tested(content: ReportContent) -> Pictures:
    path, scores = content.grade_folder / "truth.npy", content.scores
    truth = np.load(path, allow_pickle=False) if path.is_file() else None  # with the view beside the labels
    if truth is None or scores is None or not len(truth):
        return []
    step = max(1, -(-len(truth) // DOTS))
    points, labels = truth[::step, 1:], scores[::step].argmax(axis=1)
    return [("Map of the test rows", "Their two directions of greatest variance; each color is a cluster.",
             _map(points, labels, scores.shape[1])), *_silhouettes(points, labels)]  # fmt: skip


def _map(points: Array, labels: Array, clusters: int) -> str:
    axes = canvas.chart(300, left=12, right=12, top=10, bottom=26)
    axes.set(xticks=[], yticks=[])
    second = points[:, 1] if points.shape[1] > 1 else np.zeros(len(points))
    for cluster in range(clusters):
        inside = labels == cluster
        if inside.any():
            axes.scatter(points[inside, 0], second[inside], s=14, color=_color(cluster), alpha=0.65, linewidth=0)
    for cluster in range(clusters):
        inside = labels == cluster
        if inside.any():
            canvas.label(axes, np.median(points[inside, 0]), np.median(second[inside]), str(cluster + 1), ha="center",
                         weight="bold")  # fmt: skip
    return canvas.svg(axes, "map", f"{len(points)} test rows on a map, in {clusters} clusters.")


def _silhouettes(points: Array, labels: Array) -> Pictures:
    if len(np.unique(labels)) < 2:
        return []
    values = indices.silhouettes(points, labels)
    axes = canvas.chart(260, left=44, top=10, bottom=40)
    start, told = 0, []
    for cluster in np.unique(labels):
        own = np.sort(values[labels == cluster])
        axes.fill_betweenx(np.arange(start, start + len(own)), 0, own, color=_color(int(cluster)), linewidth=0)
        canvas.label(axes, min(0.0, float(own.min())), start + len(own) / 2, str(cluster + 1), x_shift=-10)
        told.append(f"{cluster + 1}: {number(float(own.mean()), 2)}")
        start += len(own) + max(1, len(values) // 60)
    axes.axvline(float(values.mean()), color=canvas.MUTED, linestyle="--", linewidth=1)
    axes.set(yticks=[], ylim=(-1, start))
    canvas.names(axes, "silhouette", "")
    note = f"Near 1: deep inside its cluster; below 0: nearer to another. Mean by cluster: {', '.join(told)}."
    return [("Silhouette of each test row", note, canvas.svg(axes, "silhouettes", note))]


def _color(cluster: int) -> str:
    return COLORS[cluster % len(COLORS)]
