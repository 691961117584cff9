"""From a typed frame to a matrix of float64: what a candidate's model sees.

Two modes. `tree`: numbers with missing values kept, categories as level codes. `matrix`: no missing values, robustly
scaled, one-hot or target-encoded; for linear models, neighbours and forests. Dates become parts and texts become
components in both. Data steps add to that:

    missing_indicators    a flag for every column with missing values, and how many a row lacks
    clip_outliers         numbers are cut at their .5 % and 99.5 % quantiles
    interactions          sums, differences, products, ratios of the most relevant numbers
    category_pairs        pairs of categories that together tell more than alone
    target_encoding       mean target of a category's level, out of fold in training
    frequency_encoding    share of rows that have the level
    quantile_scale        normal scores instead of robust scaling   (`matrix` only: trees see no difference)
    splines               numbers may bend at five quantiles        (`matrix` only: trees bend anyway)
    log_target, balance   see `table_targets.py`

The state is JSON and plain arrays: reading it back runs no code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from category_columns import MISSING, Levels, Tables
from number_columns import Arithmetic, Scaler, date_parts
from plain_state import load_arrays, pack, save_arrays, unpack
from text_columns import Text

Array = npt.NDArray[Any]

FEW = 64
"""Rows up to which a mixed frame is read as one block of objects."""
CLIP = (0.005, 0.995)


class Encoder:
    """Learns from training rows how to turn typed rows into a matrix.

    Args:
        steps: names of data steps; unknown names are ignored, since some are not the encoder's business.
        mode: `tree` or `matrix`.
        kind: `classification` (targets are codes 0, 1, ..., each present) or `regression`.
        one_hot: levels up to which a category is one-hot in `matrix` mode; above, it becomes its target means.
    """

    def __init__(
        self,
        steps: Sequence[str] = (),
        mode: str = "tree",
        kind: str = "classification",
        seed: int = 0,
        one_hot: int = 30,
    ) -> None:
        self.steps = list(steps)
        self.mode = mode
        self.kind = kind
        self.seed = seed
        self.one_hot = one_hot

    # ------------------------------------------------------------ learning

    def fit(self, frame: pd.DataFrame, target: Array) -> Encoder:
        self.fit_transform(frame, target)
        return self

    def fit_transform(self, frame: pd.DataFrame, target: Array, weight: Array | None = None) -> Array:
        """Learn, and encode the training rows, their target means out of fold: not the same as `fit`, then `transform`.

        Args:
            frame: typed rows.
            target: (rows,) class codes or values.
            weight: (rows,) what each row counts in target means, where rows are weighted.
        """
        self.columns = list(frame.columns)
        self.kinds = [kind_of(frame[name]) for name in self.columns]
        self.prepare()
        numbers, categories, dates, texts = self._read(frame)
        self.texts = [Text(self.seed).fit(column) for column in texts]
        numbers = self._fit_numbers(self._widen(numbers, dates, texts), target)
        codes, encoded = self._fit_categories(categories, len(frame), target, weight)
        matrix = self._join(numbers, codes, encoded)
        before = matrix.shape[1] - encoded.shape[1]
        self.native = [before + place for place in self.tables.native()] if self.mode == "tree" else []
        return matrix

    def _fit_numbers(self, wide: Array, target: Array) -> Array:
        """Learn from all number columns; returns those that vary, cut if asked for."""
        self.kept = np.flatnonzero(_varies(wide))
        numbers = wide[:, self.kept]
        self.bounds = np.zeros((2, 0))
        if "clip_outliers" in self.steps:
            self.bounds = _quantiles(numbers, CLIP)
            numbers = np.clip(numbers, *self.bounds)
        self.flagged = np.flatnonzero(np.isnan(numbers).any(axis=0))
        self.arithmetic = Arithmetic()
        if "interactions" in self.steps:
            self.arithmetic.fit(numbers, target, self.kind, self.seed)
        self.scaler = Scaler("quantile_scale" in self.steps, "splines" in self.steps)
        if self.mode == "matrix":
            self.scaler.fit(self._with_pairs(numbers))
        return numbers

    def _fit_categories(self, categories: list[Array], rows: int, target: Array, weight: Array | None
                        ) -> tuple[Array, Array]:  # fmt: skip
        """Learn from the category columns; returns codes and encoded columns of the training rows."""
        self.levels = Levels().fit(categories)
        if "category_pairs" in self.steps:
            self.levels.fit_pairs(categories, target, self.kind, self.seed)
        codes = self.levels.transform(categories, rows)
        frequencies, means = "frequency_encoding" in self.steps, "target_encoding" in self.steps
        self.tables = Tables(self.mode, self.kind, self.one_hot, frequencies, means, self.seed)
        return codes, self.tables.fit_transform(codes, self.levels.sizes, target, weight)

    def prepare(self) -> None:
        """Work out the positions of the columns of each kind, once."""
        self._numbers = [place for place, kind in enumerate(self.kinds) if kind == "number"]
        self._dates = [place for place, kind in enumerate(self.kinds) if kind == "date"]
        self._texts = [place for place, kind in enumerate(self.kinds) if kind == "text"]
        others = {*self._numbers, *self._dates, *self._texts}
        self._categories = [place for place in range(len(self.kinds)) if place not in others]
        self._known: pd.Index | None = None

    # ------------------------------------------------------------ encoding

    def transform(self, frame: pd.DataFrame) -> Array:
        """Encode rows: (rows, width) float64. Columns that are missing count as missing values, others are ignored."""
        numbers, categories, dates, texts = self._read(frame)
        numbers = self._widen(numbers, dates, texts)
        if len(self.kept) < numbers.shape[1]:
            numbers = numbers[:, self.kept]
        if self.bounds.size:
            numbers = np.clip(numbers, *self.bounds)
        codes = self.levels.transform(categories, len(frame))
        return self._join(numbers, codes, self.tables.transform(codes))

    def _read(self, frame: pd.DataFrame) -> tuple[Array, list[Array], list[Array], list[Array]]:
        """Numbers (rows, count) float64; categories, dates and texts as lists of (rows,) arrays."""
        if frame.columns is not self._known:
            if list(frame.columns) != self.columns:
                frame = frame.reindex(columns=self.columns)
            self._known = frame.columns
        dates = [_moments(frame.iloc[:, place]) for place in self._dates]
        if len(self._numbers) == len(self.columns):
            return frame.to_numpy(dtype=np.float64), [], [], []
        if len(frame) <= FEW:  # taking columns out of a frame one by one is what makes a single row slow
            block = frame.to_numpy(dtype=object)
            numbers = block[:, self._numbers].astype(np.float64)
            return numbers, [block[:, i] for i in self._categories], dates, [block[:, i] for i in self._texts]
        numbers = frame.iloc[:, self._numbers].to_numpy(dtype=np.float64)
        categories, texts = (
            [frame.iloc[:, place].to_numpy(dtype=object) for place in places]
            for places in (self._categories, self._texts)
        )
        return numbers, categories, dates, texts

    def _widen(self, numbers: Array, dates: list[Array], texts: list[Array]) -> Array:
        """Numbers, then parts of dates, then components of texts."""
        if not dates and not texts:
            return numbers
        parts = [date_parts(column) for column in dates]
        parts += [text.transform(column) for text, column in zip(self.texts, texts, strict=True)]
        return np.concatenate([numbers, *parts], axis=1)

    def _with_pairs(self, numbers: Array) -> Array:
        if not len(self.arithmetic.left):
            return numbers
        return np.concatenate([numbers, self.arithmetic.transform(numbers)], axis=1)

    def _join(self, numbers: Array, codes: Array, encoded: Array) -> Array:
        """All columns of the matrix, the encoded categories last."""
        parts = [self._with_pairs(numbers)]
        if self.mode == "matrix":
            parts = [self.scaler.transform(parts[0])]
        if "missing_indicators" in self.steps:
            absent = np.isnan(numbers)
            if self.mode == "tree":
                parts.append(absent[:, self.flagged].astype(np.float64))
            parts.append((absent.sum(axis=1) + (codes == MISSING).sum(axis=1))[:, None].astype(np.float64))
        parts.append(encoded)
        filled = [part for part in parts if part.shape[1]]
        if not filled:  # nothing varies: one column of zeros, so that every model can be fitted
            return np.zeros((len(numbers), 1))
        return np.concatenate(filled, axis=1) if len(filled) > 1 else filled[0]

    # ------------------------------------------------------------ state

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays; `arrays` has those."""
        return dict(pack(self, BLOCKS, {}))

    def arrays(self) -> dict[str, Array]:
        arrays: dict[str, Array] = {}
        pack(self, BLOCKS, arrays)
        return arrays

    @staticmethod
    def from_json(state: Mapping[str, Any], arrays: Mapping[str, Array]) -> Encoder:
        encoder = unpack(dict(state), BLOCKS, arrays)
        if not isinstance(encoder, Encoder):
            raise ValueError("This is not the state of an encoder.")
        return encoder

    def save(self, folder: str | Path) -> None:
        """Write `encoder.json` and `encoder.npz`."""
        Path(folder, "encoder.json").write_text(json.dumps(self.to_json(), ensure_ascii=False), encoding="utf-8")
        save_arrays(Path(folder, "encoder.npz"), self.arrays())

    @staticmethod
    def load(folder: str | Path) -> Encoder:
        state = json.loads(Path(folder, "encoder.json").read_text(encoding="utf-8"))
        return Encoder.from_json(state, load_arrays(Path(folder, "encoder.npz")))


BLOCKS = {block.__name__: block for block in (Encoder, Arithmetic, Levels, Tables, Scaler, Text)}


def kind_of(column: pd.Series) -> str:
    """Kind of a typed column: `number`, `date`, `text` or `category`.

    Texts are many different ones of several words; only they write a missing value as "".
    """
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    known = column.dropna()
    distinct = [str(value) for value in known.unique()]
    if "" in distinct:
        return "text"
    if len(distinct) < max(20, len(known) / 2):
        return "category"
    some = distinct[:1_000]
    words = sum(len(value.split()) for value in some) / len(some)
    return "text" if words >= 3 or sum(map(len, some)) / len(some) > 60 else "category"


def _moments(column: pd.Series) -> Array:
    if not pd.api.types.is_datetime64_any_dtype(column):  # a date column that the frame lacks
        column = pd.to_datetime(column)
    return np.asarray(column.to_numpy())


def _varies(numbers: Array) -> Array:
    missing = np.isnan(numbers)
    low = np.where(missing, np.inf, numbers).min(axis=0, initial=np.inf)
    high = np.where(missing, -np.inf, numbers).max(axis=0, initial=-np.inf)
    return (low < high) | (missing.any(axis=0) & ~missing.all(axis=0))


def _quantiles(numbers: Array, shares: tuple[float, ...]) -> Array:
    """(shares, columns), missing values left out; every column has a value."""
    columns = [np.quantile(column[~np.isnan(column)], shares) for column in numbers.T]
    return np.array(columns).T.reshape(len(shares), len(columns))
