"""One writer at a time, over processes: a lock on a file that the system releases when its holder dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def exclusive(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of this file.

    Raises:
        TimeoutError: when another process holds it for longer than `timeout` seconds.
        OSError: when the file cannot be made.
    """
    deadline = time.monotonic() + timeout
    with path.open("a+b") as handle:
        while not _taken(handle):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is held by another process")
            time.sleep(0.02)
        yield  # closing the file releases the lock


def _taken(handle: IO[bytes]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return _taken_windows(handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _taken_windows(handle: IO[bytes]) -> bool:
    from importlib import import_module

    msvcrt = import_module("msvcrt")  # by name: a type checker elsewhere does not know it
    handle.seek(0)
    try:
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
