"""`python -m automl_agent.execution.sandbox.warden`: a process that starts one program, watches it, and ends it all.

It is the subreaper of whatever the program starts (PR_SET_CHILD_SUBREAPER of prctl(2)), so nothing escapes by forking
twice. The order comes as the first line of standard input. That the input ends, because the host closes it or dies,
means that nobody waits any more. The answer is one line on standard output.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from automl_agent.execution import scratch
from automl_agent.execution.sandbox import handover, processes
from automl_agent.execution.sandbox.kernel import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, prctl
from automl_agent.execution.sandbox.meter import POLL, Meter
from automl_agent.execution.sandbox.order import SETUP_FAILED, Order, result_line
from automl_agent.execution.sandbox.output import Output
from automl_agent.execution.sandbox.protocol import SandboxResult, Status

SHIM = "automl_agent.execution.sandbox.shim"
_STDIN = 0
_CHUNK = 1 << 16
_SIGNALLED = 128
"""Bubblewrap exits with this and the signal's number."""


def main() -> None:
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_DUMPABLE, 0)  # nobody reads our memory or environment in /proc
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # where another process keeps our input open
    try:
        result = _carry_out(Order.of(sys.stdin.buffer.readline()))
    except Exception:
        result = SandboxResult("crash", output=traceback.format_exc())
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), result_line(result))


def _carry_out(order: Order) -> SandboxResult:
    parent_died = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: parent_died.set())
    with handover.to_nobody(order.work) if order.nobody else handover.kept_accessible(order.work):
        result = _Run(order, parent_died).result()
    if (
        result.status == "stopped"
    ):  # the host may be dead: then it does not clear the place that the work folder lies in
        scratch.clear_dead(Path(order.work).parent.parent)
    return result


class _Run:
    """One program, from its start to the end of all its processes."""

    def __init__(self, order: Order, parent_died: threading.Event) -> None:
        self._order = order
        self._parent_died = parent_died
        self._output = Output()
        self._meter = Meter(order)
        self._started = time.monotonic()
        self._code: int | None = None
        self._main = subprocess.Popen(
            [*order.wrapper, sys.executable, "-s", "-P", "-m", SHIM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=order.work,
            env=order.environment,
            start_new_session=True,
        )

    def result(self) -> SandboxResult:
        assert self._main.stdin is not None and self._main.stdout is not None
        status: Status | None = None
        try:
            with contextlib.suppress(BrokenPipeError):  # then its output says why
                self._main.stdin.write(self._order.line())
                self._main.stdin.close()
            status = self._watch(self._main.stdout.fileno())
        finally:
            all_gone = processes.kill_below(os.getpid(), self._reap)
        self._drain(self._main.stdout.fileno())
        status = status or self._meter.disk_exceeded() or self._how_it_ended()
        return SandboxResult(
            status if all_gone else "crash",
            self._code if status in ("ok", "error", "crash") else None,
            self._output.text(),
            time.monotonic() - self._started,
            self._meter.peak / 1e6,
        )

    def _watch(self, pipe: int) -> Status | None:
        """The limit that ends the run, or None when the program ended by itself."""
        with selectors.DefaultSelector() as selector:
            ended = os.pidfd_open(self._main.pid)
            try:
                for file in (_STDIN, pipe, ended):
                    selector.register(file, selectors.EVENT_READ)
                while True:
                    ready = {key.fd for key, _ in selector.select(POLL)}
                    if pipe in ready and not self._take(pipe):
                        selector.unregister(pipe)
                    if self._output.total > self._order.output:
                        return "output"
                    if time.monotonic() - self._started > self._order.seconds:
                        return "timeout"
                    if _STDIN in ready or self._parent_died.is_set():
                        return "stopped"
                    if met := self._meter.exceeded():
                        return met
                    self._reap()
                    if self._code is not None:
                        return None
            finally:
                os.close(ended)

    def _take(self, pipe: int) -> bool:
        """Read what stands in the pipe; false at its end."""
        chunk = os.read(pipe, _CHUNK)
        self._output.add(chunk)
        return bool(chunk)

    def _drain(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        with contextlib.suppress(BlockingIOError):
            while self._take(pipe):
                pass

    def _reap(self) -> bool:
        """Take the statuses of children that have ended; false when there are no children."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not process:
                return True
            if process == self._main.pid and self._code is None:
                self._code = self._main.returncode = os.waitstatus_to_exitcode(status)

    def _how_it_ended(self) -> Status:
        code = self._code
        if code is not None and self._order.wrapper and code > _SIGNALLED:
            code = self._code = _SIGNALLED - code
        if code == 0:
            return "ok"
        return "crash" if code is None or code < 0 or code == SETUP_FAILED else "error"


if __name__ == "__main__":
    main()
