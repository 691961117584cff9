"""Forecasting on real sets: rolling origins, each with models fitted on what came before it alone.

    python benchmarks/families/forecasting.py [electricity] [beijing] [m3] [--origins 20]

DATA_PKGS names the folder of the package archives that `benchmarks/sets.py` names. Prints a line
of JSON for each set: the floor, the score of each candidate and of their equal-weight mean, and seconds of CPU. The
origins of the hourly sets are spread evenly over the last year, 17 days apart, so that they fall on all days of the
week.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_agent import Request
from automl_agent.records import TaskSpec
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.forecasting import FAMILY
from automl_agent.tasks.forecasting.scoring import score

sys.path.insert(0, str(Path(__file__).parents[1]))

import sets

APART = 17 * 24
WHOLE = ("baseline", "theta", "exponential_smoothing", "ridge_lags", "lightgbm_global", "combination")
LONG = ("baseline", "ridge_lags", "lightgbm_global")


def electricity() -> pd.DataFrame:
    return sets.electricity().rename(columns={"load": "value"})


def beijing() -> pd.DataFrame:
    return sets.beijing()[["time", "TEMP"]].rename(columns={"TEMP": "value"})


SETS: dict[str, dict[str, Any]] = {
    "electricity": {"read": electricity, "horizon": 48, "metric": "mase", "candidates": LONG, "share": 0.75},
    "beijing": {"read": beijing, "horizon": 24, "metric": "mase", "candidates": LONG, "share": 0.85},
    "m3": {"read": sets.m3, "horizon": 18, "metric": "smape", "candidates": WHOLE, "floor": 0.136},
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--origins", type=int, default=20)
    given = parser.parse_args()
    for name in given.sets or SETS:
        print(json.dumps(measured(name, given.origins)), flush=True)


if __name__ == "__main__":
    main()
