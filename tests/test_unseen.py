"""Whole runs on tables that the library has not seen: names drawn at random, requests paraphrased, values missing.

What is delivered is used as a user would: its own programs, by plain `python`, where `automl_agent` is not installed.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from automl_agent import Report, Settings, build_graph
from automl_agent.testing import InlineExecutor

SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "wu", "za", "pe", "gri", "sto", "fla")


@dataclass
class Case:
    """A public table, disguised, and what is asked of it."""

    load: Callable[[], Any]
    words: str
    """`{target}`, `{rare}` (a class) and `{noise}` (a column) stand for names that are drawn."""
    metric: str
    better_than: Callable[[Report], bool]
    budget: float = 30
    trials: int = 7
    rare: float = 0.0
    """Share that the second class is thinned out to."""
    labels: bool = True


CASES = {
    "wine": Case(
        datasets.load_wine,
        "I have samples of unknown origin. Tell me which {target} each belongs to; balanced accuracy is what I care "
        "about, and it should be 0.8 or better. Leave out {noise}.",
        "balanced_accuracy",
        lambda report: report.score > 0.75,
    ),
    "cancer": Case(
        datasets.load_breast_cancer,
        "Spot the {rare} ones. Few rows are, so judge by the F1 score (>= 0.5); one answer must take less than 80 ms.",
        "f1",
        lambda report: report.score > 0.5,
        rare=0.12,
    ),
    "diabetes": Case(
        datasets.load_diabetes,
        "How large will {target} be? I want the mean absolute error to be as small as possible. No nearest neighbours.",
        "mae",
        lambda report: report.score < 0.95 * report.metric["baseline"],
        labels=False,
    ),
    "iris": Case(
        datasets.load_iris, "classify {target}, please", "accuracy", lambda report: report.score > 0.8, budget=120,
        trials=6,
    ),
}  # fmt: skip


@dataclass
class Delivered:
    """What a run left, and what is known of its table."""

    case: Case
    report: Report
    table: Path
    target: str
    drawn: dict[str, str]
    """What was drawn: `category`, `noise`, `measured` are columns."""

    @property
    def bundle(self) -> Path:
        return Path(self.report.bundle or "")

    @property
    def test(self) -> pd.DataFrame:
        return pd.read_csv(Path(self.report.predictions or ""))


def disguised(case: Case, seed: int) -> tuple[pd.DataFrame, str, dict[str, str]]:
    """The table with other names, other classes, missing values and columns of other kinds."""
    draw, noise = random.Random(seed), np.random.default_rng(seed)
    used: set[str] = set()

    def name() -> str:
        while (word := "".join(draw.choices(SYLLABLES, k=3))) in used:
            pass
        used.add(word)
        return draw.choice([word, word.capitalize(), f"{word}_{draw.randint(1, 99)}", f"{word} {draw.choice('AB')}"])

    raw = case.load()
    values = pd.DataFrame(raw.data).add_prefix("c").sample(frac=1, axis=1, random_state=seed)
    frame = values.rename(columns={column: name() for column in values.columns})
    target, classes = name(), [name() for _ in range(3)]
    rows = np.arange(len(frame))
    if case.labels:
        frame[target] = [classes[code] for code in raw.target]
        if case.rare:
            rare = np.flatnonzero(raw.target == 0)
            keep = rare[: int(case.rare * (len(rows) - len(rare)) / (1 - case.rare))]
            rows = np.sort(np.concatenate([keep, np.flatnonzero(raw.target == 1)]))
    else:
        frame[target] = raw.target
    measured = frame.columns[0]
    names = {"category": name(), "noise": name(), "measured": str(measured), "rare": classes[0]}
    levels = pd.qcut(frame[measured], 3, labels=[name() for _ in range(3)]).astype(object)
    frame.insert(1, names["category"], levels)
    frame.insert(2, names["noise"], noise.integers(0, 9, len(frame)))
    frame.insert(3, name(), noise.choice(["yes", "no"], len(frame)))
    frame.insert(0, name(), pd.date_range("2021-03-01", periods=len(frame), freq="7h").strftime("%Y-%m-%d"))
    frame.insert(0, name(), [f"K{number:05d}" for number in noise.permutation(len(frame))])
    for column in frame.columns[2:-1]:
        frame.loc[noise.random(len(frame)) < 0.04, column] = np.nan
    return frame.iloc[rows].sample(frac=1, random_state=seed).reset_index(drop=True), target, names


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in ("diabetes", "cancer") else pytest.mark.long) for name in CASES],
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    case, folder = CASES[request.param], tmp_path_factory.mktemp(request.param)
    frame, target, drawn = disguised(case, seed=len(request.param))
    frame.to_csv(folder / "table.csv", index=False, sep=";" if case.labels else ",")
    settings = Settings(
        budget=case.budget, trials=case.trials, max_revisions=0, home=str(folder / "home"), out=str(folder / "out")
    )
    words = case.words.format(target=target, **drawn)
    report = build_graph().invoke({"request": words, "data": str(folder / "table.csv")}, context=settings)["report"]
    return Delivered(case, report, folder / "table.csv", target, drawn)


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that hides the library from any process that has it in PYTHONPATH."""
    folder = tmp_path_factory.mktemp("nowhere")
    (folder / "automl_agent.py").write_text("raise ImportError('automl_agent is not installed here')\n")
    return folder


@contextmanager
def started(run: Delivered, nowhere: Path, script: str, *argv: object) -> Iterator[subprocess.Popen[str]]:
    """`python SCRIPT` in the bundle's folder, ended afterwards."""
    environment = {**os.environ, "PYTHONPATH": str(nowhere), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", script, *map(str, argv)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=run.bundle, env=environment, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def python(run: Delivered, nowhere: Path, script: str, *argv: object) -> tuple[int, str, str]:
    with started(run, nowhere, script, *argv) as process:
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


def ask(port: int, rows: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", "/predict", json.dumps({"rows": rows}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def test_the_request_is_understood_and_served(run: Delivered) -> None:
    report, case = run.report, run.case
    assert report.status in ("delivered", "missed"), report.reason
    assert report.task["target"] == run.target
    assert report.metric["name"] == case.metric
    assert case.better_than(report), report.metric
    if case.rare:
        assert report.task["positive"] == run.drawn["rare"]
    if "{noise}" in case.words:
        schema = json.loads((run.bundle / "schema.json").read_text())
        assert {"name": run.drawn["noise"], "reason": "ignored"} in schema["dropped"]


def test_predict_agrees_with_the_graded_predictions(run: Delivered, nowhere: Path, tmp_path: Path) -> None:
    status, _, err = python(run, nowhere, "predict.py", run.table, "--out", tmp_path / "all.csv", "--reasons")
    assert status == 0, err
    predicted, graded = pd.read_csv(tmp_path / "all.csv"), run.test
    again = predicted.loc[graded["row"]].reset_index(drop=True)
    shared = [name for name in graded.columns if name not in ("row", "truth")]
    pd.testing.assert_frame_equal(again[shared], graded[shared], rtol=1e-6)
    assert again[run.target].tolist() == (
        pytest.approx(graded["truth"].tolist()) if not run.case.labels else graded["truth"].tolist()
    )
    assert predicted["reasons"].str.contains("=").all()


def test_training_again_gives_the_same_out_of_fold_predictions(run: Delivered, nowhere: Path) -> None:
    solution = json.loads((run.bundle / "model" / "solution.json").read_text())
    for member in solution["members"]:
        fold = member["folds"][-1]
        status, out, err = python(
            run, nowhere, "train.py", "--data", run.table, "--verify", "--member", member["id"], "--fold", fold
        )
        assert status == 0, out + err
        assert json.loads(out.splitlines()[-1])["same"]


def test_the_server_answers_as_predict_does(run: Delivered, nowhere: Path, tmp_path: Path) -> None:
    new = pd.read_csv(run.table, sep=None, engine="python").head(5)
    schema = json.loads((run.bundle / "schema.json").read_text())
    names = [column["name"] for column in schema["columns"]]
    rows = new[names].astype(object).where(new[names].notna(), None).to_dict(orient="records")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with started(run, nowhere, "serve.py", "--port", port) as process:
        for _ in range(600):
            assert process.poll() is None, process.communicate()[1]
            try:
                status, answer = ask(port, rows)
                break
            except OSError:
                time.sleep(0.05)
        assert status == 200, answer
    new.to_csv(tmp_path / "new.csv", index=False, sep=schema["read"]["delimiter"])
    assert python(run, nowhere, "predict.py", tmp_path / "new.csv", "--out", tmp_path / "p.csv")[0] == 0
    expected = pd.read_csv(tmp_path / "p.csv")["prediction"].tolist()
    assert answer["predictions"] == (pytest.approx(expected) if not run.case.labels else expected)


def test_what_is_odd_in_new_rows_is_named_and_counted(run: Delivered, nowhere: Path, tmp_path: Path) -> None:
    new = pd.read_csv(run.table, sep=None, engine="python").head(20)
    schema = json.loads((run.bundle / "schema.json").read_text())
    numbers = [c["name"] for c in schema["columns"] if c["kind"] == "number" and c["name"] != run.drawn["measured"]]
    new[run.drawn["category"]] = ["never seen"] * 3 + new[run.drawn["category"]].tolist()[3:]
    new[run.drawn["measured"]] = [1e9] * 2 + new[run.drawn["measured"]].tolist()[2:]
    new = new.drop(columns=[numbers[0], run.target]).assign(surprise=1)
    new.to_csv(tmp_path / "new.csv", index=False, sep=schema["read"]["delimiter"])
    status, _, err = python(run, nowhere, "predict.py", tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert status == 0, err
    for said in (
        f"column {numbers[0]!r} is missing",
        f"column {run.drawn['category']!r}: 3 values were never seen",
        f"column {run.drawn['measured']!r}: 2 values lie outside",
        "column 'surprise' is not used",
    ):
        assert said in err
    assert err.count("warning: ") == len(err.splitlines())
    written = pd.read_csv(tmp_path / "p.csv")
    assert written["prediction"].notna().all()
    assert len(written) == 20


@pytest.mark.slow
def test_a_target_of_negative_numbers_is_graded_without_the_metrics_that_it_has_none_of(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(200, 3)), columns=["a", "b", "c"])
    frame["change"] = frame["a"] - 2 * frame["b"] + 0.1 * draw.normal(size=200)
    frame.to_csv(tmp_path / "changes.csv", index=False)
    settings = Settings(budget=120, trials=4, retrieval=False, home=str(tmp_path / "home"), out=str(tmp_path / "out"))
    graph = build_graph(settings=settings, executor=InlineExecutor())
    report = graph.invoke({"request": "Predict the change.", "data": str(tmp_path / "changes.csv")})["report"]
    assert report.status == "delivered", report.reason
    others = json.loads((tmp_path / "out" / "bundle" / "metrics.json").read_text())["others"]
    assert "mae" in others and "rmsle" not in others
