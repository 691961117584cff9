"""Plots of the scores by subgroup."""

from __future__ import annotations

import numpy as np

from automl_agent.delivery.report.plots import canvas
from automl_agent.delivery.words import inline, number, short
from automl_agent.records import Breakdown, Grade
from automl_agent.tasks.family import MetricSpec


def scores(breakdown: Breakdown, grade: Grade, metric: MetricSpec, name: str) -> str:
    """The score of each group with its interval, against that of all test rows; groups too small are hollow."""
    groups = [group for group in breakdown.groups if group.score is not None and group.interval is not None
              and np.isfinite((group.score, *group.interval)).all()]  # fmt: skip
    if not groups or not np.isfinite(grade.score):
        return ""
    labels = [short(group.name, 26) for group in groups]
    values = [number(group.score, 3) for group in groups]
    left = min(max(map(canvas.width_of, labels)) + 16, 200)
    right = max(map(canvas.width_of, values)) + 16
    axes = canvas.chart(26 * len(groups) + 66, left=left, right=right, top=22, bottom=44)
    canvas.grid(axes, "x")
    ends = [grade.score, *(end for group in groups for end in group.interval or ())]
    pad = 0.04 * (max(ends) - min(ends)) or 0.01 * abs(grade.score) or 0.01
    places = np.arange(len(groups))[::-1]
    axes.set(xlim=(min(ends) - pad, max(ends) + pad), ylim=(-0.6, len(groups) - 0.4), yticks=[])
    axes.axvline(grade.score, color=canvas.MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    canvas.label(axes, grade.score, 1, f"all rows {number(grade.score, 3)}", transform=axes.get_xaxis_transform(),
                 y_shift=10, ha=_side(grade.score, min(ends), max(ends)), color=canvas.MUTED)  # fmt: skip
    for place, group, label, value in zip(places, groups, labels, values, strict=True):
        colour = canvas.WARN if group.worse else canvas.ACCENT if group.enough else canvas.MUTED
        axes.hlines(place, *(group.interval or ()), color=canvas.SOFT if group.enough else canvas.LINE, linewidth=7)
        axes.plot([group.score], [place], "o", markersize=7, markeredgecolor=colour, markeredgewidth=1.6,
                  markerfacecolor=colour if group.enough else canvas.PAPER)  # fmt: skip
        ink = canvas.INK if group.enough else canvas.MUTED
        aside = axes.get_yaxis_transform()
        canvas.label(axes, 0, place, label, transform=aside, x_shift=-9, ha="right", color=ink)
        canvas.label(axes, 1, place, value, transform=aside, x_shift=9, color=colour if group.worse else canvas.MUTED)
    canvas.names(axes, inline(metric.title))
    told = "; ".join(
        f"{label}: {value}, 95 % interval {number(group.interval[0], 3)} to {number(group.interval[1], 3)}"
        for group, label, value in zip(groups, labels, values, strict=True)
        if group.interval is not None
    )
    by = short(breakdown.column, 40)
    return canvas.svg(axes, name, f"{metric.title} by {by}: {told}. All test rows: {number(grade.score, 3)}.")


def _side(value: float, low: float, high: float) -> str:
    share = (value - low) / ((high - low) or 1.0)
    return "left" if share < 0.2 else "right" if share > 0.8 else "center"
