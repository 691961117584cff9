"""Processes of a run that are killed, what they said, and what they left."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_agent.execution.lease import start_of
from kill_points import below

DRIVER = Path(__file__).with_name("kill_driver.py")
MARK = "AUTOML_TEST_RUN"
PATIENCE = 300.0
HIDDEN = (".gitignore",)


@dataclass
class Life:
    """One process of a run: how it ended and what it said."""

    status: int
    events: list[dict[str, Any]] = field(default_factory=list)
    processes: list[tuple[int, str]] = field(default_factory=list)
    """What it had started, as it was when it was killed."""
    left: list[str] = field(default_factory=list)
    """Temporary files, once all that it had started was gone."""

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]

    @property
    def stages(self) -> list[str]:
        return [event["stage"] for event in self.of("stage_started")]

    @property
    def trials(self) -> list[dict[str, Any]]:
        """Finished trials."""
        found = [event["trial"] for event in self.of("trial_finished")]
        return [trial for trial in found if trial["score"] is not None]

    @property
    def at_work(self) -> int:
        """Nodes that were begun and whose results were not saved."""
        return len(self.stages) - len({event["task"] for event in self.of("committed")})

    @property
    def calls_in_flight(self) -> int:
        """Questions to a model whose answers were not remembered."""
        return len(self.of("call_begun")) - len(self.of("call_kept"))

    @property
    def survivors(self) -> list[int]:
        """What it had started and lives."""
        return [process for process, started in self.processes if start_of(process) == started]


def drive(folder: Path, thread: str, *death: str, seconds: float | None = None) -> Life:
    """One process of the driver; with `seconds` it is killed from outside after so long."""
    command = [sys.executable, str(DRIVER), str(folder), thread, *death]
    started: list[tuple[int, str]] = []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=marked(folder))
    try:
        out, err = process.communicate(timeout=seconds or PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGSTOP)  # so that it starts nothing unseen
        started = below(process.pid)
        process.kill()
        out, err = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), err
    events = []
    for line in out.splitlines():
        with contextlib.suppress(ValueError):  # a line cut short
            events.append(json.loads(line))
    life = Life(process.returncode, events, started)
    life.processes += [(number, at) for event in life.of("died") for number, at in event["processes"]]
    wait_for(lambda: not (life.survivors or running(folder)), 20)
    wait_for(lambda: not list(temporary(folder).iterdir()), 5)
    life.left = sorted(path.name for path in temporary(folder).iterdir())
    return life


def temporary(folder: Path) -> Path:
    """The system's folder for temporary files, as processes started for this folder see it."""
    place = folder / "tmp"
    place.mkdir(parents=True, exist_ok=True)
    return place


def marked(folder: Path) -> dict[str, str]:
    """An environment by which processes are found again, those included that outlive their parents."""
    ours = {MARK: str(folder), "LANGGRAPH_STRICT_MSGPACK": "true", "TMPDIR": str(temporary(folder))}
    return {**os.environ, **ours, "OPENAI_API_KEY": "none"}


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
    """What was begun and not finished: files under names of which nothing whole is called, and temporary ones."""
    begun = (".part", ".partial", ".old", ".new", ".tmp")
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.endswith(begun)
        or (path.name.startswith(".") and path.name not in HIDDEN)
        or path.parent == folder / "tmp"
    ]


def repeated(lives: list[Life]) -> set[str]:
    """Trials that one process had finished and a later one ran again."""
    finished: set[str] = set()
    again: set[str] = set()
    for life in lives:
        again |= {trial["id"] for trial in life.trials if not trial["cached"] and trial["id"] in finished}
        finished |= {trial["id"] for trial in life.trials}
    return again


def start(home: Path, *arguments: str, at: str = "") -> subprocess.Popen[str]:
    """A run of the command line in this folder; with `at` it dies at this point (`kill_points`)."""
    run = [str(DRIVER), "cli", at] if at else ["-m", "automl_agent.cli", "run"]
    command = [sys.executable, *run, *arguments, "--home", str(home / "home"), "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=home, env=marked(home), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """Exit status, result and what was said on stderr."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, json.loads(out) if out.strip() else {}, err
