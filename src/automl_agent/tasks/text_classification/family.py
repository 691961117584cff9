"""The family of texts: rows of a table whose texts carry the information, or folders of text files by class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks import metrics
from automl_agent.tasks.base import Family
from automl_agent.tasks.family import DataStep, FoldData, Peek, Reading
from automl_agent.tasks.text_classification.blueprints import BLUEPRINTS
from automl_agent.tasks.text_classification.interpreting import interpret

if TYPE_CHECKING:
    import pandas as pd


class TextFamily(Family):
    """Classifies rows by one text or two, and by a few columns beside them."""

    name = "text_classification"
    title = "text classification"
    area = "text"
    kind = "classification"
    metrics = metrics.CLASSIFICATION
    steps = {"balance": DataStep("Rare classes weigh more.", {"minority_share": "< 0.4"})}  # noqa: RUF012
    probe = ("naive_bayes", "word_linear", "pair_overlap")
    blueprints = BLUEPRINTS
    reader = "text_io.py"
    subgroups = True
    pictures = "automl_agent.tasks.text_classification.pictures:draw"

    def peek(self, request: Request) -> Peek | None:
        from automl_agent.tasks.text_classification import peeking

        return peeking.peek(request)

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        return interpret(request, peek, metrics=self.metrics)

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        from automl_agent.tasks.text_classification import acquiring

        return acquiring.acquire(task, request, folder, private, seed=seed, test_share=test_share)

    def describe(self, folder: Path, metric: str) -> dict[str, Any]:
        """As for tables, and `embedding`: the folder of the user's weights, or `None`."""
        schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
        return {**super().describe(folder, metric), "embedding": schema["embedding"]}

    def fold(self, folder: Path, index: int, *, rows: int, seed: int) -> FoldData:
        part = super().fold(folder, index, rows=rows, seed=seed)
        train, valid = _typed(part.train, folder), _typed(part.valid, folder)
        return FoldData(train, part.target, valid, part.valid_rows)

    def test_inputs(self, folder: Path) -> Any:
        return _typed(super().test_inputs(folder), folder)


def _typed(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    from automl_agent.tasks.text_classification.shared.text_files import as_texts

    return as_texts(frame, json.loads((folder / "schema.json").read_text(encoding="utf-8")))
