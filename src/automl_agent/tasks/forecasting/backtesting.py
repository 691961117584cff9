"""Backtests with rolling origins: the folds of a data folder, and what their errors say of intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.tasks.family import FoldData
from automl_agent.tasks.forecasting.reading import series_io
from automl_agent.tasks.tables import dataset

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

LEVEL = 0.9
ENOUGH = 60
"""Residuals that a half-width rests on: steps next to each other share theirs until there are so many."""


def load_fold(folder: Path, index: int, *, rows: int = 0, seed: int = 0) -> FoldData:
    """The window `index` of every series to forecast, from one origin or several, and what came before it to learn
    from. The number after the last window gives all rows to learn from.

    Args:
        rows: when greater than 0, at most about so many training rows: the latest of each series, of some of the series
            where there are many.
    """
    import numpy as np

    data = dataset.load(folder)
    count = int(data.folds.max()) + 1
    train = np.flatnonzero(data.folds < index)
    valid = np.flatnonzero(data.folds == min(index, count - 1))
    if index > count or not len(train) or not len(valid):
        raise ValueError(f"There is no fold {index}; there are {count}.")
    if 0 < rows < len(train):
        train, valid = _fewer(data, train, valid, rows, np.random.default_rng([seed, index]))
    io, asked = series_io(), data.frame.iloc[valid].reset_index(drop=True)
    return FoldData(
        train=data.frame.iloc[train].reset_index(drop=True),
        target=data.target[train],
        valid=asked,
        valid_rows=valid,
        rounds=tuple(io.rounds(asked, data.target[valid], data.schema["time_series"])) if index < count else (),
    )


def _fewer(data: dataset.Dataset, train: Array, valid: Array, rows: int, random: Any) -> tuple[Array, Array]:
    """The latest rows of the series, or of some of them drawn at random."""
    import numpy as np
    import pandas as pd

    told = data.schema["time_series"]
    codes, names = pd.factorize(_keys(data))
    least = 3 * told["season"] + 3 * told["horizon"]
    each = max(least, rows // len(names))
    if each * len(names) > rows:
        shown = np.unique(codes[valid])
        chosen = random.choice(shown, max(1, min(len(shown), rows // each)), replace=False)
        train, valid = train[np.isin(codes[train], chosen)], valid[np.isin(codes[valid], chosen)]
    behind = pd.Series(codes[train]).groupby(codes[train]).cumcount(ascending=False).to_numpy()  # rows grow with time
    return train[behind < each], valid


def _keys(data: dataset.Dataset) -> Array:
    return series_io().keys(data.frame, data.schema["time_series"])  # type: ignore[no-any-return]


def training_truth(folder: Path) -> Array:
    """(rows, 2): the value and the scale of its series."""
    import numpy as np

    data = dataset.load(folder)
    ends = data.schema["time_series"]["ends"]
    scale = np.array([ends[name][1] for name in _keys(data)])
    truth: Array = np.stack([data.target, scale], axis=1)
    return truth


def spread(folder: Path, rows: Array, truth: Array, prediction: Array) -> dict[str, list[float]]:
    """For each step ahead the half-width that covers 90 % of the backtests' errors, in scales of the series, smoothed
    over neighbouring steps and never falling (split conformal; Lei et al. 2018)."""
    import numpy as np

    data = dataset.load(folder)
    told = data.schema["time_series"]
    ends, horizon = told["ends"], told["horizon"]
    last = np.array([ends[name][0] for name in _keys(data)[rows]])
    steps = series_io().steps_of(data.frame.iloc[rows], told)
    ahead = horizon - (last - steps) % horizon
    scale = np.where(truth[:, 1] > 0, truth[:, 1], 1.0)
    errors = np.abs(truth[:, 0] - prediction) / scale
    widths = []
    for step in range(1, horizon + 1):
        for reach in range(horizon):
            near = errors[np.abs(ahead - step) <= reach]
            if len(near) >= ENOUGH or reach == horizon - 1:
                break
        near = np.sort(near)
        rank = min(len(near) - 1, int(np.ceil(LEVEL * (len(near) + 1))) - 1)
        widths.append(float(near[rank]) if len(near) else 0.0)
    return {"steps": np.maximum.accumulate(widths).tolist()}
