"""Puts a finished folder in the place of another one, so that nobody ever sees half of it."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from automl_agent.errors import InputError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


RESULTS = ("bundle", "predictions.csv", "submission.csv", "report.html", "result.json")
"""What a run writes into its output folder."""


def check_free(out: Path, data: Iterable[str] = ()) -> None:
    """Make sure that the results of a run would take nothing away from the user.

    Args:
        out: the output folder; it may hold other files, and the results of an earlier run, which are replaced.
        data: the files that the run reads.

    Raises:
        InputError: the folder holds a file of a result's name that no run wrote, or results would overwrite the data.
    """
    hint = "Choose another --out."
    for given in data:
        place = Path(os.path.realpath(Path(given).expanduser()))  # of a link to itself, too
        if place == out.resolve():
            raise InputError(f"{given} is the data and cannot be the output folder, too.", hint=hint)
        if place.is_relative_to(out.resolve()) and place.relative_to(out.resolve()).parts[0] in RESULTS:
            raise InputError(f"{given} is data, and the results of this run would overwrite it.", hint=hint)
    if _is_bundle(out / "bundle") or _is_result(out / "result.json"):
        return
    for name in RESULTS:
        if (out / name).exists():
            what = f"holds a {name!r} that no run wrote, and that the result would overwrite"
            raise InputError(f"Output folder {out} {what}.", hint=f"Move it away, or c{hint[1:]}")


def _is_result(file: Path) -> bool:
    try:
        return "run_id" in json.loads(file.read_bytes())
    except (OSError, ValueError, TypeError):
        return False


def _is_bundle(folder: Path) -> bool:
    """Whether a run wrote it: other things than bundles have a manifest, too."""
    try:
        return {"files", "run_id"} <= set(json.loads((folder / "manifest.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return False


def publish(staged: Path, final: Path) -> None:
    """Copy `staged` next to `final` and swap the two; `staged` itself stays as it is.

    The copy is a real one (no hard links): the user may edit it without touching our store. A reader of `final` sees
    the old bundle or the new one. Repeating a call that was killed half-way finishes it.

    Raises:
        InputError: when the place of `final` cannot be written to, or holds something that is no bundle.
    """
    if final.exists() and not _is_bundle(final) and (not final.is_dir() or any(final.iterdir())):
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
