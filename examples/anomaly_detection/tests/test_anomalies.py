"""From a sentence to a served bundle, by a family that the library does not know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl_agent import Request, Settings, build_graph
from automl_agent.tasks.registry import families

CANDIDATES = families()["anomaly_detection"].candidates()


@pytest.fixture(scope="module")
def measurements(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 rows on a curved sheet, 20 of them off it."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 300))
    frame = pd.DataFrame(
        {"x": x, "y": y, "z": x * y + 0.1 * random.normal(size=300), "site": random.choice(list("ab"), 300)}
    )
    odd = random.choice(300, 20, replace=False)
    frame.loc[odd, ["x", "y", "z"]] = random.normal(size=(20, 3)) * 3
    frame["outlier"] = np.where(np.isin(np.arange(300), odd), "yes", "no")
    path = tmp_path_factory.mktemp("data") / "measurements.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", sorted(set(CANDIDATES) - {"baseline"}))
def test_a_candidate_learns_nothing_from_the_labels(name: str) -> None:
    from automl_agent.tasks.candidate import load_candidate

    module = load_candidate(CANDIDATES[name].path, families()["anomaly_detection"].shared)
    frame = pd.DataFrame({"x": np.random.default_rng(1).normal(size=100), "site": ["a", "b"] * 50})
    task = {"kind": "classification", "classes": ["no", "yes"], "metric": "roc_auc", "positive": 1}
    labels = np.arange(100) % 2
    answers = [module.Model(task, {}, [], 0).fit(frame, target).predict(frame) for target in (labels, 1 - labels)]
    np.testing.assert_allclose(*answers)


def test_a_sentence_becomes_a_served_detector(measurements: Path, tmp_path: Path) -> None:
    settings = Settings(budget=120, trials=6, home=str(tmp_path / "home"), out=str(tmp_path / "out"), retrieval=False)
    words = "Find the anomalies; some are known: column outlier."
    report = build_graph(settings=settings).invoke({"request": Request(words=words, data=(str(measurements),))})[
        "report"
    ]
    assert report.status == "delivered", report.reason
    assert report.task["family"] == "anomaly_detection"
    assert report.task["positive"] == "yes"
    assert report.metric["name"] == "average_precision"
    assert report.score > 3 * report.metric["baseline"]


def test_without_known_anomalies_there_is_a_question(measurements: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(measurements).drop(columns="outlier")
    frame.to_csv(tmp_path / "bare.csv", index=False)
    settings = Settings(budget=30, home=str(tmp_path / "home"), out=str(tmp_path / "out"))
    request = Request(words="Find the outliers.", data=(str(tmp_path / "bare.csv"),))
    report = build_graph(settings=settings).invoke({"request": request})["report"]
    assert report.status == "needs_answer"
    assert "known anomalies" in report.reason
