"""What an internal index is worth that chooses among clusterings: agreement with known classes that it never saw.

    DATA_PKGS=FOLDER python benchmarks/clusters.py

On 13 sets, none of which is among those of `floors.py`, every algorithm groups up to 1,000 rows in every view and with
settings from all of its search space, the number of clusters given. The index of quality chooses one; its NMI with the
classes counts. Beside each other: what columns are divided by (`RANGE` of the views; infinite: the standard deviation
alone), the weight of reproducibility in the index, and what agreement with the best of each other algorithm adds to it
(`consensus` of the metric). Writes `results/clusters.json`.
"""

from __future__ import annotations

import json
import platform
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sets

from automl_agent.tasks.candidate import load_candidate, load_shared
from automl_agent.tasks.tabular_clustering import FAMILY, indices, scores

OUT = Path(__file__).parent / "results" / "clusters.json"
SETS = ("iris", "wdbc", "texture", "vehicle", "twonorm", "led7digit", "wisconsin", "satimage", "vowel",
        "movement_libras", "optdigits", "housevotes", "mushroom")  # fmt: skip
SEEDS, ROWS = 2, 1000
DIVISORS = {"standard deviation": float("inf"), "or a quarter of the range": 4.0}
WEIGHTS = (1, 2, 3, 4, 6)
CONSENSUS = (0.0, 0.05, 0.1, 0.2, 0.3)
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "kmeans": [{}],
    "ward": [{"linkage": linkage} for linkage in ("ward", "average", "complete")],
    "spectral": [{"neighbours": neighbours} for neighbours in (7, 20)],
    "gaussian_mixture": [{"covariance": kind, "smoothing": smoothing}
                         for kind in ("tied", "full", "diag") for smoothing in (3e-4, 3e-2)],
}  # fmt: skip
KEPT = 12
"""Clusterings with the best index, among which agreement counts, as in a run."""
PACKAGES = ("automl-agent", "scikit-learn", "numpy", "pandas")


def view_module(divisor: float) -> Any:
    """The module of the views that the candidates import, with another divisor."""
    shared = FAMILY.shared
    module = load_shared(shared[0] / "cluster_view.py", shared)
    module.RANGE = divisor
    return module


def models(clusters: int, seed: int, views: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], Any]]:
    for name, settings in SETTINGS.items():
        model = load_candidate(FAMILY.candidates()[name].path, FAMILY.shared).Model
        for view in views:
            for more in settings:
                params = {"view": view, **more}
                task = {"kind": "clustering", "clusters": clusters}
                yield {"candidate": name, **params}, model(task, params, [], seed)


def measured(name: str, seed: int, divisor: float) -> list[dict[str, Any]]:
    """Parts of the index, clusters, and agreement with the classes, of every model."""
    module = view_module(divisor)
    table = sets.keel(name)
    truth, classes = pd.factorize(table.pop("class"))
    rows = np.random.default_rng(seed).permutation(len(table))[: min(ROWS, int(len(table) * 0.8))]
    frame = table.iloc[rows].reset_index(drop=True)
    frame = frame.apply(lambda one: one.astype(float if pd.api.types.is_numeric_dtype(one) else object))
    points = module.View("standard", 20).fit_transform(frame)
    found = []
    for about, model in models(len(classes), seed, module.VIEWS):
        try:
            labels = model.fit(frame).predict(frame).argmax(axis=1)
        except ValueError:  # as a trial that fails: the algorithm finds another number of clusters
            continue
        found.append({**about, "labels": labels, "nmi": indices.mutual_information(truth[rows], labels),
                      "silhouette": indices.silhouette(points, labels),
                      "information": indices.information(points, labels),
                      "reproducibility": indices.reproducibility(points, labels)})  # fmt: skip
    return found


def chosen(found: list[dict[str, Any]], weight: float, consensus: float) -> float:
    """NMI of the clustering that the index prefers, and agreement with the best of each other algorithm."""
    for one in found:
        one["quality"] = (one["silhouette"] + one["information"] + weight * one["reproducibility"]) / (2 + weight)
    order = sorted(found, key=lambda one: -one["quality"])
    leaders: dict[str, Any] = {}
    for one in order:
        leaders.setdefault(one["candidate"], one)

    def judged(one: dict[str, Any]) -> float:
        others = [other for name, other in leaders.items() if name != one["candidate"]]
        agreed = [indices.adjusted_rand(one["labels"], other["labels"]) for other in others]
        return float(one["quality"] + consensus * np.mean(agreed))

    return float(max(order[:KEPT], key=judged)["nmi"])


def main() -> None:
    warnings.filterwarnings("ignore")
    raw: dict[str, dict[str, list[Any]]] = {}
    for divisor, value in DIVISORS.items():
        raw[divisor] = {name: [measured(name, seed, value) for seed in range(SEEDS)] for name in SETS}
        print(f"{divisor}: done", file=sys.stderr, flush=True)
    ours = scores.METRICS[scores.QUALITY].consensus
    means = {divisor: {f"weight {weight}": mean(of, weight, ours) for weight in WEIGHTS} for divisor, of in raw.items()}
    measured_now = raw["or a quarter of the range"]
    agreed = {f"consensus {share}": mean(measured_now, indices.REPEATABLE, share) for share in CONSENSUS}
    print(pd.DataFrame(means).T.to_string())
    print(pd.Series(agreed).to_string())
    about = {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
    kept = {"mean_nmi_of_the_chosen": means, "by_consensus": agreed, "versions": about, "seeds": list(range(SEEDS)),
            "by_set": {name: [round(chosen(run, indices.REPEATABLE, ours), 4) for run in runs]
                       for name, runs in measured_now.items()}}  # fmt: skip
    OUT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def mean(runs: dict[str, list[Any]], weight: float, consensus: float) -> float:
    return round(float(np.mean([chosen(run, weight, consensus) for of in runs.values() for run in of])), 4)


if __name__ == "__main__":
    main()
