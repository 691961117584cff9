"""The sandbox in the hands of the host: opened by a word, stopped, refused, its outputs read."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress

import pytest

from automl_agent.errors import InputError, SandboxError
from automl_agent.execution.sandbox import opening, probing
from automl_agent.execution.sandbox.opening import open_sandbox
from automl_agent.execution.sandbox.plain import PlainSandbox
from automl_agent.execution.sandbox.protocol import Layers, SandboxJob, SandboxResult
from automl_agent.execution.sandbox.reading import read_output
from sandbox_tiers import HOSTILE, TIERS, job, living_in, sandbox_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")
PATIENCE = 20.0


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def until(condition, seconds=PATIENCE):
    """Wait for something to become true, and give it back."""
    give_up = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)
    return value


class Own:
    """A sandbox of a user."""

    def layers(self) -> Layers:
        return Layers("full", ("a remote machine",), ())

    def run(self, job, stop=None) -> SandboxResult:
        return SandboxResult("ok", 0, f"ran {job.program.name} elsewhere")


class NoRun:
    def layers(self) -> Layers:
        return Layers("full", (), ())


class WrongLayers(Own):
    def layers(self):
        return "full"


def test_a_class_of_the_user_is_a_sandbox(work):
    sandbox = open_sandbox(f"{__name__}:Own")
    assert sandbox.run(job("daemon", work)).output == "ran daemon.py elsewhere"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("docker", "auto, require, off, or package.module:Class"),
        ("", "auto, require, off, or package.module:Class"),
        ("nowhere.at_all:Class", "No module named 'nowhere'"),
        (f"{__name__}:Missing", "no attribute 'Missing'"),
        (f"{__name__}:NoRun", "has no method run"),
        (f"{__name__}:WrongLayers", "returns str, not Layers"),
    ],
)
def test_a_wrong_word_is_told(word, says):
    with pytest.raises(InputError, match=says):
        open_sandbox(word)


def test_require_refuses_a_weak_sandbox(monkeypatch):
    monkeypatch.setattr(opening, "best", lambda: PlainSandbox("landlock: Linux 6.7 or newer"))
    assert open_sandbox("auto").layers().tier == "none"
    with pytest.raises(SandboxError, match="landlock: Linux 6"):
        open_sandbox("require")


@linux
def test_a_layer_that_does_not_work_is_missing_with_a_remedy(monkeypatch):
    """Bubblewrap is often installed and cannot work."""
    monkeypatch.setattr(probing.shutil, "which", lambda _: "/bin/false")
    probing.best.cache_clear()
    try:
        layers = probing.best().layers()
    finally:
        probing.best.cache_clear()
    assert layers.tier != "full"
    assert [text for text in layers.missing if text.startswith("bubblewrap: install bubblewrap")]


def test_off_still_cleans_the_environment_and_ends_the_run(work, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    sandbox = open_sandbox("off")
    assert sandbox.layers().tier == "none"
    (work / "say.py").write_text("import os, sys; print(sorted(os.environ)); sys.exit(3)")
    said = sandbox.run(SandboxJob(work / "say.py", work))
    assert (said.status, said.code) == ("error", 3)
    assert "OPENAI_API_KEY" not in said.output and "OMP_NUM_THREADS" in said.output
    assert sandbox.run(job("stubborn", work, seconds=0.5)).status == "timeout"
    assert sandbox.run(job("flood", work, output_mb=1)).status == "output"
    stop = threading.Event()
    stop.set()
    assert sandbox.run(job("stubborn", work), stop).status == "stopped"


@linux
@pytest.mark.parametrize("tier", TIERS)
def test_a_server_is_asked_from_outside_and_reaches_nothing(tier, work):
    sandbox = sandbox_of(tier)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stop, results = threading.Event(), []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = job("serve", work, port, listener.getsockname()[1], port=port)
        thread = threading.Thread(target=lambda: results.append(sandbox.run(serving, stop)))
        thread.start()
        try:
            tried = json.loads(until(lambda: ask(port)))
        finally:
            stop.set()
            thread.join(PATIENCE)
    assert tried.pop("bind another") == ("done" if tier == "limits" else "EACCES")
    assert set(tried.values()) == {"EPERM"}
    assert [result.status for result in results] == ["stopped"]
    assert living_in(work) == []


def ask(port: int) -> bytes:
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), PATIENCE) as end:
        end.sendall(b"what can you do?\n")
        return b"".join(iter(lambda: end.recv(1 << 16), b""))
    return b""


@linux
@pytest.mark.parametrize("tier", TIERS)
def test_a_killed_host_leaves_nothing_running(tier, work):
    layers = [layer for layer in probing.LAYERS if layer in " ".join(sandbox_of(tier).layers().used)]
    host = f"""
import sys
from pathlib import Path
from automl_agent.execution.sandbox.probing import confined
from automl_agent.execution.sandbox.protocol import SandboxJob
confined({layers!r}).run(SandboxJob(Path({str(HOSTILE / "daemon.py")!r}), Path({str(work)!r})))
confined({layers!r}).run(SandboxJob(Path({str(HOSTILE / "stubborn.py")!r}), Path({str(work)!r})))
"""
    process = subprocess.Popen([sys.executable, "-c", host])
    try:
        until(lambda: living_in(work))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
    until(lambda: not living_in(work))


@linux
def test_what_is_linked_elsewhere_keeps_its_owner(work, tmp_path):
    """A file of the host that has a second name in the work folder is not the program's."""
    original = tmp_path / "original.csv"
    original.write_text("1")
    os.link(original, work / "linked.csv")
    (work / "change.py").write_text("from pathlib import Path; Path('linked.csv').write_text('2')")
    before = original.stat()
    result = open_sandbox("auto").run(SandboxJob(work / "change.py", work))
    assert result.status == "ok", result.output
    assert (work / "linked.csv").stat().st_uid == before.st_uid == original.stat().st_uid
    if os.geteuid() == 0:
        assert original.read_text() == "1"


@linux
def test_the_beginning_and_the_end_of_the_output_are_kept(work):
    (work / "fail.py").write_text("print('first')\nfor i in range(5000): print(i)\nraise ValueError('last')")
    result = open_sandbox("auto").run(SandboxJob(work / "fail.py", work))
    assert (result.status, result.code) == ("error", 1)
    assert result.output.startswith("first\n") and result.output.endswith("ValueError: last\n")
    assert "bytes left out" in result.output
    assert "runpy" not in result.output  # tracebacks begin in the program


@linux
def test_what_no_program_may_read_is_refused(work, tmp_path, monkeypatch):
    home = tmp_path / "library"
    for folder in ("private/r1", "artifacts/r1/work", "artifacts/r1/data", "artifacts/r2/data"):
        (home / folder).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for folder in ("user", "temporary"):
        (tmp_path / folder).mkdir()
    inside = home / "artifacts" / "r1" / "work"
    refused = {
        tmp_path: "the home folder of the user",
        tmp_path / "user": "the home folder of the user",
        home: "the held-out targets",
        home / "private" / "r1": "held-out targets",
        home / "artifacts": "what other runs made",
        home / "artifacts" / "r2" / "data": "belongs to the run r2",
        inside / "sub": "lies in the work folder",
        tmp_path / "temporary": "temporary files of other programs",
    }
    for path, says in refused.items():
        with pytest.raises(SandboxError, match=says):
            open_sandbox("auto").run(job("daemon", inside, read=(path,)))
    assert open_sandbox("auto").run(job("daemon", inside, read=(home / "artifacts/r1/data",))).status == "ok"
    with pytest.raises(SandboxError, match="does not exist"):
        open_sandbox("auto").run(job("daemon", tmp_path / "nowhere"))
    with pytest.raises(SandboxError, match="does not exist"):
        open_sandbox("auto").run(job("no_such_program", work))
    monkeypatch.setenv("AUTOML_AGENT_HOME", f"{sys.prefix}/lib/home")  # in a folder that every program may read
    with pytest.raises(SandboxError, match="the held-out targets"):
        open_sandbox("auto").run(job("daemon", work))


def test_outputs_are_read_as_plain_files_only(work):
    assert open_sandbox("auto").run(job("outputs", work)).status == "ok"
    assert read_output(work, "real/inside.txt", 100) == b"inside"
    refused = {
        "link.txt": "cannot be read",
        "folder/hostname": "cannot be read",
        "good.txt": "not a plain file",  # it has a second name
        "pipe.txt": "not a plain file",
        "real": "not a plain file",
        "sparse.txt": "40,000,000 bytes",
        "missing.txt": "No such file",
        "../secret": "does not lie in",
        "/etc/hostname": "does not lie in",
    }
    for name, says in refused.items():
        with pytest.raises(SandboxError, match=says):
            read_output(work, name, 1000)
