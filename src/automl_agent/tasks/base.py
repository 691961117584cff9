"""What task families have in common that keep their items as rows of a data folder (`tables/dataset.py`).

A family is a folder with a sub-folder `candidates` (and mostly `shared`), and a class that says what is special. It
must be importable without heavy libraries.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks import metrics
from automl_agent.tasks.candidate import read_candidate
from automl_agent.tasks.family import (
    Blueprint,
    Candidate,
    DataStep,
    FoldData,
    Grouping,
    MetricSpec,
    Peek,
    Reading,
    targets,
)
from automl_agent.tasks.syntax import parsed

if TYPE_CHECKING:
    import numpy.typing as npt

    from automl_agent.tasks.measures import Threshold

    Array = npt.NDArray[Any]

TABLES = Path(__file__).parent / "tables"


class Family:
    """A task family with everything that need not be special; a sub-class gives names, metrics, `interpret`, `acquire`.

    The data folder holds `train.parquet` and `test.parquet` (typed rows), `target.npy`, `folds.npy`, `rows.npy`,
    `test_rows.npy`, `schema.json` and `columns.json`; the private one holds `test_target.npy`, and with `subgroups`
    what `tables/subgroups.py` writes. Where rows are weighted, `weight.npy` and `test_weight.npy` lie beside the
    targets.
    """

    name: str
    title: str
    area: str
    kind: Literal["classification", "regression", "clustering"]
    metrics: Mapping[str, MetricSpec]
    steps: Mapping[str, DataStep] = {}
    baseline = "baseline"
    probe: tuple[str, ...]
    probe_cells = 0.0
    blueprints: tuple[Blueprint, ...]
    reader = "table_io.py"
    files: tuple[str, ...] = ()
    ships: Literal["folds", "whole"] = "whole"
    follows = False
    blends = True
    pooled = True
    dated = False
    weighs = False
    code: tuple[str, ...] = ()
    subgroups = False
    pictures = ""
    folder: ClassVar[Path]
    """Where `candidates` and `shared` lie: beside the file that defines the class, or a class that it derives from."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if "folder" not in cls.__dict__ and file and (Path(file).parent / "candidates").is_dir():
            cls.folder = Path(file).parent

    @property
    def shared(self) -> tuple[Path, ...]:
        own = self.folder / "shared"
        tables = TABLES / "shared"
        return (own, tables) if own.is_dir() and own != tables else (tables,)

    def candidates(self) -> Mapping[str, Candidate]:
        return _candidates(self.folder / "candidates", self.kind, self.shared)

    def peek(self, request: Request) -> Peek | None:
        from automl_agent.tasks.tables import peeking

        return peeking.peek(request)

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        raise NotImplementedError

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        raise NotImplementedError

    def describe(self, folder: Path, metric: str) -> dict[str, Any]:
        from automl_agent.tasks.tables import dataset

        return dataset.describe(folder, metric) | ({"files": str(folder)} if self.files else {})

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

    def groupings(self, private: Path) -> tuple[Grouping, ...]:
        from automl_agent.tasks.tables import subgroups

        return subgroups.read(private) if self.subgroups else ()

    def score(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None,
              threshold: Threshold = None) -> float:  # fmt: skip
        return metrics.score(metric, truth, prediction, positive=positive, threshold=threshold)

    def weights(self, truth: Array) -> Array | None:  # noqa: ARG002
        return None

    def threshold(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None) -> Threshold:
        return metrics.best_threshold(metric, truth, prediction, positive=positive)

    def decision(self, metric: str, truth: Array, prediction: Array) -> Threshold:
        return metrics.best_decision(metric, truth, prediction)

    def agreement(self, one: Array, other: Array) -> float:
        raise NotImplementedError(f"No metric of the family {self.name} asks for consensus.")

    def spread(self, folder: Path, rows: Array, truth: Array, prediction: Array) -> Any:  # noqa: ARG002
        """The half-width that covers 90 % of the out-of-fold residuals (split conformal; Lei et al. 2018)."""
        import numpy as np

        from automl_agent.tasks.measures import quantile

        if self.kind != "regression":
            return None
        residuals = np.abs(targets(truth) - prediction)
        if (weights := self.weights(truth)) is not None:
            return quantile(residuals, 0.9, weights)
        residuals = np.sort(residuals)
        rank = min(len(residuals) - 1, int(np.ceil(0.9 * (len(residuals) + 1))) - 1)
        return float(residuals[rank])


@cache
def _candidates(folder: Path, kind: str, shared: tuple[Path, ...]) -> dict[str, Candidate]:
    """Candidates for a kind of target by name. A file may say `TASKS = ("regression",)` when it serves only one."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        tasks = _tasks(path)
        if not path.stem.startswith("_") and (not tasks or kind in tasks):
            found[path.stem] = read_candidate(path, shared)
    return found


def _tasks(path: Path) -> tuple[str, ...]:
    for node in parsed(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "TASKS" for t in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ()
