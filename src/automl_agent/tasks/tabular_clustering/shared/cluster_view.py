"""From typed rows to points whose distances mean something: what clusters are looked for in.

Numbers and dates count alike, a category (or a text) as much as one number, whatever the number of its levels. A view
is one way of looking at these columns:

    standard            numbers divided by their standard deviation, or by a quarter of their range where that is more;
                        their ends are cut at the .5 % and 99.5 % quantiles
    quantile            numbers as normal scores: skewed columns and far values lose their weight
    reduced             `standard`, turned to its principal components, as many as hold 95 % of the variance
    quantile_reduced    the same of `quantile`

The state is JSON and plain arrays: reading it back runs no code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from plain_state import load_arrays, pack, save_arrays, unpack
from text_columns import Text

Array = npt.NDArray[Any]

VIEWS = ("standard", "quantile", "reduced", "quantile_reduced")
ENDS = (0.005, 0.995)
KEPT = 0.95
"""Share of the variance that a reduced view holds."""
LEVELS = 30
"""Levels of a category that are told apart; the others count as one."""
RANGE = 4.0
"""Standard deviations that the range of a number may hold. Division by the range recovers clusters better than that by
the standard deviation (Milligan & Cooper 1988), which stretches columns that have long tails; but it lets flags count
several times as much as measurements. The larger of both divisors does neither."""
REFERENCES = 200
"""Quantiles that a normal score is interpolated between."""
FAR = 3.0
"""The largest normal score."""


class View:
    """Learns from training rows how to see typed rows as points.

    Args:
        kind: one of `VIEWS`.
        components: principal components kept at most; 0 means all that the kind keeps.
    """

    def __init__(self, kind: str = "standard", components: int = 0, seed: int = 0) -> None:
        if kind not in VIEWS:
            raise ValueError(f"There is no view {kind!r}; there are {', '.join(VIEWS)}.")
        self.kind = kind
        self.components = components
        self.seed = seed

    def fit_transform(self, frame: pd.DataFrame) -> Array:
        """Learn, and return the training rows as points (rows, width)."""
        self.columns = list(frame.columns)
        self.blocks = [_block(frame[name], self.kind.startswith("quantile"), self.seed) for name in self.columns]
        self.turn: Array | None = None
        points = self.transform(frame)
        if self.kind.endswith("reduced") or self.components:
            self.centre, self.turn = self._principal(points)
            points = (points - self.centre) @ self.turn
        return points

    def transform(self, frame: pd.DataFrame) -> Array:
        """Rows as points (rows, width) float64; columns that the frame lacks count as missing."""
        if list(frame.columns) != self.columns:
            frame = frame.reindex(columns=self.columns)
        parts = [block.transform(frame[name]) for name, block in zip(self.columns, self.blocks, strict=True)]
        filled = [part for part in parts if part.shape[1]]
        points = np.concatenate(filled, axis=1) if filled else np.zeros((len(frame), 1))
        return points if self.turn is None else (points - self.centre) @ self.turn

    def _principal(self, points: Array) -> tuple[Array, Array]:
        centre = points.mean(axis=0)
        shifted = points - centre
        variances, axes = np.linalg.eigh(shifted.T @ shifted / len(points))
        order = np.argsort(-variances, kind="stable")
        variances, axes = np.maximum(variances[order], 0), axes[:, order]
        axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
        told = np.cumsum(variances) / max(float(variances.sum()), 1e-300)
        width = int(np.searchsorted(told, KEPT)) + 1 if self.kind.endswith("reduced") else len(variances)
        width = min(width, self.components or width, max(1, int((variances > 1e-9 * variances[0]).sum())))
        return centre, np.ascontiguousarray(axes[:, :width])

    def save(self, folder: str | Path, name: str = "view") -> None:
        """Write `NAME.json` and `NAME.npz`."""
        arrays: dict[str, Array] = {}
        state = pack(self, BLOCKS, arrays)
        Path(folder, f"{name}.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        save_arrays(Path(folder, f"{name}.npz"), arrays)

    @staticmethod
    def load(folder: str | Path, name: str = "view") -> View:
        state = json.loads(Path(folder, f"{name}.json").read_text(encoding="utf-8"))
        view = unpack(state, BLOCKS, load_arrays(Path(folder, f"{name}.npz")))
        if not isinstance(view, View):
            raise ValueError("This is not the state of a view.")
        return view


class Numbers:
    """A column of numbers or dates: one coordinate of variance 1 at most; missing values lie at the median."""

    def __init__(self, quantiles: bool) -> None:
        self.quantiles = quantiles

    def fit(self, values: Array) -> Numbers:
        known = values[~np.isnan(values)]
        self.references = np.quantile(known, np.linspace(0, 1, REFERENCES)) if len(known) else np.zeros(REFERENCES)
        self.low, self.middle, self.high = (float(end) for end in np.quantile(known, [ENDS[0], 0.5, ENDS[1]])
                                            ) if len(known) else (0.0, 0.0, 0.0)  # fmt: skip
        if not self.low < self.high and len(known):  # nearly constant: cutting the ends would leave nothing
            self.low, self.high = float(known.min()), float(known.max())
        self.mean, self.scale = 0.0, 1.0
        plain = self._plain(values)
        self.mean, self.scale = float(plain.mean()), float(plain.std())
        if not self.quantiles and self.scale > 1e-12:
            self.scale = max(self.scale, float(np.ptp(plain)) / RANGE)
        return self

    def _plain(self, values: Array) -> Array:
        filled = np.where(np.isnan(values), self.middle, values)
        if self.quantiles:
            return np.asarray(np.interp(filled, *_steps(self.references)))
        half = max(abs(self.low), abs(self.high)) or 1.0
        return np.asarray(
            np.clip(filled, self.low, self.high) / half
        )  # values near the largest float must not overflow

    def transform(self, values: Array) -> Array:
        if self.scale <= 1e-12:
            return np.zeros((len(values), 0))
        return np.asarray(((self._plain(values) - self.mean) / self.scale)[:, None])


class Levels:
    """A category: a coordinate for each level, which together have variance 1."""

    def fit(self, values: Sequence[Any]) -> Levels:
        counts = pd.Series(values, dtype=object).value_counts()
        names = sorted(counts.index, key=lambda level: (-counts[level], str(level)))
        self.names = [str(name) for name in names[:LEVELS]]
        self.mean: Array = np.zeros(len(self.names) + 1)
        self.scale = 1.0
        table = self._table(values)
        self.mean = table.mean(axis=0)
        self.scale = float(np.sqrt(table.var(axis=0).sum()))
        return self

    def _table(self, values: Sequence[Any]) -> Array:
        places = {name: place for place, name in enumerate(self.names)}
        codes = [places.get(value, len(places)) if isinstance(value, str) else len(places) for value in values]
        return np.eye(len(places) + 1)[np.asarray(codes, dtype=np.int64)].reshape(len(codes), len(places) + 1)

    def transform(self, values: Sequence[Any]) -> Array:
        if self.scale <= 1e-12:
            return np.zeros((len(values), 0))
        return np.asarray((self._table(values) - self.mean) / self.scale)


class Words:
    """A text: the components of its words, which together have variance 1. How long it is does not count."""

    def __init__(self, seed: int) -> None:
        self.text = Text(seed)

    def fit(self, values: Array) -> Words:
        parts = self.text.fit(values).transform(values)[:, 1:]
        self.mean = parts.mean(axis=0)
        self.scale = float(np.sqrt(parts.var(axis=0).sum()))
        return self

    def transform(self, values: Array) -> Array:
        if self.scale <= 1e-12:
            return np.zeros((len(values), 0))
        return np.asarray((self.text.transform(values)[:, 1:] - self.mean) / self.scale)


class Column:
    """A column of a typed frame and what it becomes."""

    def __init__(self, kind: str, block: Any) -> None:
        self.kind = kind
        self.block = block

    def transform(self, column: pd.Series[Any]) -> Array:
        return np.asarray(self.block.transform(_values(column, self.kind)))


BLOCKS = {block.__name__: block for block in (View, Column, Numbers, Levels, Words, Text)}


def _block(column: pd.Series[Any], quantiles: bool, seed: int) -> Column:
    kind = _kind(column)
    values = _values(column, kind)
    block: Any = Numbers(quantiles) if kind in ("number", "date") else Words(seed) if kind == "text" else Levels()
    return Column(kind, block.fit(values))


def _kind(column: pd.Series[Any]) -> str:
    """Kind of a typed column. Only texts write a missing value as "", and few categories have long levels."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    known = [str(value) for value in column.dropna().unique()]
    if "" in known:
        return "text"
    wordy = known and sum(len(value.split()) for value in known[:1000]) / len(known[:1000]) >= 3
    return "text" if wordy and len(known) > max(20, 0.5 * len(column)) else "category"


def _values(column: pd.Series[Any], kind: str) -> Any:
    if kind == "date":
        moments = pd.to_datetime(column).to_numpy().astype("datetime64[s]")
        return np.where(np.isnat(moments), np.nan, moments.astype(np.int64).astype(np.float64))
    if kind == "number":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.to_numpy(dtype=object)


def _steps(references: Array) -> tuple[Array, Array]:
    """Distinct quantiles and the normal score of each: that of the middle of the ranks that it takes up."""
    from scipy.special import ndtri

    shares = np.linspace(0, 1, len(references))
    values, first, counts = np.unique(references, return_index=True, return_counts=True)
    middle = (shares[first] + shares[first + counts - 1]) / 2
    return values, np.clip(ndtri(np.clip(middle, 0.00135, 0.99865)), -FAR, FAR)
