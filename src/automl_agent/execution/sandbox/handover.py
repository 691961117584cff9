"""The work folder belongs to nobody while a program of nobody runs; afterwards its owner has all of it again."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from automl_agent.execution.sandbox.kernel import NOBODY

LONGEST_PATH = 4_000
"""Letters of a path that the system takes; what lies deeper is not looked at."""


@contextmanager
def to_nobody(work: str) -> Iterator[None]:
    """Hand a folder and all that is in it to the user nobody for a while. Nothing else changes its owner.

    A file that is hard-linked is replaced by a copy first: its other names lie elsewhere.
    """
    owner = Path(work).stat()
    for path in _entries(work):
        if _linked(path):
            _replace_by_copy(path)
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    try:
        yield
    finally:
        for path in _entries(work):
            if path.lstat().st_uid == NOBODY:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextmanager
def kept_accessible(work: str) -> Iterator[None]:
    """Afterwards its owner can look into every folder and remove it, whatever modes a program of the same user gave."""
    try:
        yield
    finally:
        for path in _entries(work):
            if path.is_dir() and not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRWXU)


def _entries(folder: str) -> Iterator[Path]:
    """A folder and everything below it, links not followed. Nothing runs in it meanwhile."""
    yield Path(folder)
    waiting = [folder]
    while waiting:  # not `os.walk`, which calls itself for each level in Python before 3.12
        found: list[os.DirEntry[str]] = []
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            found = [entry for entry in entries if len(entry.path) < LONGEST_PATH]
        yield from map(Path, found)
        waiting += [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]


def _linked(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_nlink > 1


def _replace_by_copy(path: Path) -> None:
    number, copy = tempfile.mkstemp(dir=path.parent)
    os.close(number)
    shutil.copy2(path, copy, follow_symlinks=False)
    Path(copy).replace(path)
