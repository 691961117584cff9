"""Keeps `OUT/bundle` at the best model so far, so that whatever happens leaves a usable result."""

from __future__ import annotations

from pathlib import Path

from automl_agent.agents.operation import build_best
from automl_agent.delivery.predictions import write_predictions
from automl_agent.delivery.publish import publish
from automl_agent.events import BestSoFar
from automl_agent.nodes.stage import Stage
from automl_agent.records import DataProfile, Grade, Trial
from automl_agent.search.runner import TrialRunner


def publish_single(stage: Stage, runner: TrialRunner, trial: Trial, out: str, name: str) -> str:
    """Build a bundle of one trial, put it in place, and return the artifact id that it was built under."""
    artifact, folder = stage.artifacts.create(stage.run_id, name)
    built = build_best(runner, [trial], stage.run_id, folder, artifact, workers_idle=False)
    announce(stage, folder, out, runner.task.metric, built.solution.score, trial.candidate)
    return artifact


def announce(stage: Stage, folder: Path, out: str, metric: str, score: float, candidate: str) -> None:
    """Replace the user's bundle by a built one, at once, and say so."""
    final = Path(out) / "bundle"
    publish(folder, final)
    spent = round(stage.clock.spent(), 2)
    stage.emit(BestSoFar(metric=metric, score=score, candidate=candidate, bundle=str(final), seconds=spent))


FINAL = "bundle"
"""Where the finished bundle lies in the artifact of delivery."""


def hand_over(stage: Stage, delivery: str, out: Path, profile: DataProfile, grade: Grade) -> None:
    """Put the finished bundle of this artifact, and the test rows with their predictions, into the user's folder."""
    folder = stage.artifacts.path(delivery) / FINAL
    publish(folder, out / "bundle")
    data, graded = stage.artifacts.path(profile.data), stage.artifacts.path(grade.details)
    write_predictions(out / "predictions.csv", data, graded, folder)
