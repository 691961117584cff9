"""What a program and its children use, against what they may."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable

from automl_agent.execution.sandbox import processes
from automl_agent.execution.sandbox.order import Order
from automl_agent.execution.sandbox.protocol import Status

POLL = 0.05
"""Seconds between two looks at memory and processes."""
DISK_EVERY = 4
"""Looks at the disk are rarer: they walk through folders."""
WRAPPERS = 2
"""Processes of ours among those counted: bubblewrap's two."""
UNSEEN = 1 << 60
_BLOCK = 512
"""Unit of `st_blocks`."""


class Meter:
    """Measures the descendants of this process while they run."""

    def __init__(self, order: Order) -> None:
        self.peak = 0
        """Most memory seen, in bytes."""
        self._order = order
        self._bytes_before, self._files_before = usage(order.work)
        self._looked = 0.0
        self._looks = 0

    def exceeded(self) -> Status | None:
        """The limit that is crossed, if one is. Looks once in `POLL` seconds, however often it is asked."""
        now = time.monotonic()
        if now - self._looked < POLL:
            return None
        self._looked = now
        self._looks += 1
        running = processes.below(os.getpid())
        if sum(running.values()) - WRAPPERS > self._order.processes:
            return "processes"
        if self._memory(running) > self._order.memory:
            return "memory"
        if self._looks % DISK_EVERY == 0:
            return self.disk_exceeded(running)
        return None

    def disk_exceeded(self, running: Iterable[int] = ()) -> Status | None:
        size, files = usage(self._order.work)
        nameless = {inode: used for process in running for inode, used in processes.deleted_files(process)}
        size += sum(nameless.values())
        over = size - self._bytes_before > self._order.disk or files - self._files_before > self._order.files
        return "disk" if over else None

    def _memory(self, running: Iterable[int]) -> int:
        """Bytes in use. The exact count is slow, and asked for only where the quick one, which is higher, is over."""
        used = sum(map(processes.resident, running))
        if used > self._order.memory:
            used = sum(map(processes.proportional, running))
        self.peak = max(self.peak, used)
        return used


def usage(folder: str) -> tuple[int, int]:
    """Bytes on disk and number of entries below a folder, links not followed.

    A folder that cannot be looked into, by its mode or its depth, counts as `UNSEEN` bytes: things are hidden there.
    """
    size = entries = 0
    waiting = [folder]
    while waiting:
        try:
            found = list(os.scandir(waiting.pop()))
        except (FileNotFoundError, NotADirectoryError):  # the program removes what we look at
            continue
        except OSError:
            return UNSEEN, entries
        entries += len(found)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                with contextlib.suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
    return size, entries
