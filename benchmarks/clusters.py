"""What an internal index is worth that chooses among clusterings: agreement with known classes that it never saw.

    DATA_PKGS=FOLDER python benchmarks/clusters.py

On 13 sets, none of which is among those of `floors.py`, every algorithm groups up to 2,000 rows in every view, the
number of clusters given. The index of quality chooses one; its NMI with the classes counts. Beside each other: what
columns are divided by (`RANGE` of the views; infinite: the standard deviation alone), and the weight of reproducibility
in the index. Writes `results/clusters.json`.
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
from automl_agent.tasks.tabular_clustering import FAMILY, indices

OUT = Path(__file__).parent / "results" / "clusters.json"
SETS = ("iris", "wdbc", "texture", "vehicle", "twonorm", "led7digit", "wisconsin", "satimage", "vowel",
        "movement_libras", "optdigits", "housevotes", "mushroom")  # fmt: skip
SEEDS, ROWS = 2, 2000
DIVISORS = {"standard deviation": float("inf"), "or a quarter of the range": 4.0}
WEIGHTS = (1, 2, 3, 4, 6)
KINDS = ("tied", "full", "diag")
PACKAGES = ("automl-agent", "scikit-learn", "numpy", "pandas")


def view_module(divisor: float) -> Any:
    """The module of the views that the candidates import, with another divisor."""
    shared = FAMILY.shared
    module = load_shared(shared[0] / "cluster_view.py", shared)
    module.RANGE = divisor
    return module


def models(clusters: int, seed: int, views: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], Any]]:
    for name in ("kmeans", "gaussian_mixture", "ward", "spectral"):
        model = load_candidate(FAMILY.candidates()[name].path, FAMILY.shared).Model
        for view in views:
            for kind in KINDS if name == "gaussian_mixture" else ("",):
                params = {"view": view, **({"covariance": kind} if kind else {})}
                yield (
                    {"candidate": name, **params},
                    model({"kind": "clustering", "clusters": clusters}, params, [], seed),
                )


def measured(name: str, seed: int, divisor: float) -> list[dict[str, Any]]:
    """Parts of the index, and agreement with the classes, of every model."""
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
        found.append({**about, "nmi": indices.mutual_information(truth[rows], labels),
                      "silhouette": indices.silhouette(points, labels),
                      "information": indices.information(points, labels),
                      "reproducibility": indices.reproducibility(points, labels)})  # fmt: skip
    return found


def chosen(found: list[dict[str, Any]], weight: float) -> float:
    """NMI of the clustering that the index prefers."""
    return float(
        max(found, key=lambda one: one["silhouette"] + one["information"] + weight * one["reproducibility"])["nmi"]
    )


def main() -> None:
    warnings.filterwarnings("ignore")
    raw: dict[str, dict[str, list[Any]]] = {}
    for divisor, value in DIVISORS.items():
        raw[divisor] = {name: [measured(name, seed, value) for seed in range(SEEDS)] for name in SETS}
        print(f"{divisor}: done", file=sys.stderr, flush=True)
    means = {
        divisor: {str(weight): round(float(np.mean([chosen(run, weight) for runs in of.values() for run in runs])), 4)
                  for weight in WEIGHTS}
        for divisor, of in raw.items()
    }  # fmt: skip
    rows = pd.DataFrame(means).T
    rows.columns = pd.Index([f"weight {weight}" for weight in WEIGHTS])
    print(rows.to_string())
    about = {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
    kept = {"mean_nmi_of_the_chosen": means, "versions": about, "seeds": list(range(SEEDS)),
            "by_set": {divisor: {name: [round(chosen(run, indices.REPEATABLE), 4) for run in runs]
                                 for name, runs in of.items()} for divisor, of in raw.items()}}  # fmt: skip
    OUT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
