"""Disks that are full or read-only, and folders that went away: found out, and said with what to do about it.

Libraries tell of a full disk in many words, or not at all. So an error is taken for one of storage when it says so, and
otherwise when one of the places that a run writes to turns out to be unusable at that moment.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from automl_agent.errors import AutoMLError, JobError, StorageError

GO_ON = "go on with the run"
"""The end of a hint, in place of which the command line says how."""
LEAST_BYTES = 1 << 20
"""A disk with less room than this is full: no model is written in less."""

_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_SQLITE_FULL = 13
_SQLITE = (8, 10, _SQLITE_FULL)
"""Primary result codes: READONLY, IOERR, FULL."""
_MOVED = 8 | 4 << 8
"""SQLite finds that its file is no longer where it was."""
_WORDS = (*(os.strerror(number) for number in _NUMBERS), " requested and ")
"""How errors without a number tell: those of `shutil.copytree`, and of NumPy, which wrote less than was requested."""


def of_storage(error: BaseException) -> bool:
    """Whether an error says that a disk could not be written to, or was raised from one that does."""
    return any(_says_so(each) for each in _chain(error))


def storage_error(error: BaseException, places: Iterable[Path]) -> StorageError | None:
    """What an error comes to where a disk is behind it; `None` where something else is.

    Args:
        places: folders that are written to; one that is not there yet stands for the folder that it will be made in.
    """
    if isinstance(error, StorageError):
        return error
    folders = list(places)
    told = of_storage(error)
    if told or not isinstance(error, AutoMLError) or isinstance(error, JobError):
        for place in (*folders, *_temporary()):
            if found := trouble(place):
                return found
        if found := _gone(error, folders):
            return found
    if told and any(_says_full(each) for each in _chain(error)):  # what was begun is cleared away: now there is room
        return _full(min((*folders, *_temporary()), key=lambda place: _free(_existing(place))))
    if told:
        text = f"A file could not be written: {_words(next(each for each in _chain(error) if _says_so(each)))}."
        return StorageError(text, hint=f"Make room on that disk, then {GO_ON}.")
    return None


def trouble(place: Path) -> StorageError | None:
    """Why a folder cannot be written to just now, found out by writing; `None` when it can."""
    folder = _existing(place)
    try:
        if _free(folder) < LEAST_BYTES:
            return _full(place)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _full(place)
        reason = error.strerror or str(error)
        return StorageError(f"{place} cannot be written to: {reason}.", hint=f"Make it writable, then {GO_ON}.")
    return None


def _existing(place: Path) -> Path:
    """The place, or the folder that it will be made in."""
    return next(each for each in (place, *place.parents) if each.exists())


def _free(folder: Path) -> float:
    """Bytes that may be written to a folder's disk, where the system says so."""
    if not hasattr(os, "statvfs"):
        return float("inf")
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _full(place: Path) -> StorageError:
    return StorageError(f"The disk of {place} is full.", hint=f"Make room there, then {GO_ON}.")


def _gone(error: BaseException, places: list[Path]) -> StorageError | None:
    """A file or folder of ours that is missing: somebody removed it while the run was at work."""
    for each in _chain(error):
        if getattr(each, "sqlite_errorcode", 0) == _MOVED and (lost := [p for p in places if not p.exists()]):
            return _removed(lost[0])
        if isinstance(each, FileNotFoundError | NotADirectoryError) and isinstance(each.filename, str):
            missing = Path(each.filename)
            for place in () if missing.exists() else places:
                if missing.is_relative_to(place):
                    return _removed(next(p for p in (*reversed(missing.parents), missing) if not p.exists()))
    return None


def _removed(place: Path) -> StorageError:
    text = f"{place} is gone: it was removed while the run was at work."
    return StorageError(text, hint=f"Start the run again, or {GO_ON} where only a part is gone.")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _says_full(error: BaseException) -> bool:
    return (
        _says_so(error)
        and not (isinstance(error, OSError) and error.errno == errno.EROFS)
        and (getattr(error, "sqlite_errorcode", _SQLITE_FULL) & 0xFF == _SQLITE_FULL)
    )


def _says_so(error: BaseException) -> bool:
    if isinstance(error, JobError):
        return error.kind == "storage"
    if isinstance(error, OSError):
        text = str(error)
        return error.errno in _NUMBERS or (error.errno is None and any(words in text for words in _WORDS))
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE


def _words(error: BaseException) -> str:
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # of every file that was not copied
        _, target, reason = error.args[0][0]
        return f"{target}: {reason}"
    return " ".join(str(error).split())


def _temporary() -> list[Path]:
    try:
        return [Path(tempfile.gettempdir())]
    except FileNotFoundError:  # none can be written to; those who need one say so
        return []
