"""Anomaly detection in a table as a task family of automl-agent.

Models learn from rows without labels. A column of known anomalies is needed to choose among them and to grade the
result; no model sees it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from automl_agent.records import DataProfile, Inference, Question, Request, TaskSpec
from automl_agent.tasks import metrics
from automl_agent.tasks.base import TABLES, Family
from automl_agent.tasks.candidate import read_candidate
from automl_agent.tasks.family import Blueprint, Candidate, Peek, Reading
from automl_agent.tasks.tables.interpreting import interpret

_MEANT = re.compile(r"\b(?:anomal|outlier|novelt)\w*", re.IGNORECASE)


METRICS = ("average_precision", "roc_auc", "f1", "precision", "recall", "log_loss")


class AnomalyFamily(Family):
    """Says how unusual a row is, from 0 to 1."""

    name = "anomaly_detection"
    title = "anomaly detection"
    area = "tabular"
    kind = "classification"
    probe = ("isolation_forest", "distance")
    blueprints = (
        Blueprint("Isolation", "Unusual rows are separated from the others by few cuts.", ("isolation_forest",), ()),
        Blueprint("Distance", "Unusual rows lie far from the others.", ("neighbours", "distance"), (), "robustness"),
    )

    def __init__(self) -> None:
        self.metrics = {name: metrics.CLASSIFICATION[name] for name in METRICS}

    def candidates(self) -> Mapping[str, Candidate]:
        trivial = read_candidate(TABLES / "candidates" / "baseline.py", self.shared)
        return {**super().candidates(), trivial.name: trivial}

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        if peek is None or not (request.family == self.name or _MEANT.search(request.words)):
            return Reading(0.0)
        asked = request.model_copy(update={"family": self.name})  # the tables' own reading of target and class
        reading = interpret(asked, peek, kind="classification", metrics=self.metrics)
        column = peek.column(reading.target) if reading.target else None
        if reading.question is not None or column is None or column.distinct != 2:
            text = (
                "Which column, with two values, says which rows are known anomalies? It scores; nothing learns from it."
            )
            two = tuple(column.name for column in peek.columns if column.distinct == 2)
            return Reading(0.98, question=Question(field="target", text=text, choices=two))
        rarest = column.examples[-1] if column.examples else None  # the most frequent value comes first
        inferences = [one for one in reading.inferences if one.field not in ("family", "metric", "positive")]
        inferences.append(Inference(field="family", value=self.name, reason="The words ask for anomalies."))
        named = next((one for one in reading.inferences if one.field == "metric" and one.sure), None)
        inferences.append(named or Inference(field="metric", value="average_precision",
                                             reason="No metric was named, and anomalies are rare."))  # fmt: skip
        return replace(reading, confidence=0.98, positive=reading.positive or rarest, inferences=tuple(inferences),
                       metric=named.value if named else "average_precision")  # fmt: skip

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        from automl_agent.tasks.tables import acquiring

        return acquiring.acquire(
            task, request, folder, private, seed=seed, test_share=test_share, kind="classification"
        )


FAMILY = AnomalyFamily()
