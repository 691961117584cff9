"""Feature preparation for tables: every step, its state, and what must not leak."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl_agent

SHARED = Path(automl_agent.__file__).parent / "tasks" / "tables" / "shared"
if str(SHARED) not in sys.path:
    sys.path.insert(0, str(SHARED))

from number_columns import date_parts  # noqa: E402
from prepare import Encoder, kind_of  # noqa: E402
from table_targets import TargetTransform, class_weights, hold_out  # noqa: E402

STEPS = (
    "missing_indicators", "target_encoding", "frequency_encoding", "interactions", "category_pairs", "quantile_scale",
    "clip_outliers", "splines",
)  # fmt: skip


def words(values: list[str | None]) -> pd.Series:
    return pd.Series(values, dtype=object)


def typed_frame(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "name {with: [signs]} 🙂"])
    frame.loc[::7, "a"] = np.nan
    frame["colour"] = words(list(rng.choice(["red", "green", "blue", None], rows)))
    frame["town"] = words([f"town {number}" for number in rng.integers(0, 40, rows)])
    frame["flag"] = words(list(rng.choice(["True", "False"], rows)))
    frame["day"] = pd.to_datetime("2021-03-01") + pd.to_timedelta(rng.integers(0, 800, rows), unit="D")
    frame.loc[5, "day"] = pd.NaT
    stock = ["slow", "fast", "engine", "broken", "new", "shiny", "door", "window"]
    frame["remark"] = words([" ".join(rng.choice(stock, 6)) for _ in range(rows)])
    frame.loc[9, "remark"] = ""
    frame["empty"] = np.nan
    frame["nothing"] = words([None] * rows)
    return frame


def target_of(frame: pd.DataFrame, kind: str) -> np.ndarray:
    either = (frame["colour"] == "red") ^ (frame["flag"] == "True")
    value = (frame["a"].fillna(0) * frame["b"] + 2 * either + frame["b"]).to_numpy()
    return (value > 0.2).astype(np.int64) if kind == "classification" else value


@pytest.mark.parametrize("mode", ["tree", "matrix"])
@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize(
    "steps", [(), *((step,) for step in STEPS), STEPS], ids=lambda steps: "+".join(steps) or "none"
)
def test_every_step_round_trips_and_one_row_equals_the_batch(
    mode: str, kind: str, steps: tuple[str, ...], tmp_path: Path
) -> None:
    frame = typed_frame()
    new = typed_frame(70, seed=1)
    new.loc[0, "colour"] = "never seen"
    encoder = Encoder(steps, mode, kind)
    fitted = encoder.fit_transform(frame, target_of(frame, kind))
    batch = encoder.transform(new)

    assert fitted.shape == (200, batch.shape[1])
    assert batch.dtype == np.float64
    assert not np.isinf(batch[~np.isnan(batch)]).any()
    assert mode == "tree" or not np.isnan(batch).any()
    one_by_one = np.concatenate([encoder.transform(new.iloc[place : place + 1]) for place in range(len(new))])
    np.testing.assert_allclose(one_by_one, batch, rtol=1e-12, atol=1e-12)
    encoder.save(tmp_path)
    np.testing.assert_array_equal(Encoder.load(tmp_path).transform(new), batch)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)), encoder.arrays())
    np.testing.assert_array_equal(again.transform(new), batch)


@pytest.mark.parametrize("mode", ["tree", "matrix"])
@pytest.mark.parametrize("step", [step for step in STEPS if step not in ("quantile_scale", "splines")])
def test_every_step_changes_the_matrix(mode: str, step: str) -> None:
    frame = typed_frame()
    frame.loc[0, "b"] = 1e6
    target = target_of(frame, "regression")
    plain = Encoder((), mode, "regression").fit_transform(frame, target)
    changed = Encoder((step,), mode, "regression").fit_transform(frame, target)
    assert changed.shape != plain.shape or not np.array_equal(changed, plain, equal_nan=True)


@pytest.mark.parametrize("step", ["quantile_scale", "splines"])
def test_steps_that_trees_cannot_see_are_left_out_for_them(step: str) -> None:
    frame = typed_frame()
    target = target_of(frame, "regression")
    for mode, same in (("tree", True), ("matrix", False)):
        plain = Encoder((), mode, "regression").fit_transform(frame, target)
        changed = Encoder((step,), mode, "regression").fit_transform(frame, target)
        assert np.array_equal(changed, plain, equal_nan=True) is same


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_target_encoding_of_random_categories_does_not_leak(kind: str) -> None:
    rng = np.random.default_rng(3)
    rows = 4_000
    frame = pd.DataFrame({"who": words([f"id {number}" for number in rng.integers(0, 1_500, rows)])})
    target = rng.integers(0, 2, rows) if kind == "classification" else rng.normal(size=rows)
    encoder = Encoder((), "matrix", kind)  # more levels than one-hot allows: target means only
    fitted = encoder.fit_transform(frame, target)
    assert fitted.shape[1] == 1
    assert abs(np.corrcoef(fitted[:, 0], target)[0, 1]) < 0.06
    assert np.corrcoef(encoder.transform(frame)[:, 0], target)[0, 1] > 0.3  # what in-sample means would have shown


def test_target_encoding_tells_what_is_there() -> None:
    rng = np.random.default_rng(4)
    level = rng.integers(0, 50, 2_000)
    frame = pd.DataFrame({"town": words([f"t{number}" for number in level])})
    fitted = Encoder((), "matrix", "regression").fit_transform(frame, level + rng.normal(size=2_000))
    assert np.corrcoef(fitted[:, 0], level)[0, 1] > 0.95


def test_interactions_find_a_ratio() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.uniform(1, 5, size=(800, 4)), columns=list("abcd"))
    ratio = (frame["b"] / frame["d"]).to_numpy()
    fitted = Encoder(("interactions",), "tree", "regression").fit_transform(frame, ratio)
    assert any(np.allclose(column, ratio) or np.allclose(column, 1 / ratio) for column in fitted.T)


def test_category_pairs_find_an_exclusive_or() -> None:
    rng = np.random.default_rng(6)
    left, right = rng.integers(0, 2, (2, 600))
    frame = pd.DataFrame({"x": words([f"x{n}" for n in left]), "y": words([f"y{n}" for n in right])})
    target = (left ^ right).astype(np.int64)
    fitted = Encoder(("category_pairs", "target_encoding"), "tree").fit_transform(frame, target)
    assert max(abs(np.corrcoef(column, target)[0, 1]) for column in fitted.T) > 0.95


def test_missing_unknown_and_reordered_columns() -> None:
    frame = typed_frame()
    encoder = Encoder(STEPS, "matrix").fit(frame, target_of(frame, "classification"))
    expected = encoder.transform(frame.iloc[:3])
    shuffled = frame.iloc[:3, ::-1].assign(stranger=1.0)
    np.testing.assert_array_equal(encoder.transform(shuffled), expected)
    for rows in (3, 100):
        lacking = encoder.transform(frame.iloc[:rows].drop(columns=["b", "colour", "day", "remark"]))
        assert lacking.shape == (rows, expected.shape[1])
        assert np.isfinite(lacking).all()


def test_trees_get_missing_values_and_codes_as_they_are() -> None:
    frame = pd.DataFrame({"x": [1.0, np.nan, 3.0, 4.0] * 3, "c": words(["u", "v", None, "w"] * 3)})
    encoder = Encoder((), "tree").fit(frame, np.array([0, 1, 0, 1] * 3))
    new = pd.DataFrame({"x": [np.nan, 2.0], "c": words(["w", "strange"])})
    np.testing.assert_array_equal(encoder.transform(new), [[np.nan, 2.0], [2.0, np.nan]])
    assert encoder.native == [1]


def test_huge_values_stay_finite() -> None:
    frame = pd.DataFrame({"x": [1e308, -1e308, 1.0, 2.0, 3.0] * 10, "y": np.arange(50.0)})
    for mode in ("tree", "matrix"):
        matrix = Encoder(("interactions", "splines"), mode, "regression").fit_transform(frame, np.arange(50.0))
        assert not np.isinf(matrix).any()


def test_nothing_to_learn_from_gives_a_column_of_zeros() -> None:
    frame = pd.DataFrame({"x": [1.0] * 30, "y": [np.nan] * 30, "c": words([None] * 30)})
    for mode in ("tree", "matrix"):
        encoder = Encoder((), mode).fit(frame, np.array([0, 1] * 15))
        np.testing.assert_array_equal(encoder.transform(frame), np.zeros((30, 1)))


def test_kinds_of_typed_columns() -> None:
    frame = typed_frame()
    found = [kind_of(frame[name]) for name in frame]
    assert found == ["number"] * 3 + ["category"] * 3 + ["date", "text", "number", "category"]


def test_date_parts() -> None:
    dates = np.array(["2024-02-29T18:30:00", "1969-12-31T00:00:00", "NaT", "9999-12-31T00:00:00"], "datetime64[s]")
    parts = date_parts(dates)
    assert parts[0].tolist() == [2024, 2, 29, 3, 18.5, pytest.approx(19782.770833333)]
    assert parts[1].tolist() == [1969, 12, 31, 2, 0, -1]
    assert np.isnan(parts[2]).all()
    assert parts[3, 0] == 9999


def test_target_transform_is_undone_and_bounded() -> None:
    values = np.array([0.0, 1.0, 10.0, 1_000.0])
    for steps, metric in (((), "rmse"), (("log_target",), "rmse"), ((), "rmsle"), ((), "mape")):
        transform = TargetTransform().fit(values, steps, metric)
        np.testing.assert_allclose(transform.inverse(transform.forward(values)), values, atol=1e-9)
    assert TargetTransform().fit(values, ("log_target",), "rmse").inverse(np.array([1e6]))[0] < 3_000
    assert TargetTransform().fit(values, (), "rmsle").inverse(np.array([-1e6]))[0] == 0
    below = TargetTransform().fit(values - 5, ("log_target",), "rmse")
    assert not below.log


def test_class_weights_and_holdout() -> None:
    codes = np.array([0] * 90 + [1] * 10)
    weights = class_weights(codes)
    assert weights.mean() == pytest.approx(1)
    assert weights[codes == 0].sum() == pytest.approx(weights[codes == 1].sum())
    inside, outside = hold_out(codes, seed=0)
    assert sorted([*inside, *outside]) == list(range(100))
    assert 12 <= len(outside) <= 17
    assert 1 <= codes[outside].sum() <= 2
