"""The environment of a program that nobody has read: nothing of the host's, and one thread."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from automl_agent.execution.process import ONE_THREAD
from automl_agent.execution.sandbox.protocol import SandboxJob

LIBRARY = Path(__file__).resolve().parents[2]
"""The folder of the package `automl_agent`."""
SCRATCH = ".scratch"
"""Folder in the work folder that is HOME and the place of temporary files."""


def clean_environment(job: SandboxJob) -> dict[str, str]:
    """All variables that a program sees."""
    scratch = job.work.resolve() / SCRATCH
    with contextlib.suppress(FileExistsError):  # whatever an earlier program put there
        scratch.mkdir()
    return {
        **ONE_THREAD,
        "PATH": "/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LOGNAME": "sandbox",  # libraries that ask for the user's name would look into /etc/passwd
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",  # it lies below HOME, where an earlier program may have left start-up files
        "PYTHONPATH": import_path(),
        "MPLBACKEND": "Agg",
        "MALLOC_ARENA_MAX": "2",  # of the C library: each arena is address space that counts against the limit
        # Pools of processes need semaphores in /dev/shm, which every sandbox on the machine would share.
        "JOBLIB_MULTIPROCESSING": "0",
        **job.environment,
    }


def import_path() -> str:
    """`PYTHONPATH`: packages that the interpreter does not find by itself, and this library."""
    return os.pathsep.join(dict.fromkeys([*package_folders(), str(LIBRARY.parent)]))


def package_folders() -> list[str]:
    """Folders of installed packages that we import from, those of the user (`pip install --user`) among them."""
    return [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
