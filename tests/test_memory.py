"""A run keeps to the memory that it is given."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_agent.execution.memory import HOST_MB, WORKER_MB, machine_mb, room
from conftest import CANCER


def test_memory_is_shared_out_among_workers():
    assert room(4, HOST_MB + 4 * WORKER_MB).workers == 4
    assert room(4, HOST_MB + 3.5 * WORKER_MB).workers == 3
    few = room(4, 1000)
    assert (few.workers, few.each_mb) == (1, WORKER_MB)
    assert room(2, HOST_MB + 8 * WORKER_MB).each_mb == 4 * WORKER_MB
    assert room(1).each_mb < machine_mb()


def tree_mb(root: int) -> float:
    """Proportional set size of a process and its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(entry.read_text().rpartition(")")[2].split()[1]), []).append(int(entry.parent.name))
        except OSError:
            continue
    total, left = 0.0, [root]
    while left:
        pid = left.pop()
        left += parents.get(pid, [])
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) / 1000 for line in lines if line.startswith("Pss:"))
    return total


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process tree is read from /proc")
def test_a_run_stays_within_its_memory(place):
    command = [sys.executable, "-m", "automl_agent.cli", "run", "Predict whether a tumour is malignant.", "--data",
               str(CANCER), "--budget", "20", "--max-memory", "1000", "--out", "out"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, tree_mb(process.pid))
        time.sleep(0.2)
    assert process.returncode == 0
    assert 200 < peak < 1000
