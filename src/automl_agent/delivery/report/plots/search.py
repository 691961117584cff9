"""Plots of the search: what was tried, when it got better, what the requirements say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from automl_agent.delivery.report.plots import canvas
from automl_agent.delivery.words import apart, limit, number, short, title
from automl_agent.records import ConstraintCheck, Fidelity, Grade, Plan, Solution, Trial
from automl_agent.tasks.family import MetricSpec

Checked = tuple[ConstraintCheck, ConstraintCheck | None, ConstraintCheck | None]


def trials(done: Sequence[Trial], plans: Sequence[Plan], metric: MetricSpec) -> str:
    """A dot per trial, a line per plan; larger and darker dots saw more data. Empty without a scored trial."""
    scored = [trial for trial in done if trial.score is not None and np.isfinite(trial.score)]
    if not scored:
        return ""
    titles = {plan.id: plan.title for plan in plans}
    rows = [plan.id for plan in plans if any(trial.plan == plan.id for trial in scored)]
    rows += [""] if any(trial.plan not in titles for trial in scored) else []
    levels = rungs(scored)
    height = 50 * len(rows) + 64
    axes = canvas.chart(height, left=8, right=14, top=10, bottom=54)
    low, high, outside = _range([trial.score or 0.0 for trial in scored], metric)
    places = {row: len(rows) - 1 - index for index, row in enumerate(rows)}
    dots: dict[tuple[int, int], list[float]] = {}  # drawn together: a run may have hundreds
    for trial in scored:
        row = places.get(trial.plan, places.get("", 0)), levels.index(trial.fidelity)
        dots.setdefault(row, []).append(min(max(trial.score or 0.0, low), high))
    for (place, level), scores in dots.items():
        _dots(axes, scores, place - 0.12, level, len(levels))
    for plan, place in places.items():
        axes.axhline(place - 0.12, color=canvas.LINE, linewidth=1, zorder=0)
        canvas.label(axes, 0, place + 0.26, short(titles.get(plan, "Search over all plans"), 58),
                     transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set(xlim=_widened(low, high, 0.03), ylim=(-0.5, len(rows) - 0.5), yticks=[])
    canvas.names(axes, f"{metric.title} on validation")
    _legend(axes, levels)
    told = f"{len(scored)} trials of {len(rows)} plans, from {number(low)} to {number(high)} {metric.title}."
    return canvas.svg(axes, "trials", told + (f" {outside} worse trials are drawn at the edge." if outside else ""))


def rungs(done: Sequence[Trial]) -> list[Fidelity]:
    """The fidelities that occur, the smallest first."""
    return sorted({trial.fidelity for trial in done}, key=lambda level: (level.rows or 1 << 62, level.folds))


def rung_name(level: Fidelity) -> str:
    rows = f"{number(level.rows)} rows" if level.rows else "all rows"
    return f"{rows}, {level.folds} fold{'s' if level.folds > 1 else ''}"


def progress(points: Sequence[Mapping[str, Any]], metric: MetricSpec, total: float | None) -> str:
    """The best validation score so far against the time since the start."""
    points = _scored(points)
    if len(points) < 2:
        return ""
    seconds = [float(point["seconds"]) for point in points]
    scores = [float(point["score"]) for point in points]
    axes = canvas.chart(230, left=48, right=16, top=28, bottom=44)
    canvas.grid(axes)
    end = max(total or 0.0, seconds[-1])
    axes.step([*seconds, end], [*scores, scores[-1]], where="post", color=canvas.ACCENT, linewidth=2)
    axes.plot(seconds, scores, "o", color=canvas.ACCENT, markersize=5, markeredgewidth=0)
    axes.set(xlim=(0, end * 1.02), ylim=_widened(min(scores), max(scores), 0.12))
    canvas.names(axes, "seconds since the start", f"best {metric.title} on validation")
    told = f"The best {metric.title} went from {number(scores[0])} to {number(scores[-1])} in {number(seconds[-1])} s."
    return canvas.svg(axes, "progress", told)


def front(
    done: Sequence[Trial], solution: Solution, metric: MetricSpec, name: Callable[[str], str], bound: float | None
) -> str:
    """Score against the time of one answer: every model that was trained on all rows, those that no other beats in
    both, and what is delivered. Empty with fewer than three models.

    Args:
        name: a candidate for people.
        bound: milliseconds that the user allows.
    """
    of_plans = {t.id: t for t in done if t.plan and t.score is not None and t.latency_ms and not t.fidelity.rows}
    most = max((trial.fidelity.folds for trial in of_plans.values()), default=0)
    rivals = [trial for trial in of_plans.values() if trial.fidelity.folds == most]
    if len(rivals) < 3:
        return ""
    best = unbeaten(rivals, metric)
    axes = canvas.chart(270, left=48, right=16, top=28, bottom=44)
    canvas.grid(axes)
    axes.set_xscale("log")
    low, high, outside = _range([trial.score or 0.0 for trial in rivals] + [solution.score], metric)
    shown = [min(max(trial.score or 0.0, low), high) for trial in rivals]
    axes.plot([trial.latency_ms for trial in rivals], shown, "o", color=canvas.ACCENT, alpha=0.3, markersize=5,
              markeredgewidth=0)  # fmt: skip
    times = [trial.latency_ms or 0.0 for trial in best]
    axes.step(times, [min(max(trial.score or 0.0, low), high) for trial in best], "-o", where="post",
              color=canvas.ACCENT, linewidth=2, markersize=6, markeredgewidth=0)  # fmt: skip
    _mark(axes, solution.latency_ms, solution.score, canvas.PAPER, canvas.INK)
    canvas.label(axes, solution.latency_ms, solution.score, "delivered", x_shift=-8, y_shift=-12, ha="right")
    levels = [*times, *(trial.latency_ms or 0.0 for trial in rivals), solution.latency_ms, *([bound] if bound else [])]
    axes.set(xlim=(min(levels) / 1.5, max(levels) * 1.5), ylim=_widened(low, high, 0.14))
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    if bound:
        axes.axvline(bound, color=canvas.WARN, linewidth=1.5, linestyle=(0, (5, 3)))
        canvas.label(axes, bound, 1, f"{number(bound)} ms allowed", transform=axes.get_xaxis_transform(), x_shift=-4,
                     y_shift=-8, ha="right", color=canvas.WARN)  # fmt: skip
    canvas.names(axes, "ms for one row", f"{metric.title} on validation")
    told = "; ".join(
        f"{name(trial.candidate)} {number(trial.score)} in {number(trial.latency_ms)} ms" for trial in best
    )
    told += f". Delivered: {number(solution.score)} in {number(solution.latency_ms)} ms."
    return canvas.svg(axes, "front", told + (f" {outside} worse models are drawn at the edge." if outside else ""))


def unbeaten(trials: Sequence[Trial], metric: MetricSpec) -> list[Trial]:
    """Those that no other equals in score and time of an answer, quickest first."""
    sign = -1.0 if metric.higher_is_better else 1.0
    found: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (trial.latency_ms or 0.0, sign * (trial.score or 0.0))):
        if not found or sign * (trial.score or 0.0) < sign * (found[-1].score or 0.0):
            found.append(trial)
    return found


def learning_curve(points: Sequence[Mapping[str, Any]], metric: MetricSpec, required: float | None) -> str:
    """Validation score against the number of training rows, with the required level."""
    points = _scored(points)
    if len(points) < 2:
        return ""
    rows, scores = [float(point["rows"]) for point in points], [float(point["score"]) for point in points]
    levels = [*scores, *([required] if required is not None else [])]
    axes = canvas.chart(240, left=48, right=16, top=28, bottom=44)
    canvas.grid(axes)
    axes.plot(rows, scores, "-o", color=canvas.ACCENT, linewidth=2, markersize=6, markeredgewidth=0)
    axes.set(xlim=(0, rows[-1] * 1.06), ylim=_widened(min(levels), max(levels), 0.14))
    if required is not None:
        axes.axhline(required, color=canvas.WARN, linewidth=1.5, linestyle=(0, (5, 3)))
        canvas.label(axes, 1, required, f"required {number(required)}", transform=axes.get_yaxis_transform(),
                     x_shift=-2, y_shift=-9, ha="right", color=canvas.WARN)  # fmt: skip
    canvas.names(axes, "training rows", f"{metric.title} on validation")
    told = "; ".join(f"{number(int(row))} rows: {number(score)}" for row, score in zip(rows, scores, strict=True))
    return canvas.svg(
        axes, "learning", f"Learning curve. {told}." + (f" Required: {number(required)}." * bool(required))
    )


def constraints(checks: Sequence[Checked], grade: Grade) -> str:
    """Each numeric requirement on a scale of its own: the limit, the allowed side, and what was measured."""
    rows = [row for row in checks if isinstance(row[0].value, float) and _measured(row)]
    if not rows:
        return ""
    axes = canvas.chart(66 * len(rows) + 30, left=8, right=14, top=4, bottom=26)
    axes.spines["bottom"].set_visible(False)
    axes.set(xlim=(-1, 1), ylim=(len(rows) - 0.5, -0.5), xticks=[], yticks=[])
    for place, row in enumerate(rows):
        _requirement(axes, place, row, grade)
    for text, fill, x in (("on validation", canvas.PAPER, 0.02), ("on the test", canvas.ACCENT, 0.28)):
        _mark(axes, x, 0.0, fill, canvas.ACCENT, transform=axes.transAxes, y_pixels=-10)
        canvas.label(axes, x, 0, text, transform=axes.transAxes, x_shift=10, y_shift=-10, color=canvas.MUTED)
    told = " ".join(_told(row) for row in rows)
    return canvas.svg(axes, "constraints", f"Requirements against what was measured. {told}")


def _requirement(axes: Any, place: int, row: Checked, grade: Grade) -> None:
    check, _, on_test = row
    bound = float(check.value)  # type: ignore[arg-type]
    interval = grade.interval if check.measure == grade.metric and on_test else ()
    far = max([abs(value - bound) for value in (*_measured(row), *interval)] + [1e-12]) * 1.12
    allowed = (0, 1) if check.comparison in (">=", ">") else (-1, 0)
    axes.barh(place, allowed[1] - allowed[0], left=allowed[0], height=0.2, color=canvas.SOFT, linewidth=0)
    axes.barh(place, -1 if allowed[0] == 0 else 1, height=0.2, color=canvas.LINE, linewidth=0)
    axes.plot([0, 0], [place - 0.2, place + 0.2], color=canvas.INK, linewidth=1.6)
    if interval:
        axes.plot([(end - bound) / far for end in interval], [place, place], color=canvas.ACCENT, linewidth=2)
    for which, state in zip(row[1:], (canvas.PAPER, None), strict=True):
        if which is not None and isinstance(which.measured, float):
            colour = canvas.ACCENT if which.met else canvas.WARN
            _mark(axes, (which.measured - bound) / far, place, state or colour, colour)
    canvas.label(axes, -1, place - 0.36, title(check.measure), x_shift=0, ha="left")
    canvas.label(axes, 0, place + 0.34, limit(check.comparison, check.value, check.unit), ha="center",
                 color=canvas.MUTED)  # fmt: skip


def _mark(axes: Any, x: float, y: float, fill: str, edge: str, *, transform: Any = None, y_pixels: float = 0) -> None:
    from matplotlib.transforms import ScaledTranslation

    base = transform or axes.transData
    moved = base + ScaledTranslation(0, y_pixels / 72, axes.figure.dpi_scale_trans)
    axes.plot([x], [y], "o", markersize=9, markerfacecolor=fill, markeredgecolor=edge, markeredgewidth=2,
              transform=moved, clip_on=False, zorder=4)  # fmt: skip


def _measured(row: Checked) -> list[float]:
    return [check.measured for check in row[1:] if check is not None and isinstance(check.measured, float)]


def _told(row: Checked) -> str:
    parts = []
    for which, where in zip(row[1:], ("validation", "test"), strict=True):
        if which is not None:
            parts.append(f"{apart(which.measured, which.value)[0]} on {where} ({'met' if which.met else 'missed'})")
    return f"{title(row[0].measure)} {limit(row[0].comparison, row[0].value, row[0].unit)}: {', '.join(parts)}."


def _scored(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [point for point in points if point["score"] is not None and np.isfinite(point["score"])]


def _range(scores: Sequence[float], metric: MetricSpec) -> tuple[float, float, int]:
    """Limits that show the good trials well, and how many bad ones lie outside."""
    values = np.asarray(scores)
    best = values.max() if metric.higher_is_better else values.min()
    worst = float(np.quantile(values, 0.1 if metric.higher_is_better else 0.9))
    far = best - 1.8 * (best - worst)
    low, high = (max(values.min(), far), best) if metric.higher_is_better else (best, min(values.max(), far))
    return float(low), float(high), int(((values < low) | (values > high)).sum())


def _widened(low: float, high: float, share: float) -> tuple[float, float]:
    pad = (high - low) * share or abs(high) * share or 1.0
    return low - pad, high + pad


def _dots(axes: Any, x: Sequence[float], y: float, level: int, levels: int, **style: Any) -> None:
    share = (level + 1) / levels
    axes.plot(x, [y] * len(x), "o", markersize=4.5 + 5 * share, markerfacecolor=canvas.ACCENT, markeredgewidth=0,
              alpha=0.25 + 0.55 * share, clip_on=False, zorder=2 + share, **style)  # fmt: skip


def _legend(axes: Any, levels: Sequence[Fidelity]) -> None:
    """The rungs, below the axis."""
    from matplotlib.transforms import ScaledTranslation

    x = 6.0
    for index, level in enumerate(levels[-3:], start=max(len(levels) - 3, 0)):
        moved = axes.transAxes + ScaledTranslation(x / 72, -42 / 72, axes.figure.dpi_scale_trans)
        _dots(axes, [0], 0, index, len(levels), transform=moved)
        canvas.label(axes, 0, 0, rung_name(level), transform=axes.transAxes, x_shift=x + 9, y_shift=-42,
                     color=canvas.MUTED)  # fmt: skip
        x += canvas.width_of(rung_name(level)) + 30
