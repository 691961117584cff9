"""A small table whose target hides in a ratio, and modules as a language model writes them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl_agent.execution.trials import TrialStore
from automl_agent.records import CandidateChoice, DataProfile, Fidelity, TaskSpec, Trial
from automl_agent.search.runner import TrialRunner, Work
from automl_agent.tasks.registry import get_family
from automl_agent.testing import InlineExecutor
from table_cases import acquired

CLASSES, VALUES = get_family("tabular_classification"), get_family("tabular_regression")
METRICS = {"classification": "roc_auc", "regression": "mae"}

RATIO = """
import numpy as np
import pandas as pd

def fit(frame, target):
    return {"middle": float(np.log(frame["debt"] / frame["income"]).median())}

def transform(frame, state):
    ratio = np.log(frame["debt"] / frame["income"]).fillna(state["middle"])
    return pd.DataFrame({"ratio": ratio, "noise": frame["debt"] * 0.001}, index=frame.index)
"""

MODEL = """
import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

PARAMS = {"strength": 1.0}
SPACE = {"strength": {"type": "float", "low": 0.01, "high": 100.0, "log": True}}

def table(frame, means):
    ratio = frame["debt"] / frame["income"]
    city = (frame["city"] == "Oslo").astype(float)
    return np.column_stack([ratio.fillna(means), city])

def fit(frame, target, params, task):
    means = float((frame["debt"] / frame["income"]).mean())
    if task["kind"] == "classification":
        model = LogisticRegression(C=params["strength"])
    else:
        model = Ridge(alpha=params["strength"])
    return {"means": means, "model": model.fit(table(frame, means), target)}

def predict(frame, state):
    x, model = table(frame, state["means"]), state["model"]
    return model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)
"""

PROGRAM = """
import json
import numpy as np
import pandas as pd

def train(inputs, out):
    frame, target = pd.read_parquet(inputs / "train.parquet"), np.load(inputs / "target.npy")
    task = json.loads((inputs / "task.json").read_text())
    middle = float((frame["debt"] / frame["income"]).median())
    (out / "model.json").write_text(json.dumps({"middle": middle, "classes": task["classes"]}))

def predict(model, rows, out):
    known = json.loads((model / "model.json").read_text())
    frame = pd.read_parquet(rows)
    ratio = (frame["debt"] / frame["income"]).fillna(known["middle"])
    yes = 1 / (1 + np.exp(-5 * (ratio - known["middle"])))
    table = pd.DataFrame({known["classes"][1]: yes, known["classes"][0]: 1 - yes})
    table.to_csv(out / "predictions.csv", index=False)
"""


def loans(rows: int = 260, seed: int = 0) -> pd.DataFrame:
    """Numbers with gaps, categories with gaps, dates; whether a loan fails depends on debt over income."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "debt": random.uniform(1, 100, rows).round(3),
        "income": random.uniform(1, 100, rows).round(3),
        "city": random.choice(["Bern", "Oslo", "Rome"], rows),
        "since": [f"2024-{month:02d}-15" for month in random.integers(1, 13, rows)],
    })  # fmt: skip
    ratio = frame["debt"] / frame["income"]
    frame["failed"] = np.where(ratio + random.normal(0, 0.2, rows) > 1, "yes", "no")
    frame["loss"] = (np.log(ratio) + random.normal(0, 0.1, rows)).round(4)
    frame.loc[::23, "income"] = np.nan
    frame.loc[::31, "city"] = None
    return frame


def loan_data(place: Path, kind: str = "classification") -> tuple[DataProfile, Path]:
    """The data folder of the loans."""
    place.mkdir(parents=True, exist_ok=True)
    target, other = ("failed", "loss") if kind == "classification" else ("loss", "failed")
    profile, folder, _ = acquired(place, loans().drop(columns=other), target, kind=kind)
    return profile, folder


class Desk:
    """Runs trials on the loans, in this process and the sandbox."""

    def __init__(self, place: Path, kind: str = "classification") -> None:
        self.kind = kind
        self.family = CLASSES if kind == "classification" else VALUES
        self.profile, self.data = loan_data(place / kind, kind)
        self.executor = InlineExecutor()
        self.place = place
        target = "failed" if kind == "classification" else "loss"
        self.runner = TrialRunner(
            family=self.family,
            task=TaskSpec(words="", family=self.family.name, target=target, metric=METRICS[kind]),
            profile=self.profile,
            data=self.data,
            store=TrialStore(place / "home"),
            pool=self.executor.pool("test", 2),
            seconds_left=lambda: 100.0,
            emit=lambda event: None,
        )

    def trial(self, candidate: Path | str, folds: int = 1, seconds: float = 60.0, **params: Any) -> Trial:
        choice = CandidateChoice(candidate=str(candidate), params=params)
        fidelity = Fidelity(rows=0, folds=folds)
        (trial,) = self.runner.run([Work(choice, (), "p", "test")], fidelity, until=time.monotonic() + seconds)
        return trial

    def close(self) -> None:
        self.executor.release("test")
