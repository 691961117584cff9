"""Who works on a run, and whether it still lives."""

from __future__ import annotations

import os
import platform
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

HEARTBEAT_SECONDS = 2.0
_SILENCE_SECONDS = 120.0
"""A holder that we cannot see (on another machine, in another container) is dead after so long without a heartbeat:
longer than a heartbeat may wait for the database."""


@dataclass(frozen=True)
class Holder:
    """A process, told apart from a later one with the same number."""

    pid: int
    machine: str
    """Boot and process namespace in which `pid` has a meaning."""
    started: str
    """When the process started, as the kernel counts; empty where it does not say."""
    token: str
    """Of this one lease."""

    @classmethod
    def this_process(cls) -> Holder:
        pid = os.getpid()
        return cls(pid, machine(), start_of(pid) or "", secrets.token_hex(8))

    def is_live(self, *, heartbeat: float) -> bool:
        """Whether the process still lives; `heartbeat` is the time (seconds since 1970) of its last sign of life."""
        if self.machine != machine():
            return time.time() - heartbeat < _SILENCE_SECONDS
        return start_of(self.pid) == self.started


def machine() -> str:
    """Boot and process namespace in which process ids have a meaning; a home may be shared by several."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return platform.node()


def start_of(pid: int) -> str | None:
    """Start time of a process, empty where the system does not tell; `None` when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""
