"""A folder for temporary files that is gone afterwards, also where its process is killed.

Its owner holds a lock on it, which the system releases when the owner dies, however that happens. Whoever makes the
next one removes those that nobody holds. Where the owner had workers, the process that they were forked from does it at
once (`nursery`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from automl_agent.execution.home import take_lock
from automl_agent.execution.sandbox.kernel import NOBODY

_PREFIX, _SUFFIX = "automl-agent-", ".scratch"
_TRIES = 100


class Scratch:
    """One such folder, below the system's folder for temporary files; `with Scratch() as folder` closes it."""

    def __init__(self) -> None:
        """
        Raises:
            OSError: when it cannot be made.
        """
        clear_dead(Path(tempfile.gettempdir()))
        self.path, self._handle = _made()
        # Generated code may run as nobody, in a folder within: it passes this one, and cannot look into it.
        if os.name == "posix" and os.geteuid() == 0:
            with contextlib.suppress(OSError):  # a container may know no nobody: then no code runs as one
                os.chown(self.path, -1, NOBODY)
                self.path.chmod(0o710)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove it with all that is in it. Idempotent."""
        if self._handle >= 0:
            remove_tree(self.path)
            os.close(self._handle)
            self._handle = -1


def clear_dead(place: Path) -> None:
    """Remove the folders of dead processes that lie in `place`."""
    for folder in place.glob(f"{_PREFIX}*{_SUFFIX}"):
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # another user's, or gone
            continue
        try:
            if os.fstat(handle).st_uid == os.geteuid() and take_lock(handle, without=False):
                remove_tree(folder)
        finally:
            os.close(handle)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that can be removed in it, however deep it is: `shutil.rmtree` calls itself for each
    level in Python before 3.13, and a program that nests folders would end us."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        _flatten(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _flatten(folder: Path) -> None:
    """Put all folders that lie in others directly into `folder`."""
    waiting, number = _folders(folder), 0
    while waiting:
        for inner in _folders(waiting.pop()):
            number += 1
            with contextlib.suppress(OSError):
                waiting.append(inner.rename(folder / f".{number}.flat"))


def _folders(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
        with os.scandir(folder) as entries:
            return [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []


def _made() -> tuple[Path, int]:
    """A new folder, and the descriptor that holds it. Somebody who clears up may come in between: then another one."""
    for _ in range(_TRIES):
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX)).absolute()
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        if take_lock(handle, without=True) and path.exists():
            return path, handle
        os.close(handle)
    raise OSError(f"no folder can be kept in {tempfile.gettempdir()}")
