"""What it takes to run jobs: the contract between the search and whatever executes, on this machine or elsewhere."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Job:
    """A call of a module-level function with JSON arguments; the function returns a JSON object."""

    call: str
    """`package.module:function`"""
    arguments: dict[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds after which the host kills the worker; the clock starts when the job starts."""
    memory_mb: float | None = None
    """Resident memory of the worker beyond which the host kills it."""
    imports: tuple[str, ...] = ()
    """Packages that it needs, for a pool that can import them once for all its workers."""
    ahead: bool = False
    """Whether it goes before those that wait, since it ends what others have begun. A pool may do without."""
    ends: bool = False
    """Whether the worker ends afterwards: what the job imported and loaded is given back."""


class Pool(Protocol):
    """The workers of one run."""

    @property
    def size(self) -> int:
        """Number of jobs that run at once; it may become less where memory is short."""
        ...

    def prepare(self) -> None:
        """Start the workers ahead of the first job, in the background; may do nothing."""
        ...

    def submit(self, job: Job) -> Future[dict[str, Any]]:
        """Queue a job. The future raises `JobError` (`kind`: see there)."""
        ...

    def cancel(self) -> None:
        """Drop queued jobs, kill running ones, and give back what idle workers hold; the pool stays usable."""
        ...

    def close(self) -> None:
        """End all workers. Idempotent."""
        ...


class Executor(Protocol):
    """Gives each run its pool."""

    def pool(self, run_id: str, size: int) -> Pool:
        """The pool of a run, made on first use; the same object for the same run."""
        ...

    def release(self, run_id: str) -> None:
        """Close the pool of a run, if there is one."""
        ...


class ArtifactStore(Protocol):
    """Folders that records refer to by id."""

    def create(self, run_id: str, name: str) -> tuple[str, Path]:
        """A fresh, empty folder and its id. A folder of the same run and name is emptied."""
        ...

    def path(self, artifact: str) -> Path:
        """The folder of an id."""
        ...
