"""Clusters of the rows of a table: groups of similar rows, of which nobody has said what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks.base import Family
from automl_agent.tasks.family import Peek, Reading
from automl_agent.tasks.tabular_clustering import scores
from automl_agent.tasks.tabular_clustering.blueprints import BLUEPRINTS
from automl_agent.tasks.tabular_clustering.interpreting import interpret

if TYPE_CHECKING:
    import numpy.typing as npt

    from automl_agent.tasks.measures import Threshold

    Array = npt.NDArray[Any]


class ClusterFamily(Family):
    """Finds groups of similar rows, describes them in words, and says which group a new row belongs to.

    Besides the usual files the data folder holds `points.npy`: for each training row the code of its label (NaN without
    one) and its point in the reference view, against which all models are scored. `test_target.npy` is the same of the
    test rows.
    """

    name = "tabular_clustering"
    title = "clustering"
    area = "tabular"
    kind: Literal["classification", "regression", "clustering"] = "clustering"
    metrics = scores.METRICS
    probe = ("kmeans",)
    blueprints = BLUEPRINTS
    blends = False
    pooled = False
    pictures = "automl_agent.tasks.tabular_clustering.pictures:draw"

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        return interpret(request, peek)

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        from automl_agent.tasks.tabular_clustering import acquiring

        return acquiring.acquire(task, request, folder, private, seed=seed, test_share=test_share)

    def describe(self, folder: Path, metric: str) -> dict[str, Any]:
        """Adds `clusters`, the number of clusters that all models look for."""
        schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
        return {**super().describe(folder, metric), "clusters": schema["clusters"]}

    def training_truth(self, folder: Path) -> Array:
        import numpy as np

        truth: Array = np.load(folder / "points.npy", allow_pickle=False)
        return truth

    def score(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None,  # noqa: ARG002
              threshold: Threshold = None) -> float:  # noqa: ARG002  # fmt: skip
        return scores.score(metric, truth, prediction)

    def agreement(self, one: Array, other: Array) -> float:
        """Adjusted Rand index of two clusterings."""
        from automl_agent.tasks.tabular_clustering import indices

        return indices.adjusted_rand(one.argmax(axis=1), other.argmax(axis=1))

    def threshold(self, *_: Any, **__: Any) -> float | None:
        """Clusters have no threshold."""
        return None
