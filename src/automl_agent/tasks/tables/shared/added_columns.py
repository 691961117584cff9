"""A candidate with columns that a module adds: the module learns from the training rows, the candidate from both.

The module defines `fit(frame, target) -> dict` and `transform(frame, state) -> DataFrame` of new columns (numbers,
booleans or texts), one row for each row of `frame`. It never sees the target of a row that is predicted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from module_calls import checked_state, seeded, shown
from stored_state import load_state, save_state

Array = npt.NDArray[Any]

MOST = 300
"""Columns that a module may add."""


def with_columns(base: type, module: ModuleType, names: Mapping[str, str] | None = None) -> type[AddedColumns]:
    """The candidate class `base`, fitted on the columns of the table and on those that `module` adds.

    Args:
        names: stand-in name of a column, as the module knows it, -> its name.
    """
    return type("Model", (AddedColumns,), {"base": base, "module": module, "names": dict(names or {})})


class AddedColumns:
    """See `with_columns`. `params["without"]` leaves added columns out."""

    base: ClassVar[Any]
    module: ClassVar[ModuleType]
    names: ClassVar[Mapping[str, str]]

    def __init__(
        self,
        task: Mapping[str, Any],
        params: Mapping[str, Any],
        steps: Sequence[str],
        seed: int,
        threads: int = 1,
        time_limit: float | None = None,
    ) -> None:
        self.task, self.steps, self.seed = task, steps, seed
        self.threads, self.time_limit = threads, time_limit
        self.without = list(params.get("without") or [])
        nested = issubclass(self.base, AddedColumns)
        self.params = {key: value for key, value in params.items() if nested or key != "without"}
        self.state: dict[str, Any] = {}
        self.kinds: dict[str, str] = {}
        """`number` or `text` for each added column."""

    def fit(self, frame: pd.DataFrame, target: Array, weight: Array | None = None) -> AddedColumns:
        started = time.monotonic()
        with seeded(self.seed):
            self.state = checked_state(self.module.fit(shown(frame, self.names), target.copy()), "fit")
        self.kinds = {name: _kind(name, column) for name, column in self._transformed(frame).items()}
        left = None if self.time_limit is None else max(0.1, self.time_limit - (time.monotonic() - started))
        self.model = self.base(self.task, self.params, self.steps, self.seed, threads=self.threads, time_limit=left)
        self.model.fit(self._joined(frame), target, *(() if weight is None else (weight,)))
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        answer: Array = self.model.predict(self._joined(frame))
        return answer

    def added(self, frame: pd.DataFrame) -> pd.DataFrame:
        """All columns that the module adds to these rows: float64, or object with `None` where missing."""
        found = self._transformed(frame)
        if set(found) != set(self.kinds):
            missing, more = sorted(set(self.kinds) - set(found)), sorted(set(found) - set(self.kinds))
            raise ValueError(f"transform must always return the same columns: {missing} are missing, {more} are new")
        data = {name: _values(found[name], kind) for name, kind in self.kinds.items()}
        return pd.DataFrame(data, index=frame.index)

    def save(self, folder: str | Path) -> None:
        folder = Path(folder)
        self.model.save(folder)
        stored = {"state": self.state, "kinds": self.kinds, "without": self.without}
        save_state(stored, folder, self.module.__name__)
        effective = folder / "params.json"
        if self.without and effective.exists():
            known = json.loads(effective.read_text(encoding="utf-8"))
            effective.write_text(json.dumps({**known, "without": self.without}, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> AddedColumns:
        stored = load_state(Path(folder), cls.module.__name__)
        model = cls({}, {"without": stored["without"]}, [], 0)
        model.state, model.kinds = stored["state"], stored["kinds"]
        model.model = cls.base.load(folder)
        return model

    def _joined(self, frame: pd.DataFrame) -> pd.DataFrame:
        kept = [name for name in self.kinds if name not in self.without]
        return pd.concat([frame, self.added(frame)[kept]], axis=1) if kept else frame

    def _transformed(self, frame: pd.DataFrame) -> dict[str, pd.Series]:
        """What `transform` returns, by name, once it is clear that it fits to the rows."""
        given = shown(frame, self.names)
        found = self.module.transform(given.copy(), self.state)
        if not isinstance(found, pd.DataFrame):
            raise TypeError(f"transform must return a pandas DataFrame, it returned {type(found).__name__}")
        if len(found) != len(frame):
            raise ValueError(f"transform must return one row for each of the {len(frame)} rows, not {len(found)}")
        if list(found.index) != list(range(len(found))) and not found.index.equals(frame.index):
            raise ValueError("transform must keep the rows in their order and under their index")
        return _checked_names(found, {*frame.columns, *given.columns})


def _checked_names(found: pd.DataFrame, taken: set[Any]) -> dict[str, pd.Series]:
    names = list(found.columns)
    if not names:
        raise ValueError("transform returned no column")
    if len(names) > MOST:
        raise ValueError(f"transform returned {len(names)} columns, {MOST} are allowed")
    strange = [name for name in names if not isinstance(name, str) or not name.strip()]
    if strange:
        raise ValueError(f"transform must name its columns by texts, not {strange[0]!r}")
    known = [name for name in names if name in taken]
    if known:
        raise ValueError(f"transform must return new columns only: the table has {known[:5]} already")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"transform returned {repeated[:5]} more than once")
    return {name: found.iloc[:, place].reset_index(drop=True) for place, name in enumerate(names)}


def _kind(name: str, column: pd.Series) -> str:
    """`number` or `text`.

    Raises:
        TypeError: it is neither.
    """
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        if column.dtype.kind == "c":
            raise TypeError(f"the new column {name!r} holds complex numbers")
        return "number"
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise TypeError(f"the new column {name!r} holds times: turn them into numbers")
    known = [value for value in column.astype(object) if not _absent(value)]
    strange = [value for value in known if not isinstance(value, str | bool | int | float | np.bool_ | np.number)]
    if strange:
        raise TypeError(f"the new column {name!r} holds a {type(strange[0]).__name__}: use numbers or texts")
    return "text" if any(isinstance(value, str) for value in known) else "number"


def _values(column: pd.Series, kind: str) -> Any:
    if kind == "number":
        numbers = pd.to_numeric(column.astype(object), errors="coerce") if column.dtype.kind in "OTUSM" else column
        values = np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.where(np.isfinite(values), values, np.nan)
    values = np.empty(len(column), dtype=object)
    values[:] = [None if _absent(value) else str(value) for value in column.astype(object)]
    return values


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value
