"""What generated code may remember: formats that run no code when they are read, and clear words for the rest."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import automl_agent
from automl_agent.tasks.candidate import load_candidate

SHARED = Path(automl_agent.__file__).parent / "tasks" / "tables" / "shared"


@pytest.fixture(scope="module")
def stored_state() -> ModuleType:
    return load_candidate(SHARED / "stored_state.py", (SHARED,))


def back(stored_state: ModuleType, folder: Path, value: Any) -> Any:
    stored_state.save_state({"value": value}, folder, "state")
    return stored_state.load_state(folder, "state")["value"]


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, float("inf"), "text é", [1, [2, None]], (1, "a"), {1, 2}, {"a": {"b": (1.5,)}},
        {1: "one", 2.5: "x", None: 0, False: 1}, {}, [], {"dict": [], "array": "0", "booster": "../x"},
    ],
)  # fmt: skip
def test_plain_values_come_back_as_they_were(stored_state: ModuleType, tmp_path: Path, value: Any) -> None:
    found = back(stored_state, tmp_path, value)
    assert found == value and type(found) is type(value)


def test_arrays_come_back_as_they_were(stored_state: ModuleType, tmp_path: Path) -> None:
    arrays = [
        np.arange(6, dtype=np.int32).reshape(2, 3), np.array([1.5, np.nan]), np.array(["a", "é"]), np.zeros((0, 4)),
        np.array(["a", None, 3.5], dtype=object), np.array([["a"], [None]], dtype=object),
        np.array(["2024-01-01"], dtype="datetime64[ns]"), np.array(5.0),
    ]  # fmt: skip
    for before, after in zip(arrays, back(stored_state, tmp_path, arrays), strict=True):
        assert before.dtype == after.dtype and before.shape == after.shape
        np.testing.assert_array_equal(before, after)
    assert back(stored_state, tmp_path, np.float32(2.5)) == 2.5
    assert back(stored_state, tmp_path, {np.int64(3): np.bool_(True)}) == {3: True}


def test_models_come_back_as_they_were(stored_state: ModuleType, tmp_path: Path) -> None:
    import lightgbm
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.random.default_rng(0).normal(size=(80, 3))
    y = (x[:, 0] > 0).astype(int)
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(x, y), 3)
    forest = RandomForestClassifier(5, random_state=0).fit(x, y)
    pipeline = make_pipeline(StandardScaler(), KNeighborsClassifier(3)).fit(x, y)
    found = back(stored_state, tmp_path, [booster, {"forest": forest}, pipeline])
    np.testing.assert_array_equal(found[0].predict(x), booster.predict(x))
    np.testing.assert_array_equal(found[1]["forest"].predict_proba(x), forest.predict_proba(x))
    np.testing.assert_array_equal(found[2].predict_proba(x), pipeline.predict_proba(x))
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".txt", ".skops"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (pd.Series([1.0]), "state['value'] is a Series, which cannot be stored: use .to_dict() or .to_numpy()"),
        ({"x": [pd.DataFrame()]}, "state['value']['x'][0] is a DataFrame"),
        (datetime(2024, 1, 1), "is a datetime, which cannot be stored: use .isoformat()"),
        (lambda x: x, "is a function, which cannot be stored: define it at the top of the module"),
        (sys, "is a module"),
        (object(), "is a object, which cannot be stored: what can be: numbers, texts, None, lists"),
        ({(1, 2): 3}, "has the key (1, 2), a tuple: keys must be texts or numbers"),
        (np.array([object()]), "is a object"),
    ],
)
def test_what_cannot_be_stored_is_named_with_what_to_use(
    stored_state: ModuleType, tmp_path: Path, value: Any, words: str
) -> None:
    with pytest.raises(TypeError) as caught:
        back(stored_state, tmp_path, value)
    assert words in str(caught.value)


def test_estimators_with_code_in_them_are_refused(stored_state: ModuleType, tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(TypeError, match=r"a FunctionTransformer, holds .*, which cannot be stored"):
        back(stored_state, tmp_path, FunctionTransformer(back))


def test_a_state_that_contains_itself_is_refused(stored_state: ModuleType, tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match="contains itself"):
        back(stored_state, tmp_path, endless)
