"""The folder that a project's runs live in, and how to write there without leaving half a file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from automl_agent.errors import InputError

_HOME_HINT = "Give a folder that you may write to: --home, or `home` of the settings."
_NAME = re.compile(r"(?!\.)[\w.-]+")
_NAME_BYTES = 200
_PATIENCE = 30.0
"""Seconds to wait for another writer of the same file."""


def prepare_home(home: Path) -> Path:
    """Make the home folder if there is none, with a `.gitignore` that keeps it out of version control.

    Raises:
        InputError: when it cannot be made or written to.
    """
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            home.mkdir()
            (home / ".gitignore").write_text("*\n", encoding="utf-8")
        writable = home.is_dir() and os.access(home, os.W_OK | os.X_OK)
    except OSError as error:
        raise InputError(f"The folder {home} cannot be made: {error.strerror}.", hint=_HOME_HINT) from error
    if not writable:
        raise InputError(f"{home} is not a folder that can be written to.", hint=_HOME_HINT)
    return home


def checked_name(name: str) -> str:
    """A name that is safe as one part of a path.

    Raises:
        InputError: when it holds anything but letters, digits, dot, dash and underscore, begins with a dot, or is long.
    """
    if not _NAME.fullmatch(name) or len(name.encode()) > _NAME_BYTES:
        raise InputError(f"{name[:80]!r} is not a valid name.", hint="Letters, digits, '.', '-' and '_' are accepted.")
    return name


def write_durably(path: Path, text: str) -> None:
    """Write a file that is either the old one or the new one, whatever happens, a power cut included."""
    content, part = text.encode(), path.with_name(f".{path.name}.part")
    with _alone(part) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[IO[bytes]]:
    """An empty file that nobody else writes to; the name is always the same, so that one which a killed process left is
    used up by the next.

    Raises:
        OSError: it cannot be made, or somebody else has kept it for long.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        with part.open("ab") as file:
            held = take_lock(file, without=True)
            if held and _lies_at(part, file):
                file.truncate(0)
                yield file
                return
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, "another process keeps on writing it", str(part))
        if not held:
            time.sleep(0.01)


def _lies_at(path: Path, file: IO[bytes]) -> bool:
    """Whether it is this file still, and was not renamed by whoever held it before."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def take_lock(file: IO[bytes] | int, *, without: bool) -> bool:
    """Whether the lock of an open file or folder is ours now; it ends with the process that holds it, at the latest.

    Args:
        without: what to say where the system knows no such locks.
    """
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return without
    return True
