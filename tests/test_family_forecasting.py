"""Time-series forecasting: what is understood, how series are read and divided, what is never looked at, what ships."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent import InputError, Request, Settings, build_graph
from automl_agent.agents.understanding.prompt import understand
from automl_agent.records import DataProfile, TaskSpec
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.forecasting import FAMILY, frequency
from automl_agent.tasks.forecasting.reading import series_io
from automl_agent.tasks.forecasting.scoring import score
from automl_agent.tasks.forecasting.shared.calendars import ticks, times
from automl_agent.tasks.jobs import follow
from automl_agent.tasks.registry import families


def waves(steps: int = 600, *, level: float = 100.0, seed: int = 0) -> np.ndarray:
    """Hourly values with a daily and a weekly wave."""
    hours = np.arange(steps)
    noise = np.random.default_rng(seed).normal(0, 2, steps)
    return level + 20 * np.sin(2 * np.pi * hours / 24) + 6 * np.sin(2 * np.pi * hours / 168) + noise


def hourly(steps: int = 600, **options: Any) -> pd.DataFrame:
    start = pd.Timestamp("2023-01-01")
    return pd.DataFrame({"time": pd.date_range(start, periods=steps, freq="h"), "load": waves(steps, **options)})


def shops(steps: int = 90) -> pd.DataFrame:
    """Daily sales of three shops, with a promotion that is known in advance and visitors that are not."""
    parts = []
    for number, name in enumerate(("north", "south", "east")):
        random = np.random.default_rng(number)
        promotion = (random.random(steps) < 0.2).astype(int)
        sales = 50 + 10 * (np.arange(steps) % 7 >= 5) + 30 * promotion + random.normal(0, 2, steps)
        days = pd.date_range("2023-01-01", periods=steps, freq="D")
        parts.append(pd.DataFrame({"day": days, "shop": name, "promotion": promotion, "visitors": sales * 3,
                                   "sales": sales * (number + 1)}))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def stored(frame: pd.DataFrame, folder: Path, name: str = "data.csv") -> str:
    frame.to_csv(folder / name, index=False)
    return str(folder / name)


def task(target: str | None, metric: str = "mase", **options: Any) -> TaskSpec:
    roles = {name: options.pop(name) for name in ("time", "group", "ignore") if name in options}
    return TaskSpec(words="", family="forecasting", target=target, metric=metric, options=options, **roles)


def acquired(frame: pd.DataFrame, folder: Path, spec: TaskSpec) -> tuple[DataProfile, dict[str, Any]]:
    request = Request(data=(stored(frame, folder),))
    profile = FAMILY.acquire(spec, request, folder / "data", folder / "private", seed=0, test_share=0.2)
    return profile, json.loads((folder / "data" / "schema.json").read_text())


def kinds(profile: DataProfile) -> set[str]:
    return {finding.kind for finding in profile.findings}


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("words", "horizon"),
    [
        ("Forecast the load of the next 24 hours", "24 hours"),
        ("Forecast load for the coming two days", "2 days"),
        ("I need the load 48 hours ahead", "48 hours"),
        ("Build a time series model, horizon of 12 steps", "12 steps"),
        ("forecast next week's load", "1 weeks"),
    ],
)
def test_words_say_the_horizon(words: str, horizon: str, tmp_path: Path) -> None:
    spec = understand(Request(words=words, data=(stored(hourly(), tmp_path),)), families())
    assert isinstance(spec, TaskSpec)
    assert (spec.family, spec.target, spec.options["horizon"]) == ("forecasting", "load", horizon)


def test_what_is_known_in_advance_is_said(tmp_path: Path) -> None:
    words = "Forecast sales of every shop for the next 14 days. The promotion is known in advance. Use sMAPE."
    spec = understand(Request(words=words, data=(stored(shops(), tmp_path),)), families())
    assert isinstance(spec, TaskSpec)
    assert (spec.family, spec.target, spec.metric) == ("forecasting", "sales", "smape")
    assert spec.options == {"horizon": "14 days", "known": "promotion"}


@pytest.mark.parametrize(
    "words",
    [
        "Predict sales from shop, promotion and visitors",
        "Predict which shops will have a promotion in the next 30 days",
        "Estimate the sales of a day",
    ],
)
def test_other_requests_are_left_to_tables(words: str, tmp_path: Path) -> None:
    peek = FAMILY.peek(request := Request(words=words, data=(stored(shops(), tmp_path),)))
    assert FAMILY.interpret(request, peek).confidence < 0.3


def test_without_times_nothing_is_forecast() -> None:
    from conftest import CANCER

    request = Request(words="Forecast the mean radius for the next 7 days", data=(str(CANCER),))
    assert FAMILY.interpret(request, FAMILY.peek(request)).confidence == 0


# ---------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("moments", "spoken"),
    [
        (pd.date_range("2024-01-01", periods=40, freq="h"), "hourly"),
        (pd.date_range("2024-01-01", periods=40, freq="15min"), "every 15 minutes"),
        (pd.date_range("2024-01-01", periods=40, freq="D"), "daily"),
        (pd.date_range("2024-01-01", periods=40, freq="B"), "business days"),
        (pd.date_range("2024-01-01", periods=40, freq="W-WED"), "weekly"),
        (pd.date_range("2020-01-01", periods=40, freq="MS"), "monthly"),
        (pd.date_range("2020-01-31", periods=40, freq="ME"), "monthly"),
        (pd.date_range("2010-01-01", periods=40, freq="QS"), "quarterly"),
        (pd.date_range("1970-12-31", periods=40, freq="YE"), "yearly"),
    ],
)
def test_the_grid_is_found_and_leads_back(moments: pd.DatetimeIndex, spoken: str) -> None:
    given = moments.to_numpy().astype("datetime64[ns]")
    grid, found = frequency.find_grid(np.delete(given, [7, 8, 20]), np.zeros(37, np.int64), "t", None)
    steps = ticks(given, grid)
    assert (frequency.spoken(grid), found) == (spoken, [])
    assert (np.diff(steps) == 1).all()
    assert (times(steps, grid) == given).all()


def test_irregular_time_is_refused_or_repaired() -> None:
    random = np.random.default_rng(0)
    regular = pd.date_range("2024-01-01", periods=200, freq="h").to_numpy().astype("datetime64[ns]")
    shaken = regular + (random.integers(-900, 900, 200) * 1_000_000_000).astype("timedelta64[ns]")
    with pytest.raises(InputError, match="'t', the time, is not regular"):
        frequency.find_grid(shaken, np.zeros(200, np.int64), "t", None)
    grid, found = frequency.find_grid(shaken, np.zeros(200, np.int64), "t", "h")
    assert (np.diff(ticks(shaken, grid)) >= 0).all()
    assert found[0].action == "moved"
    with pytest.raises(InputError, match="frequency 'often' is not understood"):
        frequency.find_grid(regular, np.zeros(200, np.int64), "t", "often")


@pytest.mark.parametrize(
    ("text", "unit", "every", "steps"),
    [("2 days", "seconds", 3600, 48), ("6 months", "months", 1, 6), ("1 years", "months", 3, 4),
     ("12", "numbers", 1, 12), ("2 weeks", "weekdays", 1, 10), ("1 months", "seconds", 86400, 30)],
)  # fmt: skip
def test_horizons_become_steps(text: str, unit: str, every: float, steps: int) -> None:
    assert frequency.horizon_steps(text, {"unit": unit, "every": every}) == steps


# ---------------------------------------------------------------- reading and dividing


def test_the_last_steps_are_locked_and_windows_come_before(tmp_path: Path) -> None:
    profile, schema = acquired(hourly(), tmp_path, task("load", horizon="24"))
    told = schema["time_series"]
    assert (told["horizon"], told["seasons"], profile.rows_test, profile.folds) == (24, [24, 168], 24, 5)
    train, test = pd.read_parquet(tmp_path / "data/train.parquet"), pd.read_parquet(tmp_path / "data/test.parquet")
    assert test["time"].min() - train["time"].max() == pd.Timedelta("1h")
    assert train["observed"].isna().all() and test["observed"].isna().all()
    for fold in range(profile.folds + 1):
        part = FAMILY.fold(tmp_path / "data", fold, rows=0, seed=0)
        if fold < profile.folds:
            assert part.valid["time"].min() - part.train["time"].max() == pd.Timedelta("1h")
            assert len(part.valid) == 24
        else:
            assert len(part.train) == len(train)
    few = FAMILY.fold(tmp_path / "data", 0, rows=200, seed=0)
    assert len(few.train) == 200 and few.valid["time"].min() - few.train["time"].max() == pd.Timedelta("1h")
    truth = FAMILY.training_truth(tmp_path / "data")
    target = np.load(tmp_path / "data/target.npy")
    assert truth[0, 1] == pytest.approx(np.abs(target[24:] - target[:-24]).mean())
    assert not (tmp_path / "data/test_target.npy").exists()


def test_a_long_series_is_backtested_from_many_origins(tmp_path: Path) -> None:
    """Each horizon of a window is forecast from what lies before it, by one model; train.py divides new data alike."""
    profile, schema = acquired(hourly(2000), tmp_path, task("load", horizon="24"))
    told = schema["time_series"]
    assert (told["origins"], profile.folds) == (6, 5)
    assert "5 backtest windows of 6 x 24 steps" in profile.split
    target = np.load(tmp_path / "data/target.npy")
    asked = []
    for fold in range(profile.folds):
        part = FAMILY.fold(tmp_path / "data", fold, rows=0, seed=0)
        assert len(part.valid) == 6 * 24 and len(part.rounds) == 6
        for frame, places in part.rounds:
            assert (len(places), frame["observed"].isna().sum()) == (24, 24)
            seen = frame["observed"].notna().to_numpy()
            assert frame["time"][~seen].equals(part.valid["time"].iloc[places].set_axis(frame.index[~seen]))
            assert frame["time"][~seen].min() - max(
                part.train["time"].max(), frame["time"][seen].max() if seen.any() else part.train["time"].max()
            ) == pd.Timedelta("1h")
            assert np.array_equal(frame["observed"][seen], target[part.valid_rows[: seen.sum()]])
        asked.append(np.sort(np.concatenate([places for _, places in part.rounds])))
    assert all(np.array_equal(places, np.arange(6 * 24)) for places in asked)
    train = pd.read_parquet(tmp_path / "data/train.parquet")
    again = series_io().new_folds(train, target, schema, {"folds": 5})
    assert np.array_equal(again, np.load(tmp_path / "data/folds.npy"))
    assert not FAMILY.fold(tmp_path / "data", 5, rows=0, seed=0).rounds


def test_series_are_found_and_shuffled_rows_change_nothing(tmp_path: Path) -> None:
    frame = shops()
    one = acquired(frame, tmp_path, task("sales", horizon="14 days", known="promotion"))
    other = acquired(
        frame.sample(frac=1, random_state=0), tmp_path, task("sales", horizon="14 days", known="promotion")
    )
    assert one[0].fingerprint == other[0].fingerprint
    schema = one[1]
    assert schema["time_series"]["series"] == ["shop"]
    assert [column["name"] for column in schema["columns"]] == ["shop", "day", "promotion", "observed"]
    assert one[0].rows_test == 3 * 14
    (finding,) = [finding for finding in one[0].findings if finding.kind == "unknown_in_advance"]
    assert finding.columns == ("visitors",)


def test_two_columns_may_name_a_series(tmp_path: Path) -> None:
    parts = [hourly(200, seed=n).assign(store=f"s{n % 2}", item=f"i{n // 2}") for n in range(4)]
    _, schema = acquired(pd.concat(parts), tmp_path, task("load", horizon="12"))
    assert sorted(schema["time_series"]["series"]) == ["item", "store"]
    assert len(schema["time_series"]["ends"]) == 4


def test_wide_tables_are_made_long(tmp_path: Path) -> None:
    frame = hourly(300).rename(columns={"load": "a"}).assign(b=waves(300, level=50, seed=1))
    profile, schema = acquired(frame, tmp_path, task(None, horizon="24"))
    assert set(schema["time_series"]["ends"]) == {"a", "b"} and profile.rows_test == 48
    again = series_io().read(tmp_path / "data.csv", schema["read"])
    assert len(again) == 600
    position = int(np.load(tmp_path / "data/test_rows.npy")[0])
    assert float(again["value"][position]) == pytest.approx(np.load(tmp_path / "private/test_target.npy")[0, 0])
    months = [f"20{year}-{month:02d}" for year in range(10, 16) for month in range(1, 13)]
    table = pd.DataFrame(np.random.default_rng(0).normal(50, 3, (5, 72)).cumsum(1), columns=months)
    _, schema = acquired(table.assign(id=list("vwxyz")), tmp_path, task(None, horizon="12"))
    assert schema["time_series"]["grid"]["unit"] == "months" and set(schema["time_series"]["ends"]) == set("vwxyz")


def test_a_time_in_parts_and_months_in_words(tmp_path: Path) -> None:
    frame = hourly(400)
    moments = frame.pop("time").dt
    frame = frame.assign(year=moments.year, month=moments.month, day=moments.day, hour=moments.hour)
    _, schema = acquired(frame, tmp_path, task("load", horizon="24"))
    assert schema["time_series"]["time"] == "time" and schema["time_series"]["grid"]["every"] == 3600
    months = pd.DataFrame({"month": pd.date_range("2010-01-01", periods=90, freq="MS").strftime("%Y-%m"),
                           "sales": waves(90)})  # fmt: skip
    _, schema = acquired(months, tmp_path, task("sales", horizon="12"))
    assert schema["time_series"]["grid"]["unit"] == "months"
    assert schema["sample"] == {"month": "2016-07", "observed": None}


def test_repairs_are_counted(tmp_path: Path) -> None:
    frame = pd.concat([hourly().drop(index=range(50, 60)), hourly().iloc[[300]].assign(load=1.0)])
    frame.loc[frame.index[5], "load"] = np.nan
    profile, _ = acquired(frame, tmp_path, task("load", horizon="24"))
    counts = {finding.kind: finding.count for finding in profile.findings}
    assert (counts["gaps"], counts["duplicate_time"]) == (11, 1)


@pytest.mark.parametrize(
    ("frame", "spec", "message"),
    [
        (hourly(40), task("load", horizon="24"), "has 40 steps"),
        (hourly(), task("load", horizon="0.5"), "'0.5' is not understood"),
        (hourly(), task("load", metric="rmsle", horizon="24"), "RMSLE is not defined for negative"),
        (hourly().assign(load=3.0), task("load", horizon="24"), "never changes"),
        (hourly().drop(columns="time"), task("load"), "no column of times"),
        (hourly().assign(load="much"), task("load"), "forecast are numbers"),
        (pd.concat([hourly(), hourly()]), task("load"), "no column tells the series apart"),
        (hourly(), task("load", steps=3), "There is no option steps"),
        (hourly(), task("load", known="load", horizon="24"), "cannot be known in advance"),
        (hourly(), task("load", season="many"), "is no number of steps"),
        (hourly().rename(columns={"load": "observed"}), task("observed"), "that name is taken"),
    ],
)
def test_bad_input_has_one_clear_line(frame: pd.DataFrame, spec: TaskSpec, message: str, tmp_path: Path) -> None:
    if spec.metric == "rmsle":
        frame = frame.assign(load=frame["load"] - 110)
    with pytest.raises(InputError, match=message) as caught:
        acquired(frame, tmp_path, spec)
    assert "\n" not in str(caught.value)


def test_short_and_constant_series_are_counted(tmp_path: Path) -> None:
    frame = shops().drop(columns=["promotion", "visitors"])
    short = pd.DataFrame({"day": pd.date_range("2023-01-01", periods=9), "shop": "new", "sales": range(9)})
    flat = pd.DataFrame({"day": pd.date_range("2023-01-01", periods=90), "shop": "flat", "sales": 5})
    profile, schema = acquired(pd.concat([frame, short, flat]), tmp_path, task("sales", horizon="7"))
    assert {"short_series", "constant_series"} <= kinds(profile)
    assert set(schema["time_series"]["ends"]) == {"north", "south", "east", "flat"}


# ---------------------------------------------------------------- metrics


def test_metrics_are_those_of_their_definitions() -> None:
    truth = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]])
    prediction = np.array([2.0, 1.0, 9.0])
    assert score("mase", truth, prediction) == pytest.approx((0.5 + 0.5) / 2)
    assert score("mae", truth, prediction) == pytest.approx(7 / 3)
    assert np.isnan(score("mase", truth[2:], prediction[2:]))
    assert np.isnan(score("rmsle", -truth, prediction))


# ---------------------------------------------------------------- candidates


CANDIDATES = FAMILY.candidates()


def model(name: str, folder: Path, **params: Any) -> Any:
    found = CANDIDATES[name]
    module = load_candidate(found.path, FAMILY.shared)
    return module.Model(FAMILY.describe(folder, "mae"), {**found.portfolio[0], **params}, [], 0)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    acquired(hourly(580), folder, task("load", horizon="24"))
    return folder / "data"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    acquired(shops(), folder, task("sales", horizon="7", known="promotion"))
    return folder / "data"


QUICK = {"lightgbm_global": {"rounds": 30, "rows": 3000}}


@pytest.mark.parametrize("name", CANDIDATES)
@pytest.mark.parametrize("place", ["long", "many"])
def test_candidates_keep_the_contract(name: str, place: str, request: Any, tmp_path: Path) -> None:
    """Stored and loaded, alone or together, later or sooner: a row has one forecast, and it is better than nothing."""
    folder: Path = request.getfixturevalue(place)
    part = FAMILY.fold(folder, 4, rows=0, seed=0)
    fitted = model(name, folder, **QUICK.get(name, {}))
    shuffled = np.random.default_rng(0).permutation(len(part.train))
    fitted.fit(part.train.iloc[shuffled].reset_index(drop=True), part.target[shuffled])
    fitted.save(tmp_path)
    loaded = type(fitted).load(tmp_path)
    forecast = loaded.predict(part.valid)
    alone = np.concatenate([loaded.predict(part.valid.iloc[[row]].reset_index(drop=True)) for row in range(5)])
    assert np.allclose(forecast, fitted.predict(part.valid), rtol=1e-9)
    assert np.allclose(forecast[:5], alone, rtol=1e-9)
    truth = FAMILY.training_truth(folder)[part.valid_rows]
    assert score("mase", truth, forecast) < 1.7
    assert not list(tmp_path.glob("*.pkl"))


@pytest.mark.parametrize("name", CANDIDATES)
def test_no_forecast_looks_ahead(name: str, long: Path, tmp_path: Path) -> None:
    """Whatever comes after an origin, the forecast from there is the same."""
    frame = hourly(580)
    frame.loc[len(frame) - 2 * 24 :, "load"] *= 3  # the last window and the locked test
    acquired(frame, tmp_path, task("load", horizon="24"))
    forecasts = []
    for folder in (long, tmp_path / "data"):
        part = FAMILY.fold(folder, 3, rows=0, seed=0)
        fitted = model(name, folder, **QUICK.get(name, {}))
        fitted.fit(part.train, part.target)
        forecasts.append(fitted.predict(part.valid))
    assert np.array_equal(*forecasts)


def test_observed_values_continue_the_history(long: Path) -> None:
    """What came in since the training moves the origin: as good as fitting the same model on the longer history."""
    first, second = FAMILY.fold(long, 3, rows=0, seed=0), FAMILY.fold(long, 4, rows=0, seed=0)
    seasonal = model("baseline", long)
    seasonal.fit(first.train, first.target)
    rows = pd.concat([first.valid.assign(observed=second.target[len(first.target) :]), second.valid], ignore_index=True)
    again = model("baseline", long)
    again.fit(second.train, second.target)
    assert np.allclose(seasonal.predict(rows)[24:], again.predict(second.valid))
    assert np.allclose(seasonal.predict(rows)[:24], rows["observed"][:24])


def test_a_model_follows_its_series_without_learning(long: Path, tmp_path: Path) -> None:
    """Where there was no time to fit a model on all rows, that of the last fold forecasts from their end."""
    first, every = FAMILY.fold(long, 4, rows=0, seed=0), FAMILY.fold(long, 5, rows=0, seed=0)
    fitted = model("ridge_lags", long)
    fitted.fit(first.train, first.target)
    (tmp_path / "fold" / "model").mkdir(parents=True)
    fitted.save(tmp_path / "fold" / "model")
    path = CANDIDATES["ridge_lags"].path
    told = follow(family="forecasting", data=str(long), candidate=str(path), fold=5, model=str(tmp_path / "fold"),
                  out=str(tmp_path / "followed"))  # fmt: skip
    assert told == {"followed": True}
    followed = type(fitted).load(tmp_path / "followed" / "model")
    seen = pd.concat([first.valid.assign(observed=every.target[len(first.target) :])], ignore_index=True)
    ahead = series_io().examples(every.train, json.loads((long / "schema.json").read_text()))
    told_so = fitted.predict(pd.concat([seen, ahead], ignore_index=True))[len(seen) :]
    assert np.allclose(followed.predict(ahead), told_so)
    assert np.array_equal(followed.regression.coefficients, fitted.regression.coefficients)


def test_known_columns_help_and_gaps_are_bridged(many: Path) -> None:
    part = FAMILY.fold(many, 4, rows=0, seed=0)
    fitted = model("ridge_lags", many)
    keep = np.random.default_rng(0).random(len(part.train)) > 0.05
    fitted.fit(part.train[keep].reset_index(drop=True), part.target[keep])
    with_promotion = fitted.predict(part.valid.assign(promotion=1.0))
    without = fitted.predict(part.valid.assign(promotion=0.0))
    assert (with_promotion > without + 10).all()


# ---------------------------------------------------------------- serving


def test_rows_that_cannot_be_forecast_are_told(long: Path) -> None:
    schema = json.loads((long / "schema.json").read_text())
    end = pd.Timestamp(schema["columns"][0]["max"])
    raw = pd.DataFrame({"time": [str(end + pd.Timedelta(hours=h)) for h in (-3, 1, 24, 25)] + ["soon"]})
    found = {problem["problem"]: problem["count"] for problem in series_io().inspect(raw, schema)}
    assert found == {"times_without_a_meaning": 1, "times_in_the_past": 1, "times_beyond_the_horizon": 1}
    rows = series_io().typed(raw.head(4), schema)
    low, high = series_io().bounds(rows, np.full(4, 100.0), {"steps": [0.5] * 23 + [1.0]}, schema)
    assert np.all(high > low) and (high - low)[2] == pytest.approx(2 * (high - low)[1])


def test_rows_without_a_time_or_a_series_are_told_of(tmp_path: Path) -> None:
    schema = acquired(shops(), tmp_path, task("sales", time="day", group="shop", horizon=7))[1]
    raw = pd.DataFrame({"day": [None, "2023-04-02"], "shop": ["north", None]}, dtype=object)
    found = {problem["problem"]: problem["examples"] for problem in series_io().inspect(raw, schema)}
    assert found["times_without_a_meaning"] == [] and found["unknown_series"] == []


# ---------------------------------------------------------------- the whole


@pytest.mark.slow
def test_from_words_to_a_served_forecast(place: Path) -> None:
    data = stored(shops(), place, "sales.csv")
    words = "Forecast sales of every shop for the next 7 days. The promotion is known in advance."
    request = Request(words=words, data=(data,), out="out")
    out = build_graph().invoke({"request": request}, context=Settings(budget=300, trials=5, max_revisions=0))
    report = out["report"]
    assert report.status == "delivered", report.reason
    assert report.metric["test"] < report.metric["baseline"]
    bundle = Path(report.bundle)
    assert out["bundle"].server.ok and out["bundle"].retrain.ok
    assert "Error by step ahead" in Path(report.report).read_text(encoding="utf-8")
    predictions = pd.read_csv(report.predictions)
    assert list(predictions.columns) == ["row", "shop", "day", "truth", "prediction", "lower", "upper"]
    assert len(predictions) == 21
    # New data: the bundle trains itself again, and forecasts what comes next.
    stored(shops(100), place, "newer.csv")
    subprocess.run([sys.executable, bundle / "train.py", "--data", "newer.csv", "--out", "newer"], check=True)
    ahead = pd.DataFrame({"shop": "south", "day": pd.date_range("2023-04-11", periods=7), "promotion": 0})
    stored(ahead, place, "ahead.csv")
    told = subprocess.run([sys.executable, "newer/predict.py", "ahead.csv", "--out", "answers.csv"], check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert "warning" not in told.stderr
    answers = pd.read_csv("answers.csv")
    assert ((answers["lower"] < answers["prediction"]) & (answers["prediction"] < answers["upper"])).all()
    assert answers["prediction"].between(60, 180).all()
