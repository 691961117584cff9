"""Node classification: some nodes of a graph have a label, the others get one."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks import metrics
from automl_agent.tasks.base import TABLES, Family
from automl_agent.tasks.family import Peek, Reading
from automl_agent.tasks.node_classification.blueprints import BLUEPRINTS


class NodeFamily(Family):
    """Predicts one attribute of nodes from their features, their neighbours, and labels near by.

    Every model sees the whole graph, nodes without a label and those of the test included (it is transductive); labels
    it sees of the training rows only.
    """

    name = "node_classification"
    title = "node classification"
    area = "graphs"
    kind = "classification"
    metrics = metrics.CLASSIFICATION
    probe = ("sgc_linear", "label_propagation")
    blueprints = BLUEPRINTS
    reader = "graph_io.py"
    files = ("graph.npz", "nodes.parquet")
    pictures = "automl_agent.tasks.node_classification.pictures:draw"

    def peek(self, request: Request) -> Peek | None:
        from automl_agent.tasks.node_classification import peeking

        return peeking.peek(request)

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        from automl_agent.tasks.node_classification import interpreting

        return interpreting.interpret(request, peek)

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        from automl_agent.tasks.node_classification import acquiring

        return acquiring.acquire(task, request, folder, private, seed=seed, test_share=test_share)


def graph_io() -> ModuleType:
    """The family's reader, as a bundle has it."""
    from automl_agent.tasks.candidate import load_shared

    own = Path(__file__).parent / "shared"
    return load_shared(own / "graph_io.py", (own, TABLES / "shared"))
