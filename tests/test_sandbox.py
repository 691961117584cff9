"""Generated code is confined: the attacks of `tests/hostile`, behind each tier of layers that this machine has.

What a weak tier does not stop is said here too, so that nobody takes it for a wall.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import automl_agent
from automl_agent.execution.scratch import remove_tree
from sandbox_tiers import TIERS, job, living_in, sandbox_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")

CANARY = "sk-canary-6f1c"
STOPPED_BY_LIMITS = {
    "own_environment", "tcp", "tcp_by_sending", "metadata_address", "udp", "unix_socket", "unix_datagram_by_pair",
    "netlink",
    "inherited_descriptor", "become_root", "capabilities", "new_privileges", "hide_memory", "user_namespace", "trace",
    "mount", "io_uring", "key_ring", "bpf", "file_by_handle", "unseen_memory", "shared_memory_of_system_v",
    "x32_interface", "signal_all", "limits_of_host",
}  # fmt: skip
"""By a clean environment, limits and the filter of system calls."""
STOPPED_BESIDES_FOR_ROOT = {
    "environment_of_others", "memory_of_host", "write_library", "write_start_up_file", "overwrite_input",
    "overwrite_grade", "overwrite_checkpoint", "overwrite_predictions_of_others",
    "remove_input", "truncate_outside", "link_outside", "signal_host",
}  # fmt: skip
"""Since the program is another user then."""


ORDINARY = ["boosting", "catboost_and_its_files", "scikit_learn_in_threads", "network", "joblib_workers",
            "pool_of_threads", "parquet_in_a_temporary_folder", "plot", "child"]  # fmt: skip


@pytest.fixture(params=TIERS)
def sandbox(request):
    return sandbox_of(request.param)


@pytest.fixture
def work(tmp_path):
    """A work folder in which nothing runs afterwards."""
    folder = tmp_path / "work"
    folder.mkdir()
    yield folder
    assert living_in(folder) == []
    remove_tree(folder)
    assert not folder.exists()
    for planted in Path("/tmp").glob("planted-*"):  # by an attack that a weak tier lets through
        planted.unlink(missing_ok=True)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Places of a host that has something to lose, and a process that holds its key."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    for name in ("home", "private", "inputs"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / "id_rsa").write_text("secret")
    for name in ("y.csv", "grade.json", "checkpoints.sqlite", "predictions.npy"):
        (tmp_path / "private" / name).write_text("1")
    (tmp_path / "inputs" / "x.csv").write_text("2")
    library = shutil.copytree(Path(automl_agent.__file__).parent / "llm", tmp_path / "library")
    with (
        tempfile.TemporaryDirectory() as short,  # the path of a socket must be short
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as door,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder,
    ):
        door.bind(f"{short}/door")
        door.listen()
        yield {
            "secret": str(tmp_path / "home" / "id_rsa"), "private": str(tmp_path / "private"), "canary": CANARY,
            "input": str(tmp_path / "inputs" / "x.csv"), "library": str(library), "pid": holder.pid,
            "port": listener.getsockname()[1], "unix": f"{short}/door",
        }  # fmt: skip
        holder.communicate()


@pytest.mark.parametrize("tier", TIERS)
def test_what_is_within_reach(tier, host, work, figure):
    secret = Path(host["secret"])
    before = secret.stat()
    granted = (Path(host["input"]).parent, Path(host["library"]))
    result = sandbox_of(tier).run(job("reach", work, json.dumps(host), read=granted))
    assert result.status == "ok", result.output
    said = json.loads(result.output.splitlines()[-1])
    reached = set(said["worked"])
    figure(f"{tier}: {said['tried'] - len(reached)} of {said['tried']} attempts contained, open: {sorted(reached)}")
    if tier == "full":
        assert reached == set()
    elif tier == "files":
        assert reached == {"file_exists"}
    else:
        assert not reached & (STOPPED_BY_LIMITS | (STOPPED_BESIDES_FOR_ROOT if os.geteuid() == 0 else set()))
        # no wall around files: `require` refuses this tier. It shows, too, that the attacks are real ones.
        assert {"etc_passwd", "ssh_key", "held_out_labels", "write_temporary_folder", "file_exists"} <= reached
    if tier != "limits":
        assert secret.read_text() == "secret"
    assert (secret.stat().st_mode, secret.stat().st_uid) == (before.st_mode, before.st_uid)


@pytest.mark.parametrize(
    ("attack", "limits", "ends"),
    [
        ("fork_bomb", {"processes": 20}, {"processes"}),
        ("threads", {"processes": 20}, {"processes"}),
        ("memory_of_one", {"memory_mb": 300}, {"memory", "error"}),  # the kernel's bound may come first: MemoryError
        ("memory_of_many", {"memory_mb": 300}, {"memory"}),
        ("big_file", {"disk_mb": 20}, {"disk"}),
        ("nameless_files", {"disk_mb": 20}, {"disk"}),
        ("many_files", {"files": 200}, {"disk"}),
        ("hidden_files", {"disk_mb": 20}, {"disk"}),
        ("flood", {"output_mb": 1}, {"output"}),
        ("stubborn", {"seconds": 1.0}, {"timeout"}),
        ("daemon", {}, {"ok"}),
        ("deep_folders", {}, {"ok", "disk"}),
    ],
)
def test_who_takes_too_much_is_ended(sandbox, work, attack, limits, ends):
    """And nothing of it is left running, which `work` looks at."""
    result = sandbox.run(job(attack, work, **limits))
    assert result.status in ends, result
    assert len(result.output) < 10_000
    if result.status == "error":
        assert "MemoryError" in result.output


def test_the_warden_is_not_killed_by_its_program(sandbox, work):
    result = sandbox.run(job("kill_warden", work))
    assert (result.status, result.output) == ("ok", "still here\n")


@pytest.mark.parametrize("tier", ["files", "full"])
def test_ordinary_work_runs(tier, work, tmp_path, figure):
    table = tmp_path / "inputs" / "table.csv"
    table.parent.mkdir()
    table.write_text("a,b,y\n" + "\n".join(f"{i},{i * 7 % 5},{i % 2}" for i in range(60)))
    result = sandbox_of(tier).run(job("ordinary", work, table, read=(table.parent,), seconds=120.0))
    assert result.status == "ok", result.output
    done = [line for line in result.output.splitlines() if line in ORDINARY]
    assert done == ORDINARY, result.output
    assert (work / "predictions.csv").stat().st_uid == work.stat().st_uid == os.getuid()
    assert result.memory_mb > 50
    figure(f"tier {tier}: {len(done)} of {len(ORDINARY)} kinds of ordinary work run")
