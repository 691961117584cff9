"""Disks that fill up, cannot be written to, or lose a folder, before a run and in the middle of it.

The small disk is a tmpfs in a mount namespace of a process of our own: nobody else sees it, and no right is needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from automl_agent.errors import InputError, JobError, StorageError
from automl_agent.execution.storage import storage_error
from conftest import CANCER
from disk_driver import FILLER
from test_resume import DEATHS, is_whole, litter

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).with_name("disk_driver.py")
MEGABYTES = 60
REQUEST = ("Predict whether a tumour is malignant. Use only linear models.", "--data", str(CANCER), "--budget", "300",
           "--trials", "2", "--plans", "1", "--cpus", "1", "--no-retrieval", "--experience", "off")  # fmt: skip
LONG = pytest.mark.long


# ---------------------------------------------------------------- a small disk


@dataclass
class Disk:
    """A small disk, on which a process sees `path`; from outside it is to be seen below `seen`."""

    path: Path
    holder: subprocess.Popen[str]

    @property
    def seen(self) -> Path:
        return Path(f"/proc/{self.holder.pid}/root") / str(self.path).removeprefix("/")

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        enter = ["nsenter", "--preserve-credentials", "-U", "-m", "-t", str(self.holder.pid), "--", "sh", "-c"]
        cd = f'cd {self.path.parent} && exec "$@"'
        return subprocess.run([*enter, cd, "sh", *command], capture_output=True, text=True, timeout=300,
                              stdin=subprocess.DEVNULL, env={**os.environ, **environment})  # fmt: skip

    def make_room(self) -> None:
        (self.seen / FILLER).unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        pytest.skip("no unshare and nsenter here (util-linux)")
    script = f"mount -t tmpfs -o size={MEGABYTES}m tmpfs {path} && echo mounted && exec cat"
    holder = subprocess.Popen(["unshare", "-rm", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert holder.stdin and holder.stdout and holder.stderr
    try:
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(f"no disk can be mounted here: {holder.stderr.read().strip()}")
        yield Disk(path, holder)
    finally:
        holder.stdin.close()
        holder.wait(timeout=20)
        holder.stdout.close()
        holder.stderr.close()


def told(err: str) -> str:
    """The one line of an error: no traceback before it."""
    *before, last = err.strip().splitlines()
    assert "Traceback" not in err, err
    assert last.startswith("automl-agent: error: "), err
    assert not any(line.startswith("automl-agent: error") for line in before)
    return last.removeprefix("automl-agent: error: ")


def assert_delivered(out: Path, home: Path) -> None:
    """A whole result, and nothing half-written beside it."""
    result = json.loads((out / "result.json").read_text())
    assert result["status"] == "delivered" and result["score"] > 0.9
    assert is_whole(out / "bundle")
    assert (out / "report.html").stat().st_size > 10_000
    with tempfile.TemporaryDirectory() as place:  # SQLite finds no file by a path through another process
        for path in home.glob("*.sqlite*"):
            shutil.copy(path, place)
        for path in Path(place).glob("*.sqlite"):
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
    assert not litter(out) and not litter(home)


# ---------------------------------------------------------------- full

ALONE = [(kind, stage) for kind, stage in DEATHS if stage not in ("retrieve_knowledge", "agent_model", "revise")]
"""Events that come again when the run goes on: what is done beside another stage may be done already."""
FEW = [("stage_finished", "acquire_data"), ("stage_started", "implement")]


@pytest.mark.parametrize(
    ("where", "moments"),
    [
        pytest.param("home", FEW, id="home"),
        pytest.param("home", ALONE, id="home-always", marks=LONG),
        pytest.param(
            "out",
            [("stage_started", stage) for stage in ("baseline", "implement", "deliver", "report")],
            id="out",
            marks=LONG,
        ),
    ],
)
def test_a_disk_that_fills_up_is_told_and_the_run_goes_on_when_there_is_room(
    where: str, moments: list[tuple[str, str]], disk: Disk, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    places = {"home": tmp_path / "home", "out": tmp_path / "out", where: disk.path / where}
    start = (*REQUEST, "--home", str(places["home"]), "--out", str(places["out"]))
    given, errors = start, 0
    for moment in moments:
        life = disk.run(sys.executable, str(DRIVER), f"fill:{disk.path}", *moment, *given)
        if life.returncode in (0, 3):  # what was still to be written fitted in
            disk.make_room()
            break
        line = told(life.stderr)
        assert life.returncode == 2, (moment, line)
        assert f"The disk of {disk.path}" in line and "is full. Make room there" in line, (moment, line)
        assert "then continue with: automl-agent run --resume " in line
        errors += 1
        disk.make_room()
        given = ("--resume", line.split()[-1].rstrip("."), "--home", str(places["home"]))
    last = disk.run(sys.executable, "-m", "automl_agent.cli", "run", *given)
    assert last.returncode == 0, last.stderr
    assert errors >= len(moments) / 2
    seen = {name: disk.seen / name if name == where else place for name, place in places.items()}
    assert_delivered(seen["out"], seen["home"])
    figure(f"disk of {where} full: {errors} of {len(moments)} moments told in one line, and resumed")


def test_a_run_that_starts_or_goes_on_while_the_disk_is_full_says_so(disk: Disk, tmp_path: Path) -> None:
    home = ("--home", str(disk.path / "home"))
    command = (sys.executable, "-m", "automl_agent.cli", "run")
    life = disk.run(sys.executable, str(DRIVER), f"fill:{disk.path}", "stage_started", "acquire_data", *REQUEST, *home)
    (run_id,) = (path.name for path in (disk.seen / "home" / "runs").iterdir())
    for again in (life, disk.run(*command, "--resume", run_id, *home), disk.run(*command, *REQUEST, *home)):
        assert again.returncode == 2
        assert f"The disk of {disk.path}" in told(again.stderr)


@pytest.mark.long
@pytest.mark.parametrize("stage", ["baseline", "implement", "grade", "deliver"])
def test_temporary_files_without_room_never_spoil_a_result(stage: str, disk: Disk, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    start = (*REQUEST, "--home", str(home), "--out", str(out))
    life = disk.run(sys.executable, str(DRIVER), f"fill:{disk.path}", "stage_started", stage, *start,
                    TMPDIR=str(disk.path))  # fmt: skip
    if life.returncode:
        line = told(life.stderr)
        assert life.returncode == 2 and f"The disk of {disk.path} is full." in line
        disk.make_room()
        resume = ("--resume", line.split()[-1].rstrip("."), "--home", str(home))
        life = disk.run(sys.executable, "-m", "automl_agent.cli", "run", *resume, TMPDIR=str(disk.path))
    assert life.returncode == 0, life.stderr
    assert_delivered(out, home)


# ---------------------------------------------------------------- read-only


@pytest.mark.parametrize("where", ["home", "out"])
def test_a_disk_that_cannot_be_written_to_is_told_before_any_work(where: str, disk: Disk, tmp_path: Path) -> None:
    (disk.seen / where).mkdir()
    places = {"home": tmp_path / "home", "out": tmp_path / "out", where: disk.path / where}
    assert disk.run("mount", "-o", "remount,ro", str(disk.path)).returncode == 0
    options = ("--home", str(places["home"]), "--out", str(places["out"]))
    life = disk.run(sys.executable, "-m", "automl_agent.cli", "run", *REQUEST, *options)
    line = told(life.stderr)
    assert life.returncode == 2 and str(disk.path / where) in line and f"--{where}" in line
    assert not (tmp_path / "home" / "artifacts").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_a_disk_that_becomes_read_only_is_told_and_the_run_goes_on(disk: Disk, tmp_path: Path) -> None:
    home, out = tmp_path / "home", disk.path / "out"
    start = (*REQUEST, "--home", str(home), "--out", str(out))
    life = disk.run(sys.executable, str(DRIVER), f"readonly:{disk.path}", "stage_started", "deliver", *start)
    line = told(life.stderr)
    assert life.returncode == 2 and f"{out} cannot be written to: Read-only file system. Make it writable" in line
    assert disk.run("mount", "-o", "remount,rw", str(disk.path)).returncode == 0
    life = disk.run(sys.executable, "-m", "automl_agent.cli", "run", "--resume", "last", "--home", str(home))
    assert life.returncode == 0, life.stderr
    assert_delivered(disk.seen / "out", home)


# ---------------------------------------------------------------- removed


def removing(tmp_path: Path, place: str, kind: str, stage: str) -> subprocess.CompletedProcess[str]:
    options = ("--home", str(tmp_path / "home"), "--out", str(tmp_path / "out"))
    command = [sys.executable, str(DRIVER), f"remove:{tmp_path / place}", kind, stage, *REQUEST, *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)


@pytest.mark.parametrize("stage", ["report", pytest.param("implement", marks=LONG), pytest.param("grade", marks=LONG)])
def test_an_output_folder_that_was_removed_is_made_again(stage: str, tmp_path: Path) -> None:
    life = removing(tmp_path, "out", "stage_started", stage)
    assert life.returncode == 0, life.stderr
    assert_delivered(tmp_path / "out", tmp_path / "home")
    assert (tmp_path / "out" / "predictions.csv").is_file()


@pytest.mark.long
@pytest.mark.parametrize(
    ("place", "stage"),
    [
        ("home", "implement"),
        ("home/artifacts/*", "implement"),
        ("home/trials", "implement"),
        ("home", "deliver"),
        ("home/artifacts/*", "grade"),
    ],
)
def test_a_home_that_loses_a_folder_is_told(place: str, stage: str, tmp_path: Path) -> None:
    life = removing(tmp_path, place, "stage_started", stage)
    if life.returncode == 0:  # nothing of it was needed any more
        return assert_delivered(tmp_path / "out", tmp_path / "home")
    line = told(life.stderr)
    assert life.returncode == 2
    assert str(tmp_path / "home") in line and ("is gone" in line or "is no longer in" in line), line
    assert "tart the run again" in line
    assert is_whole(tmp_path / "out" / "bundle"), "what was delivered so far stays usable"
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(tmp_path / "home")
    options = ("--home", str(tmp_path / "home"), "--out", str(tmp_path / "out"))
    again = subprocess.run([sys.executable, "-m", "automl_agent.cli", "run", *REQUEST, *options], capture_output=True,
                           text=True, cwd=tmp_path, timeout=300)  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert_delivered(tmp_path / "out", tmp_path / "home")
    return None


# ---------------------------------------------------------------- what is taken for a disk's fault


def test_only_what_a_disk_did_is_told_as_such(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    full = OSError(28, "No space left on device", str(home / "x"))
    wrapped = InputError("it cannot be written")
    wrapped.__cause__ = full
    assert "is full. Make room there" in str(storage_error(full, [tmp_path / "not yet there", home]))
    for error in (full, wrapped, OSError("1000 requested and 40 written"), JobError("x", "storage"),
                  shutil.Error([("a", "b", "[Errno 28] No space left on device")])):  # fmt: skip
        assert isinstance(storage_error(error, [home]), StorageError), error
    missing = FileNotFoundError(2, "No such file or directory", str(home / "trials" / "x.npy"))
    lost = storage_error(missing, [home])
    assert lost is not None and f"{home / 'trials'} is gone" in str(lost)
    unrelated = InputError("no such file")
    unrelated.__cause__ = missing
    for error in (ValueError("x"), unrelated, JobError("OSError: [Errno 28] No space left on device"),
                  FileNotFoundError(2, "No such file or directory", str(tmp_path / "data.csv"))):  # fmt: skip
        assert storage_error(error, [home]) is None, error
