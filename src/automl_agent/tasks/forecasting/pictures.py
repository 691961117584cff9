"""What forecasters look for: forecasts against what came, the error by step ahead, and the season."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from automl_agent.delivery.report.plots import canvas
from automl_agent.delivery.words import short
from automl_agent.tasks.forecasting.reading import series_io
from automl_agent.tasks.tables.dataset import load, test_inputs

if TYPE_CHECKING:
    from automl_agent.delivery.report.content import ReportContent

SHOWN = 4
"""Series whose forecasts are drawn."""

Picture = tuple[str, str, str]


def draw(content: ReportContent) -> dict[str, list[Picture]]:
    """Pictures of the training series, and of the forecasts of the locked test."""
    if not (content.data / "schema.json").is_file():
        return {}
    series = _Series(content)
    return {"data": _of_data(series), "test": _of_test(series) if series.truth is not None else []}


class _Series:
    """Training and test rows by series."""

    def __init__(self, content: ReportContent) -> None:
        data = load(content.data)
        self.told: dict[str, Any] = data.schema["time_series"]
        self.target = str(data.schema["target"])
        io = series_io()
        self.names, self.steps = io.keys(data.frame, self.told), io.steps_of(data.frame, self.told)
        self.values = data.target
        test = test_inputs(content.data)
        self.test_names, self.test_steps = io.keys(test, self.told), io.steps_of(test, self.told)
        self.truth = content.truth
        self.scores = content.scores
        bounds = content.grade_folder / "bounds.npy"
        self.bounds = np.load(bounds, allow_pickle=False) if bounds.is_file() else None
        if self.scores is None or len(self.scores) != len(self.test_steps):
            self.truth = None

    def chosen(self) -> list[str]:
        """Some series, evenly taken from the list."""
        names = list(self.told["ends"])
        return names[:: max(1, len(names) // SHOWN)][:SHOWN]

    def end(self, name: str) -> int:
        return int(self.told["ends"][name][0])

    def scale(self, name: str) -> float:
        return float(self.told["ends"][name][1])


def _of_data(series: _Series) -> list[Picture]:
    season = int(series.told["season"])
    found = [("The series", f"The last part of the training rows; {_seasons(series)}.", _history(series))]
    if season > 1:
        note = "Median of each place in the season, against the mean of the series; the band holds the middle half."
        found.append(("The season", note, _profile(series)))
    return found


def _seasons(series: _Series) -> str:
    every = ", ".join(str(season) for season in series.told["seasons"])
    return f"what repeats, repeats after {every} steps" if series.told["season"] > 1 else "no season was found"


def _history(series: _Series) -> str:
    name = series.chosen()[0]
    steps = max(4 * series.told["season"], 4 * series.told["horizon"], 60)
    rows = np.flatnonzero((series.names == name) & (series.steps > series.end(name) - steps))
    axes = canvas.chart(200, left=46, top=22)
    canvas.grid(axes)
    x = series.steps[rows] - series.end(name)
    axes.plot(x, series.values[rows], color=canvas.ACCENT, linewidth=1.4)
    canvas.names(axes, "steps before the end of training", short(name or series.target, 40))
    return canvas.svg(axes, "history", f"The last {len(rows)} training values of {name or series.target}.")


def _profile(series: _Series) -> str:
    season = int(series.told["season"])
    shares: list[list[float]] = [[] for _ in range(season)]
    for name in series.chosen():
        rows = np.flatnonzero(series.names == name)
        rows = rows[-20 * season :]
        spread = float(series.values[rows].std()) or 1.0
        relative = (series.values[rows] - series.values[rows].mean()) / spread
        for place, value in zip(series.steps[rows] % season, relative, strict=True):
            shares[int(place)].append(float(value))
    if not all(shares):
        return ""
    first = int(series.end(series.chosen()[0]) + 1) % season
    turned = shares[first:] + shares[:first]
    x = np.arange(1, season + 1)
    low, middle, high = (np.array([np.quantile(part, q) for part in turned]) for q in (0.25, 0.5, 0.75))
    axes = canvas.chart(180, left=46, top=22)
    canvas.grid(axes)
    axes.fill_between(x, low, high, color=canvas.SOFT, linewidth=0)
    axes.plot(x, middle, color=canvas.ACCENT, linewidth=1.6, marker="o", markersize=3 if season <= 60 else 0)
    canvas.names(axes, "step of the season", "standard deviations from the mean")
    return canvas.svg(axes, "season", f"Seasonal profile over {season} steps.")


def _of_test(series: _Series) -> list[Picture]:
    note = "Grey: known; dark: what came; blue: forecast with its 90 % interval."
    found = [
        (short(name or f"Forecast of {series.target}", 48), note, _forecast(series, name, place))
        for place, name in enumerate(series.chosen())
    ]
    return [
        *found,
        ("Error by step ahead", "Mean absolute error, in the usual change over a season.", _by_step(series)),
    ]


def _forecast(series: _Series, name: str, place: int) -> str:
    assert series.truth is not None and series.scores is not None
    end, horizon = series.end(name), int(series.told["horizon"])
    before = np.flatnonzero((series.names == name) & (series.steps > end - max(2 * horizon, 12)))
    after = np.flatnonzero(series.test_names == name)
    if not len(after):
        return ""
    after = after[np.argsort(series.test_steps[after])]
    x = series.test_steps[after] - end
    axes = canvas.chart(200, left=46, top=22)
    canvas.grid(axes)
    if series.bounds is not None:
        axes.fill_between(x, series.bounds[0][after], series.bounds[1][after], color=canvas.SOFT, linewidth=0)
    axes.plot(series.steps[before] - end, series.values[before], color=canvas.MUTED, linewidth=1.2)
    axes.plot(x, series.truth[after], color=canvas.INK, linewidth=1.4)
    axes.plot(x, series.scores[after], color=canvas.ACCENT, linewidth=1.8)
    canvas.names(axes, "steps after the end of training", short(series.target, 40))
    told = f"Forecast and truth of {name or series.target}, {len(after)} steps ahead."
    return canvas.svg(axes, f"forecast{place}", told)


def _by_step(series: _Series) -> str:
    assert series.truth is not None and series.scores is not None
    scale = np.array([series.scale(name) for name in series.test_names])
    ahead = series.test_steps - np.array([series.end(name) for name in series.test_names])
    known = scale > 0
    if not known.any():
        return ""
    errors = np.abs(series.truth - series.scores)[known] / scale[known]
    steps = np.unique(ahead[known])
    means = [float(errors[ahead[known] == step].mean()) for step in steps]
    axes = canvas.chart(180, left=46, top=22)
    canvas.grid(axes)
    axes.bar(steps, means, color=canvas.ACCENT, width=0.7)
    axes.set_ylim(bottom=0)
    canvas.names(axes, "steps ahead", "scaled error")
    return canvas.svg(axes, "steps", f"Mean scaled error of {len(steps)} steps ahead.")
