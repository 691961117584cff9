"""Sandbox `off`: a process with a clean environment and a time limit. Anything that its user may do, it may do."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time

from automl_agent.execution.lifeline import FOLLOW, RUN, lifeline
from automl_agent.execution.sandbox.environment import clean_environment
from automl_agent.execution.sandbox.output import Output
from automl_agent.execution.sandbox.protocol import Layers, SandboxJob, SandboxResult, Status

POLL = 0.05
GRACE = 5.0
"""Seconds that a killed process may take to end."""


class PlainSandbox:
    """Runs programs as they are: for users who ask for it, and where nothing else works.

    Args:
        missing: why there is no more, and what it would take.
    """

    def __init__(self, missing: str = "confinement: set sandbox to auto") -> None:
        self._missing = missing

    def layers(self) -> Layers:
        return Layers("none", ("environment", "time"), (self._missing,))

    def run(self, job: SandboxJob, stop: threading.Event | None = None) -> SandboxResult:
        started = time.monotonic()
        with lifeline() as theirs:
            return self._run(job, theirs, started, stop)

    @staticmethod
    def _run(job: SandboxJob, theirs: int, started: float, stop: threading.Event | None) -> SandboxResult:
        output = Output()
        process = subprocess.Popen(
            [sys.executable, "-c", FOLLOW + RUN, str(theirs), "", str(job.program), *job.arguments],
            cwd=job.work,
            env=clean_environment(job),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(theirs,),
        )
        assert process.stdout is not None
        try:
            status = _watch(process, process.stdout.fileno(), output, job, started, stop)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(GRACE)
            process.stdout.close()
        code = process.returncode
        status = status or ("ok" if code == 0 else "error" if code > 0 else "crash")
        return SandboxResult(status, code, output.text(), time.monotonic() - started)


def _watch(
    process: subprocess.Popen[bytes],
    pipe: int,
    output: Output,
    job: SandboxJob,
    started: float,
    stop: threading.Event | None,
) -> Status | None:
    """Take what the process says until it ends; the limit that it met, or None."""
    os.set_blocking(pipe, False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            if selector.select(0 if ended else POLL):
                chunk = os.read(pipe, 1 << 16)
                output.add(chunk)
                if chunk and output.total <= job.output_mb * 1e6:
                    ended = False
                elif not chunk:
                    time.sleep(0 if ended else POLL)
            if output.total > job.output_mb * 1e6:
                return "output"
            if ended:
                return None
            if time.monotonic() - started > job.seconds:
                return "timeout"
            if stop is not None and stop.is_set():
                return "stopped"
