"""What the pipeline costs besides training (README.md). Every run is a fresh process of the command line."""

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

import numpy as np
import pandas as pd
from processes import tree_mb
from sklearn.datasets import make_classification

HERE = Path(__file__).parent
CANCER = HERE.parent / "examples" / "breast_cancer.csv"
WORDS = "Predict the {target}. Log loss matters."
PACKAGES = ("automl-agent", "langgraph", "lightgbm", "scikit-learn", "pandas", "chromadb")


def table(path: Path, rows: int, columns: int, seed: int = 0) -> Path:
    """A synthetic table with a binary `outcome`, a tenth of its values missing, and two categories."""
    x, y = make_classification(rows, columns - 2, n_informative=columns // 2, flip_y=0.1, random_state=seed)
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(x, columns=[f"measure_{i}" for i in range(columns - 2)]).mask(rng.random(x.shape) < 0.1)
    frame["city"] = rng.choice(["Lyon", "Porto", "Graz", "Turku"], rows)
    frame["plan"] = np.where(y + rng.normal(0, 1, rows) > 0.5, "gold", "basic")
    frame["outcome"] = np.where(y == 1, "yes", "no")
    frame.to_csv(path, index=False)
    return path


def imports() -> dict[str, object]:
    """Seconds and heavy modules of `import automl_agent`, and seconds of `build_graph()` after its imports."""
    code = (
        "import time, sys, json; a = time.perf_counter(); import automl_agent; b = time.perf_counter();"
        "heavy = [m for m in ('pandas', 'torch', 'lightgbm', 'chromadb', 'sklearn', 'langgraph') if m in sys.modules];"
        "from automl_agent import build_graph; c = time.perf_counter(); build_graph(); d = time.perf_counter();"
        "print(json.dumps({'import_s': b - a, 'heavy': heavy, 'import_graph_s': c - b, 'build_graph_s': d - c}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def run(data: Path, budget: float, *options: str) -> dict[str, object]:
    """One run of the command line: wall time, time of the first bundle, peak memory of the process tree in MB."""
    target = "diagnosis" if data == CANCER else "outcome"
    with tempfile.TemporaryDirectory() as place:
        home, out = Path(place) / "home", Path(place) / "out"
        command = [
            sys.executable,
            "-m",
            "automl_agent.cli",
            "run",
            WORDS.format(target=target),
            "--data",
            str(data),
            "--home",
            str(home),
        ]
        command += ["--out", str(out), "--budget", str(budget), "--json", *options]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        peak, first = 0.0, None
        while process.poll() is None:
            peak = max(peak, tree_mb(process.pid))
            if first is None and (out / "bundle" / "manifest.json").exists():
                first = time.perf_counter() - started
            time.sleep(0.1)
        wall = time.perf_counter() - started
        result = json.loads(process.stdout.read() or b"{}") if process.stdout else {}
    return {
        "data": data.stem,
        "budget_s": budget,
        "wall_s": round(wall, 2),
        "over_s": round(wall - budget, 2),
        "first_bundle_s": None if first is None else round(first, 2),
        "peak_mb": round(peak),
        "exit": process.returncode,
        "status": result.get("status"),
        "metric": result.get("metric"),
        "stages_s": result.get("seconds"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "spine.json")
    parser.add_argument("--quick", action="store_true", help="only imports and the stages on 1,000 rows")
    args = parser.parse_args()
    results: dict[str, object] = {
        "machine": {"cores": os.cpu_count(), "platform": platform.platform(), "load": os.getloadavg()[0]},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "seed": 0,
        "imports": imports(),
    }
    with tempfile.TemporaryDirectory() as place:
        small = table(Path(place) / "rows_1000.csv", 1000, 20)
        results["stages_1000_rows"] = run(small, 60, "--trials", "2", "--plans", "1")
        print(json.dumps(results, indent=2))
        if not args.quick:
            large = table(Path(place) / "rows_50000.csv", 50_000, 20)
            runs = []
            for data, budget in [(CANCER, 3), (CANCER, 15), (CANCER, 30), (CANCER, 60), (large, 30), (large, 60)]:
                runs.append(run(data, budget))
                print(json.dumps({**runs[-1], "stages_s": None}))
            results["budgets"] = runs
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
