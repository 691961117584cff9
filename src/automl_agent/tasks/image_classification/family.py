"""Image classification: an item is a row with one column, the encoded image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.tasks import metrics
from automl_agent.tasks.base import Family
from automl_agent.tasks.family import Peek, Reading
from automl_agent.tasks.image_classification.blueprints import BLUEPRINTS
from automl_agent.tasks.image_classification.interpreting import interpret


class ImageFamily(Family):
    """Says which class an image belongs to."""

    name = "image_classification"
    title = "image classification"
    area = "images"
    kind = "classification"
    metrics = metrics.CLASSIFICATION
    probe = ("hog_linear", "hog_kernel")
    blueprints = BLUEPRINTS
    reader = "image_io.py"
    pictures = "automl_agent.tasks.image_classification.pictures:draw"

    def peek(self, request: Request) -> Peek | None:
        from automl_agent.tasks.image_classification import peeking

        return peeking.peek(request)

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        return interpret(request, peek, metrics=self.metrics)

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        from automl_agent.tasks.image_classification import acquiring

        return acquiring.acquire(task, request, folder, private, seed=seed, test_share=test_share)

    def describe(self, folder: Path, metric: str) -> dict[str, Any]:
        """What a candidate is told: with `augment`, what the user wants to be done to training images."""
        schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
        return {**super().describe(folder, metric), "augment": schema["augment"]}
