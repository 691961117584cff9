"""How code that a language model wrote is called: on copies, under the names that it knows, its dice fixed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd


def shown(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """A copy of the frame as the code knows it; `names` leads from stand-ins to the columns' own names."""
    copy = frame.copy()
    if names:
        stand_ins = {name: stand_in for stand_in, name in names.items()}
        copy.columns = pd.Index([stand_ins.get(name, name) for name in frame.columns], dtype=object)
    return copy


def drawn(frame: pd.DataFrame, target: Any, weight: Any, seed: int) -> tuple[pd.DataFrame, Any]:
    """As many rows, drawn with replacement in proportion to their weights: for code that knows of none."""
    if weight is None:
        return frame, target
    rows = np.sort(np.random.default_rng(seed).choice(len(frame), len(frame), p=weight / weight.sum()))
    absent = np.setdiff1d(np.unique(target), np.unique(target[rows])) if target.dtype.kind == "i" else []
    rows = np.append(rows, [np.flatnonzero(target == code)[0] for code in absent]).astype(np.int64)  # no class is lost
    return frame.iloc[rows].reset_index(drop=True), target[rows]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Fixes the global random numbers, which code uses that forgot to take a seed; afterwards they go on as before."""
    plain, numeric = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(numeric)


def checked_state(state: Any, what: str) -> dict[str, Any]:
    """What `fit` returned, if it is a dictionary."""
    if not isinstance(state, dict):
        raise TypeError(f"{what} must return a dict (the state), it returned {type(state).__name__}")
    return state
