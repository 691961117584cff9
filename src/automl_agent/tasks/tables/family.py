"""The two families of tables. They share everything but the kind of target; what they do is in the files beside."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks import metrics
from automl_agent.tasks.candidate import read_candidate
from automl_agent.tasks.family import Candidate, FoldData, Peek, Reading
from automl_agent.tasks.tables.blueprints import BLUEPRINTS
from automl_agent.tasks.tables.interpreting import Kind, interpret
from automl_agent.tasks.tables.steps import data_steps

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_FOLDER = Path(__file__).parent


class TableFamily:
    """Predicts one column of a table from the others."""

    area = "tabular"
    baseline = "baseline"
    probe = ("lightgbm", "linear")
    blueprints = BLUEPRINTS
    shared = _FOLDER / "shared"

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.name = f"tabular_{kind}"
        self.title = f"tabular {kind}"
        self.metrics = metrics.CLASSIFICATION if kind == "classification" else metrics.REGRESSION
        self.steps = data_steps(kind)

    def candidates(self) -> Mapping[str, Candidate]:
        return _candidates(self.kind)

    def peek(self, request: Request) -> Peek | None:
        from automl_agent.tasks.tables import peeking

        return peeking.peek(request)

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        return interpret(request, peek, kind=self.kind, metrics=self.metrics)

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        from automl_agent.tasks.tables import acquiring

        return acquiring.acquire(task, request, folder, private, seed=seed, test_share=test_share, kind=self.kind)

    def describe(self, folder: Path, metric: str) -> dict[str, Any]:
        from automl_agent.tasks.tables import dataset

        return dataset.describe(folder, metric)

    def fold(self, folder: Path, index: int, *, rows: int, seed: int) -> FoldData:
        from automl_agent.tasks.tables import dataset

        return dataset.load_fold(folder, index, rows=rows, seed=seed)

    def training_truth(self, folder: Path) -> Array:
        from automl_agent.tasks.tables import dataset

        return dataset.training_truth(folder)

    def test_inputs(self, folder: Path) -> Any:
        from automl_agent.tasks.tables import dataset

        return dataset.test_inputs(folder)

    def test_truth(self, private: Path) -> Array:
        from automl_agent.tasks.tables import dataset

        return dataset.test_truth(private)

    def score(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None,
              threshold: float | None = None) -> float:  # fmt: skip
        return metrics.score(metric, truth, prediction, positive=positive, threshold=threshold)

    def threshold(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None) -> float | None:
        return metrics.best_threshold(metric, truth, prediction, positive=positive)


@lru_cache(maxsize=2)
def _candidates(kind: Kind) -> dict[str, Candidate]:
    """Candidates for a kind of target by name. A file may say `TASKS = ("regression",)` when it serves only one."""
    found = {}
    for path in sorted((_FOLDER / "candidates").glob("*.py")):
        if not path.stem.startswith("_") and kind in _tasks(path):
            found[path.stem] = read_candidate(path, shared=TableFamily.shared)
    return found


def _tasks(path: Path) -> tuple[str, ...]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "TASKS" for t in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ("classification", "regression")
