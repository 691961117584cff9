"""The processes below this one: who they are, what they use, and their end. Reads /proc; see proc(5)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_DELETED = " (deleted)"
_KILL_SECONDS = 10.0
_KILL_PAUSE = 0.005


def below(root: int) -> dict[int, int]:
    """The descendants of a process: id -> number of threads."""
    found: dict[int, int] = {}
    waiting = [root]
    while waiting:
        process = waiting.pop()
        with contextlib.suppress(OSError):  # processes end while we look
            threads = list((PROC / str(process) / "task").iterdir())
            if process != root:
                found[process] = len(threads)
            for thread in threads:
                children = map(int, (thread / "children").read_bytes().split())
                waiting += [child for child in children if child not in found]
    return found


def tasks_of(user: int) -> int:
    """How many processes and threads a user has on this machine."""
    tasks = 0
    for folder in PROC.iterdir():
        with contextlib.suppress(OSError):  # not a process, or no longer one
            if folder.name.isdigit() and folder.stat().st_uid == user:
                tasks += len(list((folder / "task").iterdir()))
    return tasks


def resident(process: int) -> int:
    """Bytes of physical memory; what is shared with others counts in full."""
    with contextlib.suppress(OSError, IndexError):
        return int((PROC / str(process) / "statm").read_bytes().split()[1]) * _PAGE
    return 0


def proportional(process: int) -> int:
    """Bytes of physical memory, what is shared split among its users (PSS); `resident` where that is not told."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(process) / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return resident(process)


def deleted_files(process: int) -> Iterator[tuple[int, int]]:
    """Open files that have no name any more, which still take disk space: (inode, bytes)."""
    with contextlib.suppress(OSError):
        for opened in (PROC / str(process) / "fd").iterdir():
            with contextlib.suppress(OSError):
                if str(opened.readlink()).endswith(_DELETED):
                    status = opened.stat()
                    yield status.st_ino, status.st_blocks * 512


def kill_below(root: int, reap: Callable[[], bool]) -> bool:
    """Kill all descendants of this process, which must be their subreaper; whether all are gone.

    They are stopped first: processes that fork as fast as they are killed would win otherwise.

    Args:
        root: id of this process.
        reap: takes the statuses of ended children; false when there are no children left.
    """
    give_up = time.monotonic() + _KILL_SECONDS
    while reap():
        if time.monotonic() > give_up:
            return False
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in below(root):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, number)
        time.sleep(_KILL_PAUSE)
    return True
