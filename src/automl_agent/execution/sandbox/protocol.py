"""What it takes to run code that nobody has read: the contract between us and whatever confines it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["ok", "error", "timeout", "memory", "disk", "processes", "output", "stopped", "crash"]


@dataclass(frozen=True)
class SandboxJob:
    """A Python program, what it may touch and how much it may use."""

    program: Path
    """Script, run by this interpreter as `python program *arguments`. Its folder is first on `sys.path`; modules that
    lie there must be among `read` or in `work`."""
    work: Path
    """Current folder, and the only one that can be written. What is found there afterwards is not to be trusted."""
    arguments: tuple[str, ...] = ()
    read: tuple[Path, ...] = ()
    """Files and folders that can be read, besides the interpreter, its packages, the system's libraries and `work`."""
    seconds: float = 60.0
    memory_mb: float = 2000.0
    """Of all its processes together."""
    disk_mb: float = 500.0
    """That `work` may grow by."""
    files: int = 5000
    processes: int = 64
    """Processes and threads at once."""
    output_mb: float = 8.0
    """Of standard output and error together; more ends the run."""
    port: int | None = None
    """TCP port of 127.0.0.1 that it may listen on. Without one it has no sockets; it can never connect anywhere."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables besides a minimal environment. Nothing of the host's environment is handed on."""


@dataclass(frozen=True)
class SandboxResult:
    """How it ended. All its processes are gone."""

    status: Status
    """`ok` when it exited with 0; `error` when with another code; `crash` when a signal ended it, or it could not be
    started; `stopped` on request; otherwise the limit that ended it."""
    code: int | None = None
    output: str = ""
    """Beginning and end of standard output and error, a few thousand characters each."""
    seconds: float = 0.0
    memory_mb: float = 0.0
    """Highest use that was seen."""


@dataclass(frozen=True)
class Layers:
    """What protects the host."""

    tier: Literal["none", "limits", "files", "full"]
    """`none`: a process with a time limit; `limits`: clean environment, resource limits, everything killed; `files`:
    also no reading outside its inputs and no network; `full`: also namespaces of its own."""
    used: tuple[str, ...]
    missing: tuple[str, ...]
    """Layers that this platform lacks, each with what it would take."""


class Sandbox(Protocol):
    """Runs programs. An implementation of your own (Docker, a remote machine) is named `package.module:Class` in
    `Settings.sandbox`, and is made without arguments, in the worker that needs it."""

    def layers(self) -> Layers:
        """What it protects by, as probed here."""
        ...

    def run(self, job: SandboxJob, stop: threading.Event | None = None) -> SandboxResult:
        """Run a job to its end; with `stop` set, end it. Never raises for what the program does.

        Raises:
            SandboxError: when the job itself cannot be: files that are not there, a folder that no program may read.
        """
        ...
