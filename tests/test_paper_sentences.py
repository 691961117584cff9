"""The paper's kinds of prompts in our words: each becomes the right family, target, metric and requirements.

The sentences of the suite (`benchmarks/paper/paper.yaml`) and some more, on small files with the same columns.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent.agents.understanding.prompt import understand
from automl_agent.cli.suites import Entry, Expected, Required, read_suite
from automl_agent.records import Request, TaskSpec
from automl_agent.tasks.registry import families

SUITE = Path(__file__).parents[1] / "benchmarks" / "paper" / "paper.yaml"
TEXT = re.findall(
    r"\w+", "this dress is lovely, it fits well and its colour is better than in the picture; I would buy it"
)


def entry(name: str, words: str, data: str, family: str, target: str | None, metric: str, **requires: Any) -> Entry:
    limits = tuple(Required(measure=measure, value=value) for measure, value in requires.items())
    return Entry(name=name, words=words, data=(f"data/{data}",), requires=limits,
                 expect=Expected(family=family, target=target, metric=metric))  # fmt: skip


MORE = (
    entry("pictures", "What is on these images?", "garments", "image_classification", None, "accuracy"),
    entry("augment", "Train an image classifier on my photos of clothes with augmentation, F1 macro of at least 70 %.",
          "garments", "image_classification", None, "f1_macro", f1_macro=0.7),
    entry("topics", "Classify the reviews by department, macro F1 please.", "reviews.csv", "text_classification",
          "department", "f1_macro"),
    entry("sentences", "Which department does a text belong to? At most 100 MB.", "reviews.csv", "text_classification",
          "department", "accuracy", size_mb=100),
    entry("answers", "Predict answer from question and passage.", "boolq.csv", "text_classification", "answer",
          "accuracy"),
    entry("modules", "Predict defects, recall above 0.7.", "kc1.csv", "tabular_classification", "defects", "recall",
          recall=0.7),
    entry("rings", "How old is an abalone? Count its rings; mean absolute error below 1.6.", "abalone.csv",
          "tabular_regression", "rings", "mae", mae=1.6),
    entry("house", "What is MedHouseVal, with R2 of 0.8 or better?", "homes.csv", "tabular_regression", "MedHouseVal",
          "r2", r2=0.8),
    entry("segments", "Segment the wines into groups of similar ones.", "wine.csv", "tabular_clustering", None, ""),
    entry("five", "Find five clusters in these data.", "segment.csv", "tabular_clustering", None, ""),
    entry("weather", "Forecast the temperature (TEMP) of the coming 3 days.", "beijing.csv", "forecasting", "TEMP", ""),
    entry("load", "Forecast electricity load 24 hours ahead, sMAPE under 0.1.", "electricity.csv", "forecasting",
          "load", "smape", smape=0.1),
    entry("citations", "Node classification: the topic of papers that are not labelled yet.", "cora",
          "node_classification", "topic", "accuracy"),
    entry("balanced", "Predict the topic of every node, balanced accuracy of 75 % at least.", "cora",
          "node_classification", "topic", "balanced_accuracy", balanced_accuracy=0.75),
)  # fmt: skip
ENTRIES = (*read_suite(SUITE).entries, *MORE)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files by the names of the suite."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)

    def numbers(names: str, rows: int = 120) -> pd.DataFrame:
        return pd.DataFrame(random.normal(size=(rows, len(names.split()))).round(3), columns=names.split())

    def labelled(frame: pd.DataFrame, name: str, values: list[Any]) -> pd.DataFrame:
        return frame.assign(**{name: random.choice(np.array(values, dtype=object), len(frame))})

    def sentence(_: int) -> str:
        return " ".join(random.choice(TEXT, 25))

    reviews = pd.DataFrame({"review": [sentence(row) for row in range(120)]})
    pairs = pd.DataFrame({"question": [" ".join(random.choice(TEXT, 8)) for _ in range(120)],
                          "passage": [sentence(row) * 3 for row in range(120)]})  # fmt: skip
    tables: dict[str, pd.DataFrame] = {
        "reviews": labelled(reviews, "department", ["Tops", "Dresses", "Intimate"]),
        "boolq": labelled(pairs, "answer", ["yes", "no"]),
        "banana": labelled(numbers("size weight"), "quality", ["good", "bad"]),
        "kc1": labelled(numbers("loc v(g) ev(g) n v l d branchCount"), "defects", ["false", "true"]),
        "abalone": labelled(numbers("length diameter height whole_weight"), "rings", list(range(3, 25))),
        "homes": numbers("MedInc HouseAge AveRooms Latitude Longitude MedHouseVal"),
        "wine": labelled(numbers("alcohol ash hue proline"), "cultivar", [0, 1, 2]),
        "segment": labelled(numbers("f1 f2 f3 f4 f5"), "surface", [1, 2, 3, 4, 5, 6, 7]),
    }
    times = pd.date_range("2024-01-01", periods=240, freq="h").astype(str)
    tables["beijing"] = pd.DataFrame({"time": times, **numbers("pm2.5 DEWP TEMP PRES", 240)})
    tables["electricity"] = pd.DataFrame({"time": times, "load": random.uniform(900, 1500, 240).round(2)})
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    for name in ("cora", "citeseer"):
        _graph(folder / name, random)
    _pictures(folder, random)
    return folder


def _graph(folder: Path, random: np.random.Generator) -> None:
    folder.mkdir()
    nodes = pd.DataFrame({f"w{number}": random.integers(0, 2, 60) for number in range(6)})
    nodes.insert(0, "node", [f"p{number}" for number in range(60)])
    nodes["topic"] = random.choice(["theory", "rules", "genes"], 60)
    nodes.to_csv(folder / "nodes.csv", index=False)
    ends = random.choice(nodes["node"], (150, 2))
    pd.DataFrame(ends, columns=["source", "target"]).to_csv(folder / "edges.csv", index=False)


def _pictures(folder: Path, random: np.random.Generator) -> None:
    from PIL import Image

    def draw(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (8, 8)).astype(np.uint8)).save(path)

    for number in range(36):
        draw(folder / "garments" / ("Coat", "Bag", "Shirt")[number % 3] / f"{number}.png")
        draw(folder / "solar" / "images" / f"{number}.png")
    names = [f"images/{number}.png" for number in range(36)]
    cells = pd.DataFrame({"image": names, "defect": ["yes", "no", "no"] * 12})
    cells.to_csv(folder / "solar" / "cells.csv", index=False)


def test_there_are_enough_of_both_kinds() -> None:
    assert len(ENTRIES) >= 40
    assert [sum(one.kind == kind for one in read_suite(SUITE).entries) for kind in ("free", "aware")] == [14, 14]


@pytest.mark.parametrize("one", ENTRIES, ids=lambda one: one.name)
def test_a_sentence_is_understood(one: Entry, data: Path) -> None:
    place = str(data / Path(one.data[0]).name)
    task = understand(Request(words=one.words, data=(place,)), families())
    assert isinstance(task, TaskSpec), task
    assert task.family == one.expect.family
    if one.expect.target is not None:
        assert task.target == one.expect.target
    if one.expect.metric:
        assert task.metric == one.expect.metric
    found: dict[str, Any] = {limit.measure: limit.value for limit in task.constraints}
    assert {name: _plain(value) for name, value in found.items()} == {
        limit.measure: _plain(limit.value) for limit in one.requires
    }


def _plain(value: Any) -> Any:
    if isinstance(value, str | list | tuple):
        return sorted([value] if isinstance(value, str) else map(str, value))
    return pytest.approx(value)
