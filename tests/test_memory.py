"""A run keeps to the memory that it is given."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_agent.execution.memory import HOST_MB, WORKER_MB, machine_mb, room
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.registry import get_family
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


def test_a_network_trains_without_the_compiler_of_torch():
    """It takes 1.5 s and 70 MB, in each worker; the classes of `torch.optim` import it."""
    program = """
import sys
import numpy as np, torch
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.registry import get_family

family = get_family("tabular_regression")
module = load_candidate(family.candidates()["network"].path, family.shared)
model = module.Model({"kind": "regression", "metric": "rmse"}, {}, [], 0)
model.numbers = 2
data = [torch.rand(300, 2), torch.rand(300), torch.ones(300)]
training = module.Training(torch, model, data, torch.arange(250), torch.arange(250, 300))
weights = training._begun()
before = training._loss_outside(weights)
for _ in training._batches(weights, 20):
    pass
assert training._loss_outside(weights) < before
assert "torch._dynamo" not in sys.modules
"""
    pytest.importorskip("torch")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("decoupled", [True, False])
def test_adam_without_the_compiler_is_that_of_torch(decoupled):
    torch = pytest.importorskip("torch")
    family = get_family("tabular_regression")
    module = load_candidate(family.candidates()["network"].path, family.shared)
    start, target = torch.linspace(-1, 1, 12).reshape(3, 4), torch.ones(3, 4)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    own = module.Adam([ours], (0.9, 0.95), decoupled=decoupled)
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    other = kind([theirs], lr=0.1, betas=(0.9, 0.95), weight_decay=0.05)
    for _ in range(5):
        ((ours - target) ** 2).sum().backward()
        own.step(0.1, 0.05)
        other.zero_grad()
        ((theirs - target) ** 2).sum().backward()
        other.step()
    assert torch.equal(ours, theirs) and not torch.equal(ours, start)
