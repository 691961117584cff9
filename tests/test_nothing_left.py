"""However a run ends, it leaves no process, no temporary file, no listening port and nothing half-written."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from automl_agent.execution.home import write_durably
from automl_agent.execution.lease import start_of
from automl_agent.execution.scratch import Scratch, clear_dead, remove_tree
from automl_agent.execution.trials import TrialStore
from automl_agent.execution.unfinished import unfinished
from automl_agent.testing import ModelServer
from conftest import CANCER
from kill_points import below
from lives import finish, litter, running, start, temporary, wait_for
from model_scripts import HOSTILE, careless

pytestmark = pytest.mark.slow

REQUEST = ("Predict whether a tumour is malignant.", "--data", str(CANCER), "--cpus", "2")
SHM = Path("/dev/shm")


@dataclass
class Place:
    """A folder of runs, and what was seen of their processes."""

    folder: Path
    shared: set[Path]
    """What lay in the shared memory before."""
    seen: dict[int, str] = field(default_factory=dict)
    sockets: set[str] = field(default_factory=set)
    """By inode, those that its processes held."""

    def look(self, process: subprocess.Popen[str]) -> list[int]:
        """Note what the process has started so far; gives the programs among it that run in the sandbox."""
        now = below(process.pid)
        self.seen.update(now)
        self.sockets |= {inode for number, _ in [*now, (process.pid, "")] for inode in sockets_of(number)}
        return [number for number, _ in now if b"sandbox.shim" in command_of(number)]

    @property
    def met(self) -> str:
        return f"{len(self.seen)} processes and {len(self.sockets)} sockets"

    def alive(self) -> list[int]:
        return [number for number, started in self.seen.items() if start_of(number) == started]

    def left(self) -> list[str]:
        """All that should not be there once a run has ended."""
        wait_for(lambda: not (self.alive() or running(self.folder)), 20)
        wait_for(lambda: not list(temporary(self.folder).iterdir()), 10)
        shared = shared_memory() - self.shared
        return [
            *(f"process {number}" for number in self.alive()),
            *(f"process {command}" for command in running(self.folder)),
            *(f"temporary {path.name}" for path in temporary(self.folder).iterdir()),
            *(f"shared memory {path.name}" for path in shared if path.exists()),
            *(f"listening socket {inode}" for inode in self.sockets & listening()),
        ]


def shared_memory() -> set[Path]:
    return set(SHM.iterdir()) if SHM.is_dir() else set()


def sockets_of(process: int) -> set[str]:
    """Inodes of the sockets that a process holds."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                kind, _, inode = descriptor.readlink().name.partition(":")
                found |= {inode.strip("[]")} if kind == "socket" else set()
    return found


def listening() -> set[str]:
    """Inodes of sockets at which somebody waits for connections: TCP in state 0A, Unix with the flag of `listen`."""
    found = set()
    for name, state, wanted, inode in (("tcp", 3, "0A", 9), ("tcp6", 3, "0A", 9), ("unix", 3, "00010000", 6)):
        with contextlib.suppress(OSError):
            rows = [line.split() for line in Path("/proc/net", name).read_text().splitlines()[1:]]
            found |= {row[inode] for row in rows if row[state] == wanted}
    return found


def old(process: int) -> bool:
    """Whether it runs for longer than anything that is meant to end."""
    started = float(start_of(process) or "inf") / os.sysconf("SC_CLK_TCK")
    return float(Path("/proc/uptime").read_text().split()[0]) - started > 3


def command_of(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, shared_memory())


def until(place: Place, process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
    """Wait for something of a run at work, with an eye on what it starts."""
    assert wait_for(lambda: bool(place.look(process) and False) or process.poll() is not None or bool(condition()), 120)
    place.look(process)
    assert process.poll() is None, finish(process)


def interrupt(process: subprocess.Popen[str]) -> bool:
    """Ctrl-C, and again where the first was heard as the wish to finish: before the work begins it ends the process."""
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    heard = any("Press Ctrl-C again" in line for line in process.stderr)
    if heard:
        process.send_signal(signal.SIGINT)
    return heard


def test_a_port_that_stays_open_would_be_seen(place: Place) -> None:
    program = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        place.look(process)
        assert len(place.sockets & listening()) == 1
        process.kill()
    assert not place.sockets & listening()


def test_a_run_whose_time_ends(place: Place, figure: Callable[[str], None]) -> None:
    process = start(place.folder, *REQUEST, "--budget", "14", "--out", "out")
    until(place, process, (place.folder / "out" / "bundle").exists)
    status, _, err = finish(process)
    assert status in (0, 3), err
    assert not place.left()
    assert not litter(place.folder)
    figure(f"end of the budget: 0 of {place.met}, 0 temporary and 0 half-written files left")


@pytest.mark.parametrize("signals", [1, 2])
def test_a_run_that_is_interrupted(signals: int, place: Place, figure: Callable[[str], None]) -> None:
    process = start(place.folder, *REQUEST, "--budget", "600", "--out", "out")
    until(place, process, (place.folder / "out" / "bundle").exists)
    if signals == 2:
        assert interrupt(process)
    else:
        process.send_signal(signal.SIGINT)
    status, _, err = finish(process)
    assert status == 130 if signals == 2 else status in (0, 3), err
    assert not place.left()
    if signals == 2:  # what a worker was at is cleared by the run that goes on
        process = start(place.folder, "--resume", "last", "--trials", "4")
        assert finish(process)[0] in (0, 3)
        assert not place.left()
    assert not litter(place.folder)
    figure(f"Ctrl-C {signals} x: 0 of {place.met}, 0 temporary and 0 half-written files left")


def test_a_run_that_crashes(place: Place, figure: Callable[[str], None]) -> None:
    given = (*REQUEST, "--budget", "300", "--trials", "4", "--out", "out")
    process = start(place.folder, *given, at="crash stage_started:implement")
    until(place, process, (place.folder / "out" / "bundle").exists)
    status, _, err = finish(process)
    assert status == 1, err
    assert "a fault of ours" in err
    assert not place.left()
    process = start(place.folder, "--resume", "last")
    assert finish(process)[0] in (0, 3)
    assert not place.left()
    assert not litter(place.folder)
    figure(f"crash, and resumed: 0 of {place.met}, 0 temporary and 0 half-written files left")


@pytest.fixture(scope="module")
def looping_model() -> Iterator[ModelServer]:
    """A model whose code never ends."""
    with ModelServer(careless(HOSTILE["loops"])) as server:
        yield server


@pytest.mark.parametrize(
    ("how", "sandbox"),
    [
        ("killed", "auto"),
        *(pytest.param("killed", sandbox, marks=pytest.mark.long) for sandbox in ("probe", "off")),
        *(pytest.param("interrupted", sandbox, marks=pytest.mark.long) for sandbox in ("auto", "probe", "off")),
    ],
)
def test_a_run_that_is_ended_while_generated_code_runs(
    how: str, sandbox: str, place: Place, looping_model: ModelServer, figure: Callable[[str], None]
) -> None:
    """The probe is the first thing that runs in a sandbox: it finds out which layers work, below the host itself."""
    mode = "off" if sandbox == "off" else "auto"
    model = ("--model", "openai:stand-in", "--base-url", looping_model.base_url, "--sandbox", mode)
    process = start(place.folder, *REQUEST, "--budget", "600", "--out", "out", *model)

    def at_it() -> bool:
        shims = place.look(process)
        plain = [number for number, _ in below(process.pid) if b"/code/" in command_of(number)]
        return bool(plain if sandbox == "off" else [number for number in shims if sandbox == "probe" or old(number)])

    until(place, process, at_it)
    if how == "killed":
        process.kill()
    else:
        assert interrupt(process) or sandbox == "probe"
    process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGKILL, 130)
    assert not place.left()
    figure(f"{how} while code ran (sandbox {sandbox}): 0 of {place.met}, 0 temporary files left")


# ---------------------------------------------------------------- temporary folders


def test_a_scratch_folder_is_gone_afterwards(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary(place.folder)))
    with Scratch() as folder:
        (folder / "file").write_text("x")
        clear_dead(folder.parent)
        assert folder.exists(), "its owner lives"
    assert not folder.exists()


def test_folders_in_folders_are_removed_however_deep(tmp_path: Path) -> None:
    deep = tmp_path / "work"
    deep.mkdir()
    before = Path.cwd()
    try:
        os.chdir(deep)
        for _ in range(1500):  # deeper than Python calls itself, and than a path may be long
            Path("d").mkdir()
            os.chdir("d")
        Path("file").touch()
    finally:
        os.chdir(before)
    remove_tree(deep)
    assert not deep.exists()


def test_what_a_killed_process_left_goes_with_the_next_folder_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary(place.folder)))
    there = temporary(place.folder)
    left = there / "automl-agent-12345678.scratch"
    (left / "work").mkdir(parents=True)
    for name in ("automl-agent-main", "mine.scratch"):
        (there / name).mkdir()
    (there / "automl-agent-87654321.scratch").symlink_to(there / "automl-agent-main")
    with Scratch() as folder:
        assert sorted(path.name for path in there.iterdir()) == sorted(
            ["automl-agent-main", "mine.scratch", "automl-agent-87654321.scratch", folder.name]
        )


# ---------------------------------------------------------------- half-written files


def test_what_a_killed_process_was_writing_is_used_up_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, pathlib\n"
        "from automl_agent.execution.home import write_durably\n"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_durably(pathlib.Path(sys.argv[1]), 'killed' * 1000)\n"
    )
    file = tmp_path / "result.json"
    write_durably(file, "before")
    assert subprocess.run([sys.executable, "-c", program, str(file)], check=False).returncode == -signal.SIGKILL
    assert file.read_text() == "before"
    assert litter(tmp_path)
    write_durably(file, "after")
    assert file.read_text() == "after"
    assert not litter(tmp_path)


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    texts = [str(number) * 10_000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            list(threads.map(lambda text: write_durably(tmp_path / "file", text), texts))
            assert (tmp_path / "file").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_trials_of_dead_workers_are_cleared_and_those_of_live_ones_are_not(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    folder = store.folder("ab" * 32)
    ours = unfinished(folder)
    dead = folder.with_name(ours.name.replace(f"-{os.getpid()}-", "-4999999-"))
    for path in (ours, dead):
        path.mkdir(parents=True)
    store.clear_dead()
    assert [path.name for path in folder.parent.iterdir()] == [ours.name]
