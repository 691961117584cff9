"""Unpacks a zip archive that came over the network: nothing leaves the folder, nothing outgrows its bound."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from automl_agent.errors import InputError

MOST_FILES = 100_000


def unpack(archive: Path, folder: Path, *, max_bytes: int) -> None:
    """Unpack into a folder, and remove the archive. A folder that holds everything is left out.

    Raises:
        InputError: it is damaged, leads out of the folder, holds links, or unpacks to more than `max_bytes`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            infos = [info for info in opened.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
            _check(infos, max_bytes)
            for info in infos:
                target = folder.joinpath(*PurePosixPath(info.filename).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(info) as source, target.open("wb") as file:  # no more than `file_size` is read
                    shutil.copyfileobj(source, file, 1 << 20)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise InputError(f"The archive that was loaded is damaged: {error}.", hint="Try again.") from error
    archive.unlink()
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if len(inside) == 1 and inside[0].is_dir():
        only = inside[0].rename(folder / ".only")
        for path in only.iterdir():
            path.rename(folder / path.name)
        shutil.rmtree(only)


def _check(infos: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > max_bytes:
        raise InputError(
            "The archive that was loaded unpacks to far more than is allowed.", hint="Raise --max-download."
        )
    for info in infos:
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if not parts.parts or parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise InputError(f"The archive that was loaded holds a path that leads out of it ({info.filename!r}).")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise InputError(f"The archive that was loaded holds a link ({info.filename!r}).")
