"""What notes and experience bring: runs without retrieval, with the notes, and with the experience of other sets, too.

    python benchmarks/ablation.py            # what is missing, then the table
    python benchmarks/ablation.py --table    # the table of what there is

Sixteen sets of all seven families, seeds 0 and 1, 30 s each. A run is a process of its own in a home of its own. The
runs with notes collect the experience: each set is then run with the episodes of all others, told apart by the hash of
their data. One file a run in `results/ablation/`; a finished one is not run again. Data as in `sets.py`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sets

RESULTS = Path(__file__).parent / "results" / "ablation"
CONFIGS = ("none", "notes", "experience")
SEEDS = (0, 1)
BUDGET = 30.0
Set = tuple[Callable[[Path], Path], str]


def _table(read: Callable[[], pd.DataFrame]) -> Callable[[Path], Path]:
    def write(place: Path) -> Path:
        read().to_csv(place / "data.csv", index=False)
        return place / "data.csv"

    return write


def _drawn(read: Callable[[], pd.DataFrame], rows: int) -> Callable[[Path], Path]:
    return _table(lambda: read().sample(rows, random_state=0))


def _digits(place: Path) -> Path:
    from sklearn.datasets import load_digits

    digits = load_digits()
    sets.put_images(place / "digits", (digits.images * 15).astype(np.uint8), [str(label) for label in digits.target])
    return place / "digits"


def _garments(place: Path) -> Path:
    images, labels = sets.fashion()["train"]
    sets.put_images(place / "garments", images[:1000], [sets.GARMENTS[label] for label in labels[:1000]])
    return place / "garments"


def _cora(place: Path) -> Path:
    features, labels, edges = sets.cora()
    return _graph(place, features, labels, edges)


def _citeseer(place: Path) -> Path:
    features, labels, edges, *_ = sets.citeseer()
    return _graph(place, features, labels, edges)


def _graph(place: Path, features: Any, labels: Any, edges: Any) -> Path:
    sets.write_graph(place / "graph.npz", features, labels, edges)
    return place / "graph.npz"


SETS: dict[str, Set] = {
    "kc1": (_table(sets.kc1), "Predict whether a software module has defects from its code metrics; F1 matters."),
    "adult": (_drawn(sets.adult, 10_000), "Who earns more than 50K? Predict income, by the ROC AUC."),
    "letter": (_drawn(lambda: sets.keel("letter"), 8_000), "Which letter is it? Predict class, by accuracy."),
    "abalone": (_table(sets.abalone), "Estimate the rings of an abalone from its measurements, by the RMSE."),
    "homes": (_drawn(sets.california, 8_000), "Predict MedHouseVal of a district, by the RMSE."),
    "power": (_table(sets.ccpp), "Predict the energy output PE of a power plant, by the RMSE."),
    "wine": (_table(sets.wine), "Group similar wines; class is only used to check the clusters, by the Rand index."),
    "segment": (_table(lambda: sets.keel("segment")),
                "Cluster these rows; class is only there to check the result, by the Rand index."),
    "reviews": (_drawn(sets.reviews, 6_000), "Sort reviews into the department that they are about, by macro F1."),
    "boolq": (_drawn(lambda: pd.concat(sets.boolq()), 4_000),
              "Given a question and a passage, predict answer: yes or no? By accuracy."),
    "digits": (_digits, "Which digit does a picture show? By accuracy."),
    "garments": (_garments, "What garment does a picture show? By accuracy."),
    "electricity": (_table(lambda: sets.electricity().tail(8_000)),
                    "Forecast the load of the next 48 hours; MASE counts."),
    "beijing": (_table(lambda: sets.beijing().tail(8_000)), "Forecast TEMP for the next 24 hours, by the MASE."),
    "cora": (_cora, "What is the class of each paper in this citation network? By accuracy."),
    "citeseer": (_citeseer, "Predict the class of the documents in this graph of citations, by accuracy."),
}  # fmt: skip


# ---------------------------------------------------------------- one run


def cell(name: str, config: str, seed: int) -> Path:
    return RESULTS / f"{name}-{config}-{seed}.json"


def run(name: str, config: str, seed: int) -> None:
    """One run in this process; writes its file."""
    from automl_agent import Settings, build_graph
    from automl_agent.knowledge.experience import Experience

    write, words = SETS[name]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = write(place)
        home = place / "home"
        if config == "experience":
            (place / "episodes.jsonl").write_text("".join(_episodes_of_others(name, seed)), encoding="utf-8")
            Experience(home).load(place / "episodes.jsonl")
        settings = Settings(
            budget=BUDGET, seed=seed, home=str(home), out=str(place / "out"), clarify=False,
            retrieval=config != "none", experience="read" if config == "experience" else "on",
        )  # fmt: skip
        started, best, final = time.monotonic(), [], {}
        for mode, value in build_graph(settings=settings).stream(
            {"request": words, "data": str(data)}, stream_mode=["custom", "values"], context=settings
        ):
            if mode == "values":
                final = value
            elif value.kind == "trial_finished" and value.trial.score is not None and not value.trial.fidelity.rows:
                best.append([round(time.monotonic() - started, 2), value.trial.fidelity.folds, value.trial.score])
            elif value.kind == "best_so_far":
                best.append([round(time.monotonic() - started, 2), 0, value.score])
        report = final["report"]
        kept = Experience(home).episodes() if config == "notes" else ()
        result = {
            "set": name, "config": config, "seed": seed, "budget": BUDGET, "status": report.status,
            "seconds": round(time.monotonic() - started, 1), "metric": report.metric, "best": best,
            "knowledge": [use.model_dump(mode="json") for use in report.knowledge],
            "episode": kept[0].model_dump(mode="json") if kept else None,
            "commit": os.environ["COMMIT"], "cpus": os.cpu_count(),
            "versions": {one: version(one) for one in ("automl-agent", "lightgbm", "scikit-learn", "torch")},
        }  # fmt: skip
    RESULTS.mkdir(parents=True, exist_ok=True)
    cell(name, config, seed).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _episodes_of_others(name: str, seed: int) -> Iterable[str]:
    for other in SETS:
        path = cell(other, "notes", seed)
        if other != name and path.is_file() and (episode := json.loads(path.read_text())["episode"]):
            yield json.dumps(episode) + "\n"


# ---------------------------------------------------------------- the table


def rows() -> list[dict[str, Any]]:
    """One for each set and seed that all three configurations were run on."""
    found = []
    for name in SETS:
        for seed in SEEDS:
            paths = [cell(name, config, seed) for config in CONFIGS]
            if all(path.is_file() for path in paths):
                found.append(_row(name, seed, [json.loads(path.read_text()) for path in paths]))
    return found


def _row(name: str, seed: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    higher = bool(runs[0]["metric"]["higher_is_better"])
    scores = [one["metric"]["test"] for one in runs]
    goal = runs[0]["metric"]["validation"]
    return {"set": name, "seed": seed, "metric": runs[0]["metric"]["name"], "scores": scores,
            "validation": [one["metric"]["validation"] for one in runs],
            "ranks": _ranks(scores, higher), "reached": [_reached(one, goal, higher) for one in runs],
            "seconds": [one["seconds"] for one in runs]}  # fmt: skip


def _ranks(scores: list[float], higher: bool) -> list[float]:
    """1 is best; equal scores share their ranks."""
    losses = [-score if higher else score for score in scores]
    return [sum(a < b for a in losses) + (sum(a == b for a in losses) + 1) / 2 for b in losses]


def _reached(run: dict[str, Any], goal: float, higher: bool) -> float:
    """Seconds until the out-of-fold score was as good as that of the run without retrieval at its end; infinite where
    it never was. Only trials of all folds and bundles count."""
    folds = max((one[1] for one in run["best"]), default=0)
    tolerance = 1e-9 * max(1.0, abs(goal))
    for seconds, seen, score in run["best"]:
        if seen in (0, folds) and (score >= goal - tolerance if higher else score <= goal + tolerance):
            return float(seconds)
    return math.inf


def table() -> str:
    found = rows()
    lines = [
        "| set | metric | seed | no retrieval | notes | notes and experience | reached in s |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        cells = " | ".join(f"{score:.4f}" for score in one["scores"])
        reached = ", ".join("–" if math.isinf(value) else f"{value:.0f}" for value in one["reached"])
        lines.append(f"| {one['set']} | {one['metric']} | {one['seed']} | {cells} | {reached} |")
    if found:
        ranks = np.mean([one["ranks"] for one in found], axis=0)
        lines.append("| **mean rank** | | | " + " | ".join(f"{rank:.2f}" for rank in ranks) + " | |")
        shares = [sum(not math.isinf(one["reached"][place]) for one in found) for place in range(3)]
        medians = [np.median([one["reached"][place] for one in found]) for place in range(3)]
        told = ", ".join(f"{share} of {len(found)}" for share in shares)
        lines.append(f"| **reached** | | | {' | '.join(f'{value:.1f} s' for value in medians)} | {told} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--cell", nargs=3, metavar=("SET", "CONFIG", "SEED"), help="one run, in this process")
    args = parser.parse_args()
    if args.cell:
        run(args.cell[0], args.cell[1], int(args.cell[2]))
        return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    environment = {**os.environ, "COMMIT": commit.strip(), "LANGGRAPH_STRICT_MSGPACK": "true"}
    for config in () if args.table else CONFIGS:
        for seed in SEEDS:
            for name in SETS:
                if not cell(name, config, seed).is_file():
                    print(name, config, seed, flush=True)
                    command = [sys.executable, __file__, "--cell", name, config, str(seed)]
                    subprocess.run(command, env=environment, timeout=240, check=False)
    print(table())


if __name__ == "__main__":
    main()
