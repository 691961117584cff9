"""Runs on a small real table, for the tests of language models; what one run has trained, the next does not train."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.datasets import load_diabetes

from automl_agent import Report, Request, Settings, build_graph
from automl_agent.testing import InlineExecutor
from model_scripts import DIABETES

QUICK = {
    "budget": 240.0,
    "trials": 24,
    "plans": 2,
    "max_revisions": 0,
    "retrieval": False,
    "call_timeout": 2.0,
    "call_retries": 1,
}


class Runs:
    """Runs that share a home folder, and what the rules alone come to."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self.home = factory.mktemp("home")
        self.diabetes = str(factory.mktemp("data") / "diabetes.csv")
        frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
        frame.to_csv(self.diabetes, index=False)
        self.by_rules = self.run(None, factory.mktemp("rules"))

    def run(self, model: object, out: Path, words: str = DIABETES, data: str = "", **changes: object) -> Report:
        settings = Settings(**{**QUICK, "home": str(self.home), "out": str(out), **changes})
        graph = build_graph(model, settings=settings, executor=InlineExecutor())
        return graph.invoke({"request": Request(words=words, data=(data or self.diabetes,))})["report"]

    def no_worse(self, report: Report) -> None:
        """Delivered, and hardly worse than by the rules alone: a plan of a model takes the place of one of their two,
        and what that one would have found out about steps is missing."""
        assert report.status == "delivered", report.reason
        assert report.bundle is not None
        assert report.metric["validation"] <= self.by_rules.metric["validation"] * 1.02
