"""Runs that are killed go on where they stopped: the real graph, the real command line, real signals.

One run is killed in every stage, at its start and, where the stage leaves something on disk, at its end, before its
result is saved; each time a new process goes on with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conftest import CANCER

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).with_name("kill_driver.py")
STAGES = (
    "begin",
    "verify_request",
    "parse_request",
    "acquire_data",
    "baseline",
    "retrieve_knowledge",
    "make_plans",
    "agent_data",
    "agent_model",
    "gather",
    "try_plan",
    "verify_plans",
    "implement",
    "verify_solution",
    "revise",
    "grade",
    "deliver",
    "report",
)
WRITING = ("acquire_data", "baseline", "try_plan", "implement", "grade", "deliver", "report")
"""Stages that leave something on disk: also killed when all is done, but not yet in a checkpoint."""
DEATHS = [
    (kind, stage)
    for stage in STAGES
    for kind in ("stage_started", "stage_finished")
    if kind == "stage_started" or stage in WRITING
]
SOME = [
    (kind, stage)
    for kind, stage in DEATHS
    if stage in (*WRITING, "begin", "make_plans", "agent_data", "revise")
    and (kind == "stage_started" or stage in ("implement", "grade", "deliver"))
]
"""What is died of in the test command; with the marker `long`, of all."""
AT_ONCE = {"agent_data", "agent_model"}
MARK = "AUTOML_TEST_RUN"
PATIENCE = 300.0


@dataclass
class Life:
    """One process of a run: how it ended and what it said."""

    status: int
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def stages(self) -> list[str]:
        return [event["stage"] for event in self.events if event["kind"] == "stage_started"]

    @property
    def trials(self) -> list[dict[str, Any]]:
        """Finished trials."""
        found = [event["trial"] for event in self.events if event["kind"] == "trial_finished"]
        return [trial for trial in found if trial["score"] is not None]


def drive(folder: Path, thread: str, *death: str, seconds: float | None = None) -> Life:
    """One process of the driver; with `seconds` it is killed from outside after so long."""
    command = [sys.executable, str(DRIVER), str(folder), thread, *death]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=marked(folder))
    try:
        out, err = process.communicate(timeout=seconds or PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), err
    events = []
    for line in out.splitlines():
        with contextlib.suppress(ValueError):  # a line cut short
            events.append(json.loads(line))
    return Life(process.returncode, events)


def marked(folder: Path) -> dict[str, str]:
    """An environment by which processes are found again, those included that outlive their parents."""
    return {**os.environ, MARK: str(folder), "LANGGRAPH_STRICT_MSGPACK": "true"}


def running(folder: Path) -> list[str]:
    """Commands of the live processes that were started for this folder."""
    sign = f"{MARK}={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if sign in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_whole(bundle: Path) -> bool:
    """Whether every file is there as the manifest says."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    return all(
        hashlib.sha256((bundle / name).read_bytes()).hexdigest() == sha for name, sha in manifest["files"].items()
    )


def litter(folder: Path) -> list[str]:
    """What was begun and not finished."""
    begun = (".part", ".partial", ".old", ".new")
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.endswith(begun) or path.name.startswith((".result.json", ".grade.json", ".bundle"))
    ]


def repeated(lives: list[Life]) -> set[str]:
    """Trials that one process had finished and a later one ran again."""
    finished: set[str] = set()
    again: set[str] = set()
    for life in lives:
        again |= {trial["id"] for trial in life.trials if not trial["cached"] and trial["id"] in finished}
        finished |= {trial["id"] for trial in life.trials}
    return again


# ---------------------------------------------------------------- killed in every stage


@dataclass
class Killed:
    folder: Path
    deaths: list[tuple[str, str]]
    lives: dict[tuple[str, str], Life] = field(default_factory=dict)
    """The process that was killed there, by the event that it died after."""
    whole: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Whether a whole bundle lay there at that moment."""
    grade: tuple[int, bytes] = (0, b"")
    last: Life = field(default_factory=lambda: Life(1))


@pytest.fixture(
    scope="module", params=[pytest.param(SOME, id="some"), pytest.param(DEATHS, id="all", marks=pytest.mark.long)]
)
def killed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    run = Killed(tmp_path_factory.mktemp("killed"), request.param)
    for death in run.deaths:
        run.lives[death] = drive(run.folder, "run", *death)
        bundle = run.folder / "out" / "bundle"
        run.whole[death] = bundle.is_dir() and is_whole(bundle)
        if death == ("stage_finished", "grade"):
            run.grade = kept_grade(run.folder)
    run.last = drive(run.folder, "run")
    return run


def kept_grade(folder: Path) -> tuple[int, bytes]:
    path = folder / "home" / "private" / "run" / "grade.json"
    return path.stat().st_mtime_ns, path.read_bytes()


def test_a_run_killed_in_any_stage_goes_on_with_that_stage(killed: Killed) -> None:
    for death, then in zip(killed.deaths, [*killed.deaths[1:], None], strict=True):
        assert killed.lives[death].status == -signal.SIGKILL, death
        following = killed.lives[then] if then else killed.last
        at_work = AT_ONCE if death[1] in AT_ONCE else {death[1]}
        assert following.stages[0] in at_work, death
        before = set(STAGES[: STAGES.index(death[1])]) - at_work
        if "revise" in following.stages:
            before -= set(STAGES[STAGES.index("make_plans") :])  # planning begins again, as it should
        assert not set(following.stages) & before, death
        if STAGES.index(death[1]) > STAGES.index("baseline"):
            assert killed.whole[death], f"no usable bundle was there when it died: {death}"


def test_killed_everywhere_it_still_delivers(killed: Killed) -> None:
    assert killed.last.status == 0
    result = killed.last.events[-1]
    report = result["report"]
    assert report["status"] == "missed"
    assert report["score"] > 0.9
    assert report["revisions"] == 1
    assert Path(report["report"]).stat().st_size > 10_000
    assert is_whole(Path(report["bundle"]))


def test_the_locked_test_is_opened_once(killed: Killed) -> None:
    assert killed.grade == kept_grade(killed.folder)
    result = killed.last.events[-1]
    assert result["reads"] == 1
    assert not [text for text in result["report"]["warnings"] if "locked test" in text]


def test_no_finished_trial_is_repeated(killed: Killed) -> None:
    assert any(life.trials for life in killed.lives.values())
    assert not repeated([*killed.lives.values(), killed.last])


def test_nothing_is_left_behind(killed: Killed) -> None:
    assert wait_for(lambda: not running(killed.folder), 10), running(killed.folder)
    assert not litter(killed.folder)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    moments = random.Random(5)
    lives = [drive(tmp_path, "run", seconds=moments.uniform(2.0, 5.0)) for _ in range(3)]
    lives.append(drive(tmp_path, "run"))
    finished = [life for life in lives if life.status == 0]
    assert finished[0].events[-1]["report"]["status"] == "missed"
    assert finished[0].events[-1]["reads"] == 1
    assert not repeated(lives)
    assert is_whole(tmp_path / "out" / "bundle")
    assert wait_for(lambda: not running(tmp_path), 10), running(tmp_path)


# ---------------------------------------------------------------- the command line


WORDS = "Predict whether a tumour is malignant. Accuracy at least 0.9."
DATA = ("--data", str(CANCER))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home, so that trials are run once."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(autouse=True)
def _nothing_runs_on(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "home" in request.fixturenames:
        folder = request.getfixturevalue("home")
        assert wait_for(lambda: not running(folder), 10), running(folder)


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "automl_agent.cli", "run", *arguments, "--home", str(home / "home"), "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=home, env=marked(home), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """Exit status, result and what was said on stderr."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, json.loads(out) if out.strip() else {}, err


def until_best(process: subprocess.Popen[str], out: Path) -> None:
    """Wait for the first bundle."""
    assert wait_for(lambda: (out / "bundle").exists() or process.poll() is not None)
    assert process.poll() is None, finish(process)


def test_a_killed_command_is_resumed(home: Path) -> None:
    process = start(home, WORDS, *DATA, "--budget", "300", "--trials", "4", "--out", "killed")
    until_best(process, home / "killed")
    process.kill()
    finish(process)
    status, result, err = finish(start(home, "--resume", "last"))
    assert status == 0, err
    assert result["status"] == "delivered"
    assert result["bundle"] == str(home / "killed" / "bundle")
    assert is_whole(Path(result["bundle"]))


def test_ctrl_c_finishes_with_the_best_so_far(home: Path) -> None:
    process = start(home, WORDS, *DATA, "--budget", "600", "--out", "once")
    until_best(process, home / "once")
    process.send_signal(signal.SIGINT)
    status, result, err = finish(process)
    assert status in (0, 3), err
    assert "Press Ctrl-C again to abort" in err
    assert result["status"] == ("delivered" if status == 0 else "missed")
    assert result["seconds"]["total"] < 300  # of the 600 that it would have taken
    assert Path(result["report"]).exists()
    assert is_whole(Path(result["bundle"]))


def test_a_second_ctrl_c_aborts_and_leaves_nothing_running(home: Path) -> None:
    process = start(home, WORDS, *DATA, "--budget", "600", "--out", "twice")
    until_best(process, home / "twice")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    first = process.stderr.readline()
    assert "Press Ctrl-C again to abort" in first
    process.send_signal(signal.SIGINT)
    status, result, err = finish(process)
    assert status == 130
    assert not result
    assert "--resume" in err


def test_a_question_is_answered_later(home: Path) -> None:
    words = "Predict whether a tumour is malignant."
    status, asked, err = finish(start(home, words, "--plan-only"))
    assert status == 4, err
    assert asked["question"]["field"] == "data"
    status, result, err = finish(start(home, "--resume", asked["run_id"], "--answer", str(CANCER)))
    assert status == 0, err
    assert result["status"] == "planned"
    assert result["task"]["target"] == "diagnosis"


def test_plans_are_approved_later(home: Path) -> None:
    status, asked, err = finish(start(home, WORDS, *DATA, "--budget", "300", "--trials", "4", "--approve"))
    assert status == 4, err
    assert "--yes" in asked["reason"]
    status, result, err = finish(start(home, "--resume", "last", "--yes"))
    assert status in (0, 3), err
    assert result["run_id"] == asked["run_id"]
    assert result["score"] > 0.8
