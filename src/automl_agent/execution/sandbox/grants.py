"""Folders of the interpreter, which every program may read, and what no job may grant."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from automl_agent.errors import SandboxError
from automl_agent.execution.sandbox.environment import LIBRARY, package_folders
from automl_agent.execution.sandbox.protocol import SandboxJob
from automl_agent.settings import default_home

_OF_THE_SYSTEM = ("/usr", "/usr/local")
"""Prefixes of which `system` grants what is needed."""


def interpreter() -> list[str]:
    """Folders of this interpreter, its packages and this library, as they are named and where links lead."""
    prefixes = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    own = [prefix for prefix in prefixes if prefix not in _OF_THE_SYSTEM]
    named = [*own, *package_folders(), str(LIBRARY)]
    return list(dict.fromkeys([*named, *(str(Path(path).resolve()) for path in named)]))


def check(job: SandboxJob) -> None:
    """Refuse a job that grants what no program should have.

    Raises:
        SandboxError: naming the folder, and what it would expose.
    """
    work = job.work.resolve()
    if not work.is_dir():
        raise SandboxError(f"The work folder {job.work} does not exist.")
    if not job.program.is_file():
        raise SandboxError(f"The program {job.program} does not exist.")
    for path in job.read:
        if path.resolve() == work or path.resolve().is_relative_to(work):
            raise SandboxError(f"{path} is granted for reading, but lies in the work folder, where it can be changed.")
    secrets = dict(_secrets(work))
    for granted in (job.work, job.program, *job.read, *map(Path, interpreter())):
        for secret, what in secrets.items():
            if secret.is_relative_to(granted.resolve()):
                raise SandboxError(f"A program that can read {granted} could read {what}, {secret}.")
    for granted in (job.work, job.program, *job.read):
        for home in _homes(work):
            _check_inside(granted, home, work)


def _secrets(work: Path) -> Iterator[tuple[Path, str]]:
    """Folders that no granted folder may contain or be."""
    with contextlib.suppress(RuntimeError):  # containers may run as a user that nobody has made
        yield Path.home().resolve(), "the home folder of the user"
    yield Path(tempfile.gettempdir()).resolve(), "temporary files of other programs"
    for home in _homes(work):
        yield home / "private", "the held-out targets"
        yield home / "artifacts", "what other runs made"


def _homes(work: Path) -> list[Path]:
    """The library's home folders: the usual one, and the one that the work folder lies in."""
    around = [folder for folder in work.parents if (folder / "private").is_dir() and (folder / "artifacts").is_dir()]
    return [default_home(), *around]


def _check_inside(granted: Path, home: Path, work: Path) -> None:
    """In the library's home, only artifacts of the run that the work folder belongs to may be granted."""
    path = granted.resolve()
    if path.is_relative_to(home / "private"):
        raise SandboxError(f"{granted} holds held-out targets; no program may read them.")
    artifacts = home / "artifacts"
    if path.is_relative_to(artifacts) and work.is_relative_to(artifacts):
        run, of_work = path.relative_to(artifacts).parts[0], work.relative_to(artifacts).parts[0]
        if run != of_work:
            raise SandboxError(f"{granted} belongs to the run {run}; the program runs for {of_work}.")
