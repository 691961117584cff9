"""Plots of the code that a language model wrote."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from automl_agent.delivery.report.plots import canvas
from automl_agent.delivery.words import number, short

_SHOWN = 12
"""Of the columns that a module adds, those that matter most, for better or worse."""


def ablation(losses: Mapping[str, float], name: str) -> str:
    """By how much the score gets worse without each column; bars to the left say that it is better without."""
    known = [(column, loss) for column, loss in losses.items() if np.isfinite(loss)]
    if not known:
        return ""
    largest = sorted(known, key=lambda pair: -abs(pair[1]))[:_SHOWN]
    rows = sorted(largest, key=lambda pair: -pair[1])
    labels = [short(column) for column, _ in rows]
    values = [number(loss, 2) for _, loss in rows]
    left = min(max(map(canvas.width_of, labels)) + 14, 0.45 * canvas.WIDTH)
    right = max(map(canvas.width_of, values)) + 14
    axes = canvas.chart(26 * len(rows) + 6, left=left, right=right, top=3, bottom=3)
    axes.spines["bottom"].set_visible(False)
    places = np.arange(len(rows))[::-1]
    colours = [canvas.ACCENT if loss >= 0 else canvas.WARN for _, loss in rows]
    axes.barh(places, [loss for _, loss in rows], height=0.6, color=colours, linewidth=0)
    ends = min(0.0, rows[-1][1]), max(0.0, rows[0][1])
    axes.set(xlim=ends if ends[0] < ends[1] else (0, 1), ylim=(-0.5, len(rows) - 0.5), xticks=[], yticks=[])
    axes.plot([0, 0], [-0.5, len(rows) - 0.5], color=canvas.MUTED, linewidth=1)
    for place, label, value in zip(places, labels, values, strict=True):
        canvas.label(axes, 0, place, label, transform=axes.get_yaxis_transform(), x_shift=-8, ha="right")
        canvas.label(axes, 1, place, value, transform=axes.get_yaxis_transform(), x_shift=7, color=canvas.MUTED)
    told = "; ".join(f"{label}: {value}" for label, value in zip(labels, values, strict=True))
    return canvas.svg(axes, name, f"Loss of score without each column. {told}.")
