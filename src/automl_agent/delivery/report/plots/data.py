"""Plots of the data: the target, the columns, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_agent.delivery.report.plots import canvas
from automl_agent.delivery.words import compact, number, percent, short

Array = npt.NDArray[Any]

_BARS = 12
"""More bars than these are counted together."""


def target(values: Array, classes: Sequence[str], name: str) -> str:
    """Distribution of the target over the training rows: a bar per class, or a histogram."""
    if not classes:
        counts, edges = np.histogram(values[np.isfinite(values)], bins=30)
        axes = canvas.chart(220, left=44, top=24, bottom=40)
        _histogram(axes, edges, counts)
        canvas.names(axes, short(name, 40), "rows")
        middle = f"median {number(float(np.median(values)))}"
        return canvas.svg(axes, "target", f"Histogram of the target {short(name)} over {len(values)} rows, {middle}.")
    counts = np.bincount(values.astype(int), minlength=len(classes))
    order = np.argsort(-counts, kind="stable")
    pairs = [(classes[index], int(counts[index])) for index in order[: _BARS - 1]]
    if rest := order[_BARS - 1 :].tolist():
        pairs.append((f"{len(rest)} others", int(counts[rest].sum())))
    axes = _bars([(label, count, f"{number(count)} · {percent(count / len(values))}") for label, count in pairs])
    told = "; ".join(f"{short(label)}: {count}" for label, count in pairs)
    return canvas.svg(axes, "target", f"Rows of each class of {short(name)}. {told}.")


def columns(facts: Sequence[Mapping[str, Any]], rows: int, limit: int = 12) -> list[dict[str, str]]:
    """One small plot for each of the columns that say most about the target: `{name, note, svg}`."""
    drawn: list[dict[str, str]] = []
    for fact in facts:
        if len(drawn) == limit:
            break
        picture = _column(fact, f"column{len(drawn)}")
        if picture:
            missing = missing_share(fact, rows)
            note = f"{percent(missing)} missing" if missing else ""
            drawn.append({"name": short(str(fact["name"]), 40), "note": note, "svg": picture})
    return drawn


def missing(facts: Sequence[Mapping[str, Any]], rows: int, limit: int = 15) -> str:
    """Share of missing values of the columns that lack most; empty when nothing is missing."""
    shares = sorted(((missing_share(fact, rows), str(fact["name"])) for fact in facts), reverse=True)
    shares = [(share, name) for share, name in shares if share > 0][:limit]
    if not shares:
        return ""
    axes = _bars([(name, share, percent(share)) for share, name in shares], full=1.0)
    told = "; ".join(f"{short(name)}: {percent(share)}" for share, name in shares)
    return canvas.svg(axes, "missing", f"Share of missing values. {told}.")


def missing_share(fact: Mapping[str, Any], rows: int) -> float:
    """Share of missing values: integers are counts, other numbers are shares."""
    value = fact.get("missing") or 0
    return value / max(rows, 1) if isinstance(value, int) else float(value)


def _column(fact: Mapping[str, Any], name: str) -> str:
    title = short(str(fact["name"]))
    if histogram := fact.get("histogram"):
        edges, counts = np.asarray(histogram["edges"], dtype=float), np.asarray(histogram["counts"], dtype=float)
        if len(edges) != len(counts) + 1 or not counts.sum():
            return ""
        axes = canvas.chart(104, width=210, left=6, right=6, top=6, bottom=22)
        _histogram(axes, np.arange(len(edges)), counts)  # bins are equally wide; values near 1e308 would overflow
        axes.set_yticks([])
        ends = (float(edges[0]), float(edges[-1]))
        axes.set_xticks((0, len(counts)), [compact(end) for end in ends])
        first, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
        return canvas.svg(axes, name, f"Histogram of {title}, from {number(ends[0])} to {number(ends[1])}.")
    top = _top(fact)[:4]
    if not top:
        return ""
    axes = _bars([(value, count, "") for value, count in top], width=210, row=24.5, letters=11)
    return canvas.svg(axes, name, f"Most frequent values of {title}: " + ", ".join(short(value) for value, _ in top))


def _top(fact: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The most frequent values with their counts, as pairs, objects or a mapping."""
    top = fact.get("top") or []
    pairs: Any = top.items() if isinstance(top, Mapping) else top
    pairs = [(pair["value"], pair["count"]) if isinstance(pair, Mapping) else pair for pair in pairs]
    return [(str(value), float(count)) for value, count in pairs]


def _histogram(axes: Any, edges: Array, counts: Array) -> None:
    widths = np.diff(edges)
    axes.bar(edges[:-1], counts, widths * 0.94, align="edge", color=canvas.ACCENT, linewidth=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, max(float(counts.max()), 1.0) * 1.04)


def _bars(
    rows: Sequence[tuple[str, float, str]], *, full: float | None = None, width: int = canvas.WIDTH, row: float = 26,
    letters: int = 24,
) -> Any:  # fmt: skip
    """Horizontal bars, the first on top: (label, length, what stands behind the bar)."""
    labels = [short(label, letters) for label, _, _ in rows]
    left = min(max(canvas.width_of(label) for label in labels) + 14, 0.45 * width)
    right = max(canvas.width_of(text) for _, _, text in rows) + 14
    axes = canvas.chart(round(row * len(rows) + 6), width=width, left=left, right=right, top=3, bottom=3)
    axes.spines["bottom"].set_visible(False)
    places = np.arange(len(rows))[::-1]
    lengths = [length for _, length, _ in rows]
    if full:
        axes.barh(places, full, height=0.6, color=canvas.LINE, linewidth=0)
    axes.barh(places, lengths, height=0.6, color=canvas.ACCENT, linewidth=0)
    axes.set(xlim=(0, full or max(*lengths, 1e-9)), ylim=(-0.5, len(rows) - 0.5), xticks=[], yticks=[])
    for place, text, (_, length, behind) in zip(places, labels, rows, strict=True):
        canvas.label(axes, 0, place, text, x_shift=-8, ha="right")
        canvas.label(axes, full or length, place, behind, x_shift=7, color=canvas.MUTED)
    return axes
