"""Memory: what this machine has, and how a run shares out what it may use."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from automl_agent.settings import LEAST_MEMORY

HOST_MB = 500.0
"""What a run needs besides its workers: its own process, the one that workers are forked from, and the checks of
delivery, which start when the workers are idle (`tests/test_memory.py` measures a run)."""
WORKER_MB = LEAST_MEMORY - HOST_MB
"""What a worker needs at least, the libraries included that it shares with the others."""
SHARE = 0.8
"""Of the machine's memory, that a run uses at most where nothing else is said."""

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Room:
    """How many workers there is room for, and the megabytes that each may use."""

    workers: int
    each_mb: float


def room(cpus: int, most_mb: float | None = None) -> Room:
    """Share out memory among as many workers as there are cores, or fewer.

    Args:
        most_mb: for the whole run; by default `SHARE` of what this machine, or this container, has.
    """
    left = max(WORKER_MB, (most_mb or SHARE * machine_mb()) - HOST_MB)
    workers = max(1, int(min(cpus, left // WORKER_MB)))
    return Room(workers, left / workers)


def machine_mb() -> float:
    """Memory of this machine, or of the control group that this process is in; infinite where that is not known."""
    found = [float("inf")]
    with contextlib.suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6)
    for path in _CGROUP_LIMITS:
        with contextlib.suppress(ValueError, OSError):  # "max" is no number
            found.append(int(Path(path).read_text(encoding="utf-8")) / 1e6)
    return min(found)
