"""Hostile data through the real command line: a right result or one clear line, in time, and no file elsewhere.

The short form reads, profiles and understands every case, with jobs in threads; the long form takes those that can be
used through a whole run with workers, to a bundle that answers.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest

import automl_agent.cli.run
from automl_agent import build_graph
from automl_agent.cli.main import main
from automl_agent.tasks.registry import families
from automl_agent.testing import InlineExecutor, StaticRetriever
from hostile_case import FORMULA, SCRIPT, Case
from hostile_data import CASES

DEADLINE = 60
"""Seconds for one case; none takes a tenth of it."""
USABLE = {name: case for name, case in CASES.items() if not case.refused and not case.question}
SOME = ("instructions_in_classes", "odd_values")
"""What becomes a bundle in the test command; with the marker `long`, all that can be used."""
ENDED: dict[str, set[str]] = {"short": set(), "long": set()}
"""The cases that ended well, for the figure."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_watching: list[str] | None = None


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _watching is None:
        return
    if event == "open" and isinstance(args[0], str | bytes | os.PathLike) and (args[2] or 0) & WRITES:
        _watching.append(os.fsdecode(args[0]))
    elif event in ("os.rename", "os.link", "os.symlink"):
        _watching.append(os.fsdecode(args[1]))
    elif event in ("os.mkdir", "os.remove", "os.rmdir") and args[-1] == -1:  # else a name in a folder that is removed
        _watching.append(os.fsdecode(args[0]))


sys.addaudithook(_watch)  # cannot be taken away again; it does nothing between the cases


@contextmanager
def watched() -> Iterator[list[str]]:
    """Every path that this process writes, makes or removes."""
    global _watching
    _watching = []
    try:
        yield _watching
    finally:
        _watching = None


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a case; gives the exit status, the result where there is one, and what was said."""
    for name in ("in", "tmp", "runs"):
        (place / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place / "tmp"))
    monkeypatch.chdir(place / "in")

    def start(case: Case, *argv: str) -> tuple[int, Any, str]:
        case.write(place / "in")
        before = contents(place / "in")
        with watched() as paths:
            folders = ["--home", str(place / "home"), "--out", str(place / "runs" / "out")]
            status = main(["run", case.words, "--data", *case.data, *case.argv, *folders, "--json", *argv])
        out, err = capsys.readouterr()
        assert contents(place / "in") == before, "what the user brought stays as it is"
        assert {path.name for path in place.iterdir()} <= {"in", "tmp", "home", "runs"}
        assert elsewhere(paths, place) == []
        assert "Traceback" not in out + err
        assert not list(place.rglob("*error.log"))
        return status, json.loads(out) if out else None, err

    return start


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every ordinary file."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def elsewhere(paths: list[str], place: Path) -> list[str]:
    """What was written outside the folders of the run."""
    allowed = tuple(f"{place / name}" for name in ("home", "runs", "tmp"))
    allowed += ("/dev/", "/proc/", matplotlib.get_cachedir())  # of fonts; made once for each user
    found = {os.path.realpath(path) for path in paths if path and "__pycache__" not in path} - {str(place)}
    return sorted(path for path in found if not path.startswith(allowed))


def found_in(place: Path, name: str) -> dict[str, Any]:
    """A JSON file of the run's data folder."""
    path = next(place.glob(f"home/artifacts/*/data*/{name}"))
    return dict(json.loads(path.read_text(encoding="utf-8")))


def check(case: Case, result: dict[str, Any], place: Path) -> None:
    """What was found in usable data is what is there."""
    assert result["task"]["family"] == case.family
    right, schema = case.right, found_in(place, "schema.json")
    columns = {column["name"]: column for column in schema["columns"]}
    if "rows" in right:
        assert result["task"]["rows_train"] + result["task"]["rows_test"] == right["rows"]
    assert sorted(right.get("classes", schema.get("classes", ()))) == sorted(schema.get("classes", ()))
    assert {name: columns[name]["kind"] for name in right.get("kinds", ())} == right.get("kinds", {})
    dropped = {item["name"]: item["reason"] for item in schema.get("dropped", ())}
    assert right.get("dropped", {}).items() <= dropped.items()
    for name, value in right.get("values", {}).items():
        assert value in columns[name]["values"]
    said = "\n".join(path.read_text(encoding="utf-8") for path in place.glob("home/runs/*/events*"))
    for words in right.get("says", ()):
        assert words in said


@pytest.mark.timeout(DEADLINE)
@pytest.mark.parametrize("name", CASES)
def test_hostile_data_have_a_right_plan_or_one_clear_line(
    name: str, run: Callable[..., Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    retriever = None if "--notes" in case.argv else StaticRetriever(())
    quick = partial(build_graph, executor=InlineExecutor(), retriever=retriever)
    monkeypatch.setattr(automl_agent.cli.run, "_build_graph", lambda: quick)
    status, result, err = run(case, "--plan-only")
    if case.refused:
        assert (status, result) == (2, None), result
        assert err.startswith("automl-agent: error: ") and err.count("\n") == 1
        assert len(err) < 500
        assert [words for words in case.refused if words not in err] == [], err
        assert not list((place / "runs").iterdir()), "nothing half-written"
    elif case.question:
        assert status == 4
        assert [words for words in case.question if words not in json.dumps(result)] == [], result
    else:
        assert status == 0, err
        check(case, result, place)
    ENDED["short"].add(name)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [name if name in SOME else pytest.param(name, marks=pytest.mark.long) for name in USABLE]
)
def test_usable_hostile_data_become_a_bundle_that_answers(name: str, run: Callable[..., Any], place: Path) -> None:
    case = USABLE[name]
    retrieval = () if "--notes" in case.argv else ("--no-retrieval",)
    status, result, err = run(case, "--trials", "2", "--plans", "1", "--budget", "200", *retrieval)
    assert status == 0, err
    check(case, result, place)
    page = Path(result["report"]).read_text(encoding="utf-8")
    assert SCRIPT not in page, "what stands in data is no markup"
    predictions = pd.read_csv(result["predictions"], dtype=str, keep_default_na=False)
    assert len(predictions) == result["task"]["rows_test"]
    assert not predictions.map(lambda cell: cell.startswith(FORMULA[:4])).any(axis=None), "no cell is a formula"
    assert Path(result["bundle"], "serve.py").is_file(), "it was served, and trained again, or the run had failed"
    ENDED["long"].add(name)


@pytest.mark.parametrize("form", ["short", pytest.param("long", marks=pytest.mark.long)])
def test_all_families_have_hostile_data(form: str, figure: Callable[[str], None]) -> None:
    cases = set(CASES) if form == "short" else set(USABLE) - set(SOME)
    assert len(CASES) >= 80
    assert {CASES[name].family for name in cases} == set(families())
    what = "a right plan or one clear line" if form == "short" else "delivered"
    ended = len(ENDED[form] & cases)
    figure(f"hostile data: {ended} of {len(cases)} cases, {what}, 0 tracebacks, nothing written elsewhere")
