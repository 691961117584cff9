"""The two families of tables. They share everything but the kind of target; what they do is in the files beside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks import metrics
from automl_agent.tasks.base import Family
from automl_agent.tasks.family import Peek, Reading, targets
from automl_agent.tasks.tables.blueprints import BLUEPRINTS
from automl_agent.tasks.tables.interpreting import Kind, interpret
from automl_agent.tasks.tables.steps import data_steps

if TYPE_CHECKING:
    import numpy.typing as npt

    from automl_agent.tasks.measures import Threshold

    Array = npt.NDArray[Any]


class TableFamily(Family):
    """Predicts one column of a table from the others."""

    area = "tabular"
    probe = ("lightgbm", "linear")
    probe_cells = 2000.0
    blueprints = BLUEPRINTS
    ships = "folds"
    weighs = True
    code = ("features", "model", "program")
    subgroups = True

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.name = f"tabular_{kind}"
        self.title = f"tabular {kind}"
        self.metrics = metrics.CLASSIFICATION if kind == "classification" else metrics.REGRESSION
        self.steps = data_steps(kind)

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        assert self.kind != "clustering"
        return interpret(request, peek, kind=self.kind, metrics=self.metrics)

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        from automl_agent.tasks.tables import acquiring

        assert self.kind != "clustering"
        return acquiring.acquire(task, request, folder, private, seed=seed, test_share=test_share, kind=self.kind)

    def score(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None,
              threshold: Threshold = None) -> float:  # fmt: skip
        return metrics.score(
            metric, self._targets(truth), prediction, positive=positive, threshold=threshold,
            weights=self.weights(truth),
        )  # fmt: skip

    def threshold(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None) -> Threshold:
        return metrics.best_threshold(
            metric, self._targets(truth), prediction, positive=positive, weights=self.weights(truth)
        )

    def decision(self, metric: str, truth: Array, prediction: Array) -> Threshold:
        return metrics.best_decision(metric, self._targets(truth), prediction, weights=self.weights(truth))

    def weights(self, truth: Array) -> Array | None:
        return truth[:, 1] if truth.ndim == 2 else None

    def _targets(self, truth: Array) -> Array:
        """Class codes or values: beside weights, codes are stored as floats."""
        found = targets(truth)
        return found.astype("int64") if self.kind == "classification" and truth.ndim == 2 else found
