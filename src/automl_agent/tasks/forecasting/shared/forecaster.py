"""What all forecasters share: rows to series, forecasts to rows, storing. They differ in `learn` and `forecast`.

A model forecasts each series from the end of the history that it was fitted on. Rows to predict that have a value in
the column `observed` continue that history first, so that a stored model can follow its series without being fitted
again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from calendars import LOST
from panel import Panel
from plain_state import load_arrays, save_arrays
from series_io import OBSERVED, keys, steps_of

Array = npt.NDArray[Any]

FARTHEST = 10
"""Forecasts go at most so many horizons ahead; what is asked beyond repeats the last season."""
LEVELS = 20
"""Labels of a known column that get a number of their own."""


class Forecaster:
    """Base of the candidates: a sub-class says how it learns, and how it forecasts from a history."""

    DEFAULTS: ClassVar[dict[str, Any]] = {}
    USES_KNOWN: ClassVar[bool] = False
    """Whether forecasts depend on columns that are known in advance."""

    def __init__(self, task: dict[str, Any], params: dict[str, Any], steps: list[str], seed: int, threads: int = 1,
                 time_limit: float | None = None) -> None:  # fmt: skip
        del steps  # there are no data steps for series
        self.task, self.given = task, params
        self.params = {**self.DEFAULTS, **params}
        self.seed, self.threads, self.time_limit = seed, threads, time_limit
        self.horizon, self.season = int(task["horizon"]), int(task["season"])
        self.seasons = [int(season) for season in task["seasons"]]
        self.nonnegative = bool(task["nonnegative"])

    # ------------------------------------------------------------ for sub-classes

    def learn(self, panel: Panel) -> None:
        """Learn from the history."""

    def forecast(self, panel: Panel, steps: int, known: Array) -> Array:
        """Forecasts (series, steps) from the end of each series; `steps` is at most the horizon.

        Args:
            known: (series, steps, columns) of the steps ahead.
        """
        raise NotImplementedError

    def arrays(self) -> dict[str, Array]:
        """What was learned, as arrays; their names must not begin with "panel"."""
        return {}

    def restore(self, arrays: dict[str, Array], folder: Path) -> None:
        """Take back what was learned."""

    # ------------------------------------------------------------ the contract of candidates

    def fit(self, frame: pd.DataFrame, target: Array) -> None:
        if not len(frame):
            raise ValueError("there is no history to learn from")
        self.levels = self._levels(frame)
        self.learn(self._history(frame, target))
        self.follow(frame, target)

    def follow(self, frame: pd.DataFrame, target: Array) -> None:
        """Forecast from the end of another history, such as a longer one, without learning from it."""
        self.panel = self._history(frame, target)
        self.ahead = self._far(self.panel, self.horizon, self._usual(self.panel, self.horizon))

    def predict(self, frame: pd.DataFrame) -> Array:
        names, steps = keys(frame, self.task), steps_of(frame, self.task)
        places = {name: place for place, name in enumerate(self.panel.names)}
        codes, found = pd.factorize(names)
        known, news = self._known(frame), frame[OBSERVED].to_numpy(np.float64)
        values = np.empty(len(frame))
        for code, name in enumerate(found):
            rows = np.flatnonzero(codes == code) if len(found) > 1 else np.arange(len(frame))
            place = places.get(str(name))
            if place is None:
                values[rows] = self._of_a_stranger(steps[rows])
            else:
                values[rows] = self._of_one(place, steps[rows], known[rows], news[rows])
        return values

    def save(self, folder: str | Path) -> None:
        folder = Path(folder)
        panel = self.panel
        arrays = self.arrays() | {
            "panel_values": np.concatenate(panel.values),
            "panel_known": np.concatenate(panel.known),
            "panel_lengths": np.array([len(line) for line in panel.values], np.int64),
            "panel_ends": panel.ends,
            "panel_ahead": self.ahead,
        }
        save_arrays(folder / "forecaster.npz", arrays)
        stored = {"task": self.task, "params": self.given, "seed": self.seed, "names": list(panel.names),
                  "levels": self.levels}  # fmt: skip
        (folder / "forecaster.json").write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Any:
        folder = Path(folder)
        stored = json.loads((folder / "forecaster.json").read_text(encoding="utf-8"))
        arrays = load_arrays(folder / "forecaster.npz")
        model = cls(stored["task"], stored["params"], [], stored["seed"])
        cuts = np.cumsum(arrays["panel_lengths"])[:-1]
        model.panel = Panel(
            tuple(stored["names"]),
            tuple(np.split(arrays["panel_values"], cuts)),
            arrays["panel_ends"],
            tuple(np.split(arrays["panel_known"], cuts)),
        )
        model.levels, model.ahead = stored["levels"], arrays["panel_ahead"]
        model.restore(arrays, folder)
        return model

    def _history(self, frame: pd.DataFrame, target: Array) -> Panel:
        values = np.asarray(target, np.float64)
        return Panel.of(keys(frame, self.task), steps_of(frame, self.task), values, self._known(frame),
                        season=self.season)  # fmt: skip

    # ------------------------------------------------------------ forecasts of rows

    def _of_one(self, place: int, steps: Array, known: Array, news: Array) -> Array:
        """Answers for rows of one series: forecasts, and what was observed where it was."""
        came = np.isfinite(news)
        panel = self.panel.take([place])
        fresh = bool((came & (steps > panel.ends[0])).any())
        if fresh:
            panel = self.panel.continued(place, steps[came], news[came], known[came], season=self.season)
        distance = steps - panel.ends[0]
        farthest = int(distance.max(initial=0, where=steps != LOST))
        needed = min(max(farthest, 1), FARTHEST * self.horizon)
        if fresh or needed > self.horizon or (self.USES_KNOWN and known.shape[1] and farthest > 0):
            given = self._given(panel, distance, known, needed)
            ahead = self._far(panel, needed, given)[0]
        else:
            ahead = self.ahead[place]
        beyond = np.maximum(distance - len(ahead), 0)
        wrapped = distance - 1 - -(-beyond // self.season) * self.season
        answers = ahead[np.clip(np.where(beyond > 0, wrapped, distance - 1), 0, len(ahead) - 1)]
        line = panel.values[0]
        past = np.clip(len(line) - 1 + distance, 0, len(line) - 1)
        return np.where(distance > 0, answers, line[past])

    def _of_a_stranger(self, steps: Array) -> Array:
        """Answers for a series that was not in the history: the mean forecast of all others."""
        mean = self.ahead.mean(axis=0)
        distance = steps - int(np.median(self.panel.ends))
        answers: Array = mean[np.clip(distance - 1, 0, len(mean) - 1)]
        return answers

    def _far(self, panel: Panel, steps: int, known: Array) -> Array:
        """Forecasts (series, steps): beyond the horizon from what was forecast up to there."""
        parts: list[Array] = []
        done = 0
        while done < steps:
            part = min(self.horizon, steps - done)
            values = np.asarray(self.forecast(panel, part, known[:, done : done + part]), dtype=np.float64)
            values = _sane(values, panel)
            if self.nonnegative:
                values = np.maximum(values, 0.0)
            parts.append(values)
            if done + part < steps:
                panel = panel.longer(values, known[:, done : done + part])
            done += part
        return np.concatenate(parts, axis=1)

    # ------------------------------------------------------------ columns known in advance

    def _levels(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """How known columns become numbers: numbers as they are (the median where missing), labels one by one."""
        found: list[dict[str, Any]] = []
        for column in self.task["known"]:
            values = frame[column["name"]]
            if column["kind"] == "number":
                middle = float(values.median()) if values.notna().any() else 0.0
                found.append({"name": column["name"], "median": middle})
            else:
                found.append({"name": column["name"], "labels": [str(v) for v in values.value_counts().index[:LEVELS]]})
        return found

    def _known(self, frame: pd.DataFrame) -> Array:
        """(rows, columns) numbers of the known columns."""
        columns = []
        for level in self.levels:
            values = frame[level["name"]]
            if "median" in level:
                columns.append(values.fillna(level["median"]).to_numpy(np.float64))
            else:
                columns += [(values == label).to_numpy(np.float64) for label in level["labels"]]
        return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))

    def _usual(self, panel: Panel, steps: int) -> Array:
        """(series, steps, columns): the last known values, where nobody says what comes."""
        return np.stack([np.repeat(columns[-1:], steps, axis=0) for columns in panel.known])

    def _given(self, panel: Panel, distance: Array, known: Array, steps: int) -> Array:
        """(1, steps, columns) as the rows say, the last known values where there is no row."""
        given = self._usual(panel, steps)
        inside = (distance > 0) & (distance <= steps)
        given[0, distance[inside] - 1] = known[inside]
        return given


def _sane(values: Array, panel: Panel) -> Array:
    """Forecasts that do not run away: finite, and within ten times the range of the series."""
    low = np.array([line.min() for line in panel.values])[:, None]
    high = np.array([line.max() for line in panel.values])[:, None]
    last = np.array([line[-1] for line in panel.values])[:, None]
    room = 10 * (high - low)
    return np.clip(np.where(np.isfinite(values), values, last), low - room, high + room)
