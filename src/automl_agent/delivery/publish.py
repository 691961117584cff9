"""Puts a finished folder in the place of another one, so that nobody ever sees half of it."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from pathlib import Path

from automl_agent.errors import InputError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def publish(staged: Path, final: Path) -> None:
    """Copy `staged` next to `final` and swap the two; `staged` itself stays as it is.

    The copy is a real one (no hard links): the user may edit it without touching our store. A reader of `final` sees
    the old bundle or the new one. Repeating a call that was killed half-way finishes it.

    Raises:
        InputError: when the place of `final` cannot be written to, or holds something that is no bundle.
    """
    if final.exists() and not (final / "manifest.json").exists() and (not final.is_dir() or any(final.iterdir())):
        raise InputError(f"{final} exists and is not a bundle.", hint="Choose another --out, or move it away.")
    new, old = _beside(final, "new"), _beside(final, "old")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        recover(final)
        shutil.copytree(staged, new, symlinks=False, ignore=shutil.ignore_patterns("__pycache__"))
        if not final.exists():
            new.rename(final)
        elif exchange(new, final):
            shutil.rmtree(new)
        else:
            final.rename(old)
            new.rename(final)
            shutil.rmtree(old)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        if not final.exists() and old.exists():
            old.rename(final)
        raise InputError(
            f"{final} cannot be written: {error.strerror or error}", hint="Choose another --out."
        ) from error


def recover(final: Path) -> None:
    """Clear what a killed `publish` left; when it died between its two renames, the old folder comes back."""
    new, old = _beside(final, "new"), _beside(final, "old")
    if old.exists() and not final.exists():
        old.rename(final)
    for leftover in (new, old):
        if leftover.exists():
            shutil.rmtree(leftover)


def exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; `False` where the system cannot (then nothing has happened)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    result = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE))
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def _beside(final: Path, what: str) -> Path:
    return final.with_name(f".{final.name}.{what}")
