"""Runs that are killed go on where they stopped: the real graph, the real command line, real signals.

One run is killed in every stage, at its start and, where the stage leaves something on disk, at its end, before its
result is saved; each time a new process goes on with it.
"""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import CANCER
from lives import Life, drive, finish, is_whole, litter, repeated, running, start, temporary, wait_for

pytestmark = pytest.mark.slow

STAGES = (
    "begin",
    "verify_request",
    "parse_request",
    "acquire_data",
    "retrieve_knowledge",  # runs beside the baseline: killed first, while neither can have ended
    "baseline",
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
AT_ONCE = ({"agent_data", "agent_model"}, {"baseline", "retrieve_knowledge"})
"""Stages that run side by side: either may be the first to start again."""

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
        run.lives[death] = drive(run.folder, "run", ":".join(death))
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
        at_work = next((stages for stages in AT_ONCE if death[1] in stages), {death[1]})
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
        assert wait_for(lambda: not list(temporary(folder).iterdir()), 10), list(temporary(folder).iterdir())


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


@pytest.mark.parametrize(
    "point",
    [
        "stage_started:baseline",
        *(
            pytest.param(point, marks=pytest.mark.long)
            for point in ("put:after@1", "put_writes:before@3", "stage_finished:try_plan", "publish:before",
                          "file:before:grade.json", "file:after:report.html", "file:before:result.json")
        ),
    ],
)  # fmt: skip
def test_a_command_killed_at_a_point_is_resumed(point: str, home: Path) -> None:
    out = f"at-{point}"
    given = (WORDS, *DATA, "--budget", "300", "--trials", "4", "--out", out)
    assert finish(start(home, *given, at=point))[0] == -signal.SIGKILL
    status, result, err = finish(start(home, "--resume", "last"))
    assert status == 0, err
    assert result["status"] == "delivered"
    assert is_whole(home / out / "bundle")
    assert not litter(home / out)


def test_a_command_killed_as_it_starts_asks_for_approval_all_the_same(home: Path) -> None:
    given = (WORDS, *DATA, "--budget", "300", "--trials", "4", "--approve")
    assert finish(start(home, *given, at="file:after:manifest.json"))[0] == -signal.SIGKILL
    status, asked, err = finish(start(home, "--resume", "last"))
    assert status == 4, err
    assert "--yes" in asked["reason"]


def test_after_all_these_nothing_is_half_written(home: Path) -> None:
    assert not litter(home)
