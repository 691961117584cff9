"""Reading what a program left behind: the folder is its own, so nothing in it is what it seems."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from automl_agent.errors import SandboxError

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Does not wait for the writer of a pipe."""


def read_output(folder: Path, name: str, max_bytes: int) -> bytes:
    """The content of a plain file in a folder that a program could write.

    No part of the name below `folder` may be a link, and the file may have no second name.

    Raises:
        SandboxError: when there is no such file, or it is too large; the message is fit for a repair prompt.
    """
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
        raise SandboxError(f"{name!r} does not lie in the work folder.")
    opened = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        for part in parts[:-1]:
            opened.append(os.open(part, _OPEN_FOLDER, dir_fd=opened[-1]))
        opened.append(os.open(parts[-1], _OPEN_FILE, dir_fd=opened[-1]))
        status = os.fstat(opened[-1])
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise SandboxError(f"{name} is not a plain file.")
        if status.st_size > max_bytes:
            raise SandboxError(f"{name} has {status.st_size:,} bytes; at most {max_bytes:,} are read.")
        with os.fdopen(opened.pop(), "rb") as file:
            return file.read(max_bytes)
    except OSError as error:
        raise SandboxError(f"{name} cannot be read: {error.strerror}.") from error
    finally:
        for number in opened:
            os.close(number)
