"""Whole runs on tables that do not fit comfortably (README.md): seconds, peak memory of all processes, and scores.

`python benchmarks/big_table.py 200000 500000 2000000`; every table is made in a temporary folder and removed again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from processes import tree_mb

HERE = Path(__file__).parent
WORDS = "Predict y."
CHUNK = 100_000
INTERVAL = 0.2
PACKAGES = ("automl-agent", "lightgbm", "scikit-learn", "pandas", "pyarrow")
LEVELS = (3, 5, 8, 20, 50, 200)


def part(start: int, rows: int) -> pa.Table:
    """Some rows of the table: 22 numbers, 6 categories, a date, and `y`, which follows from some of them and chance."""
    rng = np.random.default_rng([0, start])
    numbers = rng.normal(size=(rows, 18))
    counts = rng.poisson(20, size=(rows, 4))
    codes = [rng.integers(0, many, rows) for many in LEVELS]
    effects = [np.random.default_rng(many).normal(0, 0.6, many) for many in LEVELS]
    signal = numbers[:, :6] @ np.array([1.0, -0.8, 0.6, 0.5, -0.4, 0.3]) + 0.8 * numbers[:, 6] * numbers[:, 7]
    signal += sum(effect[code] for effect, code in zip(effects, codes, strict=True)) + 0.05 * (counts[:, 0] - 20)
    y = rng.random(rows) < 1 / (1 + np.exp(-signal))
    gone = rng.random(rows) < 0.1
    days = np.datetime64("2015-01-01") + (np.arange(start, start + rows) // 1000).astype("timedelta64[D]")
    columns: dict[str, Any] = {f"measure_{i}": np.round(numbers[:, i], 4) for i in range(18)}
    columns |= {"measure_0": pa.array(columns["measure_0"], mask=gone)}
    columns |= {f"count_{i}": counts[:, i] for i in range(4)}
    for many, code in zip(LEVELS, codes, strict=True):
        columns[f"kind_{many}"] = pa.array([f"level_{i}" for i in range(many)]).take(pa.array(code))
    columns["day"] = pa.array(days.astype("datetime64[D]")).cast(pa.string())
    columns["y"] = np.where(y, "yes", "no")
    return pa.table(columns)


def write(path: Path, rows: int) -> Path:
    """The table as CSV or Parquet, by the name of the file; it is never whole in memory."""
    first = part(0, min(CHUNK, rows))
    with (
        pa.csv.CSVWriter(path, first.schema)
        if path.suffix == ".csv"
        else pa.parquet.ParquetWriter(path, first.schema) as writer
    ):
        for start in range(0, rows, CHUNK):
            writer.write_table(part(start, min(CHUNK, rows - start)))
    return path


def run(data: Path, rows: int, budget: float, options: list[str]) -> dict[str, Any]:
    """One run of the command line."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "automl_agent.cli", "run", WORDS, "--data", str(data), "--json"]
        command += ["--home", f"{place}/home", "--out", f"{place}/out", "--budget", str(budget), *options]
        started = time.perf_counter()
        peak, when = 0.0, 0.0
        with Path(place, "stdout").open("w+") as out, Path(place, "stderr").open("w+") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
            while process.poll() is None:
                if (now := tree_mb(process.pid)) > peak:
                    peak, when = now, time.perf_counter() - started
                time.sleep(INTERVAL)
            wall = time.perf_counter() - started
            out.seek(0)
            err.seek(0)
            text, told = out.read(), err.read()
    result = json.loads(text) if text.strip().startswith("{") else {}
    if process.returncode:
        print(told[-2000:], file=sys.stderr)
    return {
        "file": data.suffix[1:],
        "file_mb": round(data.stat().st_size / 2**20),
        "rows": rows,
        "columns": len(part(0, 1).column_names),
        "budget_s": budget,
        "wall_s": round(wall, 1),
        "peak_mb": round(peak),
        "peak_at_s": round(when, 1),
        "exit": process.returncode,
        "status": result.get("status"),
        "metric": result.get("metric"),
        "stages_s": result.get("seconds"),
        "warnings": result.get("warnings"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=[200_000, 500_000, 2_000_000])
    parser.add_argument("--forms", nargs="+", default=["csv", "parquet"], choices=["csv", "parquet"])
    parser.add_argument("--budget", type=float, default=120)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "big_table.json")
    parser.add_argument("--label", default="", help="said with each run of the results, to which they are added")
    args, options = parser.parse_known_args()
    runs = []
    for rows in args.rows:
        for form in args.forms:
            with tempfile.TemporaryDirectory() as place:
                data = write(Path(place) / f"big.{form}", rows)
                runs.append({"label": args.label, **run(data, rows, args.budget, options)})
            shown = {name: value for name, value in runs[-1].items() if name not in ("stages_s", "warnings")}
            print(json.dumps(shown), flush=True)
    known = json.loads(args.out.read_text()) if args.out.is_file() else {"runs": []}
    machine = {"cores": os.cpu_count(), "platform": platform.platform(), "load": os.getloadavg()[0]}
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    results = {"machine": machine, "versions": versions, "runs": [*known["runs"], *runs]}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
