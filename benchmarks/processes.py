"""What a process costs with everything that it started. Linux."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_ORPHANS_COME_HERE = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


@dataclass(frozen=True)
class Cost:
    code: int | None
    """Exit status; `None` where it was killed at its limit."""
    output: str
    """The end of what it said on stdout and stderr."""
    wall: float
    cpu: float
    """Seconds, of all its processes. Sampled: what a process uses in its last .2 s is not seen."""
    peak_mb: float
    """Sum of proportional set sizes."""
    cpu_middle: float
    """Cores that were used between 15 and 75 % of the wall time, when the work is done."""


def descendants(root: int) -> dict[int, float]:
    """A process and all that descend from it, with the CPU seconds that each has used itself."""
    children: dict[int, list[int]] = {}
    seconds: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            seconds[int(entry.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    found, waiting = {}, [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        found[pid] = seconds.get(pid, 0.0)
    return found


def memory_mb(pids: Sequence[int]) -> float:
    """Proportional set size: pages that several share are counted once."""
    total = 0.0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        except (OSError, StopIteration):
            continue
    return total


def tree_mb(root: int) -> float:
    return memory_mb(list(descendants(root)))


def measured(command: Sequence[str], folder: Path, *, limit: float, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, or for `limit` seconds; what it leaves running is killed.

    Processes that outlive their parents become ours for as long as this process lives, so that none is missed.
    """
    ctypes.CDLL(None).prctl(_ORPHANS_COME_HERE, 1, 0, 0, 0)
    log = folder / "output.txt"
    peak, cpu, code, course = 0.0, {}, None, [(0.0, 0.0)]
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        while code is None and time.perf_counter() - started < limit:
            ours = descendants(os.getpid())
            ours.pop(os.getpid())
            for pid, seconds in ours.items():
                cpu[pid] = max(seconds, cpu.get(pid, 0.0))
            course.append((time.perf_counter() - started, sum(cpu.values())))
            peak = max(peak, memory_mb(list(ours)))
            try:
                code = process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        wall = time.perf_counter() - started
    for _ in range(50):
        left = set(descendants(os.getpid())) - {os.getpid()}
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                continue
        time.sleep(0.1)
    process.poll()
    said = log.read_text(errors="replace")[-2000:]
    return Cost(code, said, wall, sum(cpu.values()), peak, _used(course, 0.15 * wall, 0.75 * wall))


def _used(course: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """Cores that were used between two moments, of samples of (seconds, CPU seconds so far)."""
    inside = [sample for sample in course if begin <= sample[0] <= end]
    if len(inside) < 2:
        return 0.0
    (first, before), (last, after) = inside[0], inside[-1]
    return (after - before) / (last - first)
