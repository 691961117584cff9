"""Bad input through the real command line: one line that names what is wrong, the design's exit status, nothing left.

Every case runs the whole graph with `--plan-only`, in this process: what must be refused is refused before training.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_agent.cli.main import main
from table_cases import shop

WORDS = "Predict churn"


@dataclass
class Call:
    """A call of `automl-agent run` in a folder that holds `table.csv`, and what its one line must say."""

    says: str | tuple[str, ...]
    argv: tuple[str, ...] = ()
    table: bytes | str | pd.DataFrame | None = field(default_factory=shop)
    words: str | None = WORDS
    data: tuple[str, ...] = ("table.csv",)
    before: Callable[[Path], Any] = lambda _: None
    out: str = "out"
    status: int = 2


def other(frame: pd.DataFrame) -> Callable[[Path], None]:
    return lambda folder: frame.to_csv(folder / "other.csv", index=False)


def theirs(name: str) -> Callable[[Path], None]:
    """A file of the user's own in the output folder."""

    def write(folder: Path) -> None:
        place = folder / "out" / name
        place.parent.mkdir(parents=True)
        place.write_text("theirs")

    return write


def labelled(*values: object, rows: int = 60) -> pd.DataFrame:
    return shop(rows).assign(churn=(list(values) * rows)[:rows])


def metric(words: str, *says: str) -> Call:
    return Call(says, words=f"Predict churn, {words}")


SOURCES = {
    "link": Call(("127.0.0.1:9/a.csv cannot be reached", "network"), data=("http://127.0.0.1:9/a.csv",)),
    "unknown_link": Call(("ftp:// links are not fetched", "https:"), data=("ftp://example.com/a.csv",)),
    "unknown_set": Call(("no data set 'whine'", "wine"), data=("sklearn:whine",)),
}  # fmt: skip
TABLES = {
    "no_such_target": Call(("'chrun'", "Nearest columns: churn"), ("--target", "chrun")),
    "words_as_numbers": Call("regression needs numbers", ("--family", "tabular_regression")),
    "numbers_as_classes": Call("tabular_regression", ("--target", "income", "--family", "tabular_classification")),
    "all_ignored": Call("'age' is ignored", ("--ignore", "age", "income", "city")),
    "target_ignored": Call("both target and ignore", ("--target", "churn", "--ignore", "churn")),
    "ignore_unknown": Call("Nearest columns: income", ("--ignore", "incme")),
    "group_unknown": Call(("'person'", "group"), ("--group", "person")),
    "time_unknown": Call(("'day'", "time"), ("--time", "day")),
    "time_of_words": Call("dates and numbers", ("--time", "city")),
    "positive_unknown": Call(("'maybe'", "yes or no"), ("--positive", "maybe")),
    "test_without_target": Call("in the test data 'other.csv'", ("--test-data", "other.csv"),
                                before=other(shop()[["age", "city"]])),
    "test_of_other_columns": Call("none of the training data's columns", ("--test-data", "other.csv"),
                                  before=other(shop()[["churn"]].assign(x=range(60)))),
    "test_of_other_labels": Call("No row of the test data 'other.csv'", ("--test-data", "other.csv"),
                                 before=other(labelled("perhaps"))),
    "test_missing": Call("'nix.csv' does not exist", ("--test-data", "nix.csv")),
}  # fmt: skip
WISHES = {
    "metric_unknown": Call(("'foo'", "accuracy"), ("--metric", "foo")),
    "metric_of_the_other_family": Call(("tabular regression, and this is", "f1"), ("--metric", "rmse")),
    "accuracy_above_one": metric("accuracy >= 1.1", "impossible", "between 0 and 1"),
    "accuracy_above_hundred": metric("accuracy at least 110 %", "impossible"),
    "no_time_at_all": metric("answers within 0 ms", "impossible", "greater than 0"),
    "metric_contradicts": metric("accuracy at least 0.9 and accuracy at most 0.8", "contradict", "(accuracy)"),
    "latency_contradicts": metric("latency of at least 10 ms and under 5 ms", "contradict"),
    "models_contradict": metric("use LightGBM, no LightGBM", "contradict"),
    "family_unknown": Call(("'foo'", "tabular_classification"), ("--family", "foo")),
    "option_unknown": Call(("no option depth", "--set"), ("--set", "depth=3")),
    "option_without_value": Call("KEY=VALUE", ("--set", "depth")),
    "target_blank": Call("--target is empty", ("--target", " ")),
    "no_request": Call("REQUEST is missing", words=None),
    "blank_request": Call("REQUEST is missing", words="  "),
    "budget_zero": Call(("--budget 0", "greater than 0"), ("--budget", "0")),
    "budget_negative": Call("--budget -1", ("--budget", "-1")),
    "budget_word": Call(("--budget", "'abc'"), ("--budget", "abc")),
    "plans_too_many": Call(("--plans 99", "8"), ("--plans", "99")),
    "seed_word": Call(("--seed", "whole number", "'x'"), ("--seed", "x")),
    "trials_zero": Call("--trials 0", ("--trials", "0")),
    "resume_unknown": Call(("'nix'", "No run has been started"), ("--resume", "nix"), words=None, data=()),
}
PLACES = {
    "out_under_a_file": Call("table.csv is a file", out="table.csv/deep"),
    "out_is_the_data": Call("table.csv is a file", out="table.csv"),
    "out_not_writable": Call("not writable", out="/proc/out"),
    "home_is_a_file": Call(("table.csv", "--home"), ("--home", "table.csv")),
    "data_folder_is_out": Call("cannot be the output folder", data=(".",), out="."),
    "data_would_be_overwritten": Call("would overwrite it", data=("predictions.csv",), out=".",
                                      before=lambda folder: (folder / "table.csv").rename(folder / "predictions.csv")),
    "their_predictions": Call("'predictions.csv' that no run wrote", before=theirs("predictions.csv")),
    "their_report": Call("'report.html' that no run wrote", before=theirs("report.html")),
    "their_result": Call("'result.json' that no run wrote", before=theirs("result.json")),
    "their_extension": Call("'bundle' that no run wrote", before=theirs("bundle/manifest.json")),
    "their_bundle": Call("'bundle' that no run wrote", before=theirs("bundle/mine.txt")),
}  # fmt: skip
OPEN = {
    "poem": Call("not machine learning", words="Write me a poem about the sea.", status=4),
    "too_little": Call(("Which column", "city", "--answer"), words="Make a model.", status=4,
                       table=shop().rename(columns={"churn": "k7"})),
    "no_such_thing": Call(("Which column", "age"), table=shop().drop(columns="churn"), status=4),
    "no_data": Call("Which data", data=(), status=4),
}  # fmt: skip
BAD = SOURCES | TABLES | WISHES | PLACES


def start(call: Call, folder: Path, *argv: str) -> int:
    """Run a case in a folder of its own."""
    if call.table is not None:
        table = call.table.to_csv(index=False) if isinstance(call.table, pd.DataFrame) else call.table
        (folder / "table.csv").write_bytes(table.encode() if isinstance(table, str) else table)
    call.before(folder)
    words = [] if call.words is None else [call.words]
    home = [] if "--home" in call.argv else ["--home", "home"]
    data = ["--data", *call.data] if call.data else []
    out = [] if "--resume" in call.argv else ["--out", call.out, "--plan-only"]
    return main(["run", *words, *data, *call.argv, *home, *out, *argv])


def files(folder: Path) -> dict[str, bytes]:
    """All ordinary files below a folder but those of home."""
    kept = (path for path in folder.rglob("*") if path.is_file() and "home" not in path.relative_to(folder).parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call, before = BAD[case], {}

    def snapshot(folder: Path) -> None:
        BAD[case].before(folder)
        before.update(files(folder))

    watched = Call(**{**vars(call), "before": snapshot})
    assert start(watched, place) == call.status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("automl-agent: error: ")
    assert err.count("\n") == 1
    for word in (call.says,) if isinstance(call.says, str) else call.says:
        assert word in err
    assert len(err) < 500
    assert files(place) == before  # nothing half-written, nothing of the user's touched
    assert "Traceback" not in err


@pytest.mark.parametrize("case", OPEN)
def test_refusals_and_questions(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = OPEN[case]
    assert start(call, place) == 4
    said = capsys.readouterr().out
    for word in (call.says,) if isinstance(call.says, str) else call.says:
        assert word in said
    assert json.loads((place / "out" / "result.json").read_text())["status"] in ("refused", "needs_answer")


USABLE: dict[str, Call] = {
    "target_in_other_case": Call((), ("--target", "CHURN")),
    "folder_of_train_and_test": Call((), data=("pair",), before=lambda folder: [
        (folder / "pair").mkdir(), shop().to_csv(folder / "pair" / "train.csv", index=False),
        shop(30, seed=1).to_csv(folder / "pair" / "test.csv", index=False)]),
    "out_with_other_files": Call((), before=theirs("notes.txt")),
}  # fmt: skip


@pytest.mark.parametrize("case", USABLE)
def test_odd_input_that_can_be_used(case: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(USABLE[case], place, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["task"]["target"] == "churn"
    assert len(result["plans"]) == 3
    if case == "out_with_other_files":
        assert (place / "out" / "notes.txt").read_text() == "theirs"


def test_what_was_understood_is_shown_before_anything_is_trained(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = Call((), words="Predict whether they churn. F1 at least 0.6, within 20 ms.")
    assert start(call, place) == 0
    shown = capsys.readouterr().out
    for line in ("target = churn: ", "metric = f1: ", "positive = yes: ", "required: f1 at least 0.6",
                 "required: latency of one row at most 20 ms", "--target"):  # fmt: skip
        assert line in shown
    assert np.count_nonzero(["models lightgbm" in line for line in shown.splitlines()]) == 1
