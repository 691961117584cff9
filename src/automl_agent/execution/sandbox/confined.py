"""The sandbox on Linux, as the host sees it: an order goes to a warden, a result comes back."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time

from automl_agent.execution.sandbox import bubblewrap, grants
from automl_agent.execution.sandbox.environment import clean_environment, import_path
from automl_agent.execution.sandbox.kernel import NOBODY
from automl_agent.execution.sandbox.order import Order, result_of
from automl_agent.execution.sandbox.processes import tasks_of
from automl_agent.execution.sandbox.protocol import Layers, SandboxJob, SandboxResult

WARDEN = "automl_agent.execution.sandbox.warden"
_STOP_CHECK = 0.1
_GRACE = 20.0
"""Seconds beyond a job's own that a warden gets to start, kill and answer."""
_ANSWER_BYTES = 1 << 20
_SLACK_TASKS = 256
"""Processes and threads that other programs of the same user may start meanwhile."""
_MB = 1_000_000


class ConfinedSandbox:
    """Runs each program below a warden, behind the layers that it is made with.

    Args:
        layers: what was found to work (see `probing`), recorded as it is.
        landlock: give up files and ports in the kernel.
        seccomp: filter system calls.
        nobody: run as the user nobody; for root only.
        wrapper: path of bubblewrap, to use it.
    """

    def __init__(
        self,
        layers: Layers,
        *,
        landlock: bool = False,
        seccomp: bool = False,
        nobody: bool = False,
        wrapper: str | None = None,
    ) -> None:
        self._layers = layers
        self._landlock = landlock
        self._seccomp = seccomp
        self._nobody = nobody
        self._wrapper = wrapper

    def layers(self) -> Layers:
        return self._layers

    def run(self, job: SandboxJob, stop: threading.Event | None = None) -> SandboxResult:
        """Run a job to its end (see `protocol.Sandbox`).

        Raises:
            SandboxError: when the job grants what no program should have, or names files that are not there.
        """
        grants.check(job)
        return self.run_unchecked(job, stop)

    def run_unchecked(self, job: SandboxJob, stop: threading.Event | None = None) -> SandboxResult:
        """Run a job of our own, which grants nothing that it should not."""
        warden = subprocess.Popen(
            [sys.executable, "-s", "-P", "-m", WARDEN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd="/",
            env={"PYTHONPATH": import_path(), "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
        assert warden.stdin is not None and warden.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # then its answer says why
                warden.stdin.write(self._order(job).line())
            answer = _answer(warden, warden.stdout.fileno(), time.monotonic() + job.seconds + _GRACE, stop)
        finally:
            _end(warden)
            warden.stdout.close()
        return result_of(answer, warden.returncode)

    def _order(self, job: SandboxJob) -> Order:
        work, program = str(job.work.resolve()), str(job.program.resolve())
        granted = (job.program, *job.read)
        named = [str(path) for given in granted for path in (given.absolute(), given.resolve())]
        read = list(dict.fromkeys([*named, *grants.interpreter()]))
        wrapper = (
            bubblewrap.command(self._wrapper, read=read, work=work, network=job.port is not None, nobody=self._nobody)
            if self._wrapper
            else []
        )
        return Order(
            program=program,
            arguments=list(job.arguments),
            work=work,
            environment=clean_environment(job),
            read=read,
            wrapper=wrapper,
            nobody=self._nobody,
            landlock=self._landlock,
            seccomp=self._seccomp,
            port=job.port,
            seconds=job.seconds,
            memory=int(job.memory_mb * _MB),
            disk=int(job.disk_mb * _MB),
            files=job.files,
            processes=job.processes,
            user_tasks=tasks_of(NOBODY if self._nobody else os.getuid()) + job.processes + _SLACK_TASKS,
            output=int(job.output_mb * _MB),
        )


def _answer(warden: subprocess.Popen[bytes], pipe: int, deadline: float, stop: threading.Event | None) -> bytes:
    """All that a warden writes until it ends, is stopped, or is too late."""
    answer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if selector.select(_STOP_CHECK):
                chunk = os.read(pipe, _ANSWER_BYTES)
                if not chunk:
                    break
                answer = (answer + chunk)[-_ANSWER_BYTES:]
            if stop is not None and stop.is_set():
                _let_go(warden)
    return answer


def _let_go(warden: subprocess.Popen[bytes]) -> None:
    """Tell a warden that nobody waits: it kills what it has started and ends."""
    if warden.stdin is not None and not warden.stdin.closed:
        warden.stdin.close()


def _end(warden: subprocess.Popen[bytes]) -> None:
    _let_go(warden)
    try:
        warden.wait(_GRACE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(warden.pid, signal.SIGKILL)
        warden.wait(_GRACE)
