"""Where workers come from on Linux: a process that has imported the heavy libraries, and forks.

A worker is then there in milliseconds, also in place of one that was killed, and what was imported is in memory once,
however many workers there are. The nursery itself runs no job and no thread, so that a fork finds nothing half done.
Elsewhere every worker is started and imports by itself (`process.py`).

    host → nursery   b"fork PACKAGE…" with three descriptors, which become the worker's 0, 1 and 2; first it imports
                     these packages, as far as it has not
    nursery → host   the worker's pid
    host → nursery   b"reap PID", of one that has ended
    nursery → host   its exit status, as of `subprocess`
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from automl_agent.execution import scratch, worker

SUPPORTED = sys.platform == "linux" and hasattr(os, "pidfd_open") and hasattr(socket, "recv_fds")
START_TIMEOUT = 60.0
"""Seconds that imports may take."""
REAP_TIMEOUT = 10.0
_CLEAR_TIMEOUT = 10.0
_MESSAGE = 64
_PARENT_CHECK = 1.0


class NurseryGone(Exception):
    """The nursery has ended, or was closed."""


class Nursery:
    """The host's side. Threads may share it."""

    def __init__(self, interpreter: str, preload: Sequence[str], environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [interpreter, "-P", "-m", __name__, str(theirs.fileno()), *preload],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=dict(environment),
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def fork(self, descriptors: Sequence[int], packages: Collection[str] = ()) -> ForkedProcess:
        """A new worker with these descriptors for 0, 1 and 2; waits until the libraries and `packages` are imported.

        Raises:
            NurseryGone: it has ended, or did not get ready within `START_TIMEOUT`.
        """
        pid = int(self._ask(" ".join(("fork", *packages)).encode(), START_TIMEOUT, descriptors))
        return ForkedProcess(self, pid)

    def reap(self, pid: int) -> int:
        """Exit status of a worker that has ended; that of a killed one where the nursery is gone, too."""
        try:
            return int(self._ask(b"reap %d" % pid, REAP_TIMEOUT))
        except NurseryGone:
            return -signal.SIGKILL

    def close(self) -> None:
        """End the nursery, not its workers: these end when their pipes are closed. Idempotent."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        with self._lock:
            self._socket.close()

    def _ask(self, question: bytes, timeout: float, descriptors: Sequence[int] = ()) -> bytes:
        with self._lock:
            try:
                self._socket.settimeout(timeout)
                socket.send_fds(self._socket, [question], descriptors)
                answer = self._socket.recv(_MESSAGE)
            except OSError as error:
                self._process.kill()  # a late answer would be taken for that to the next question
                raise NurseryGone from error
        if not answer:
            raise NurseryGone
        return answer


class ForkedProcess:
    """A worker that the nursery forked, as far as `subprocess.Popen` is needed of one."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._handle = -1
            self.returncode = nursery.reap(pid)

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._handle], [], [], 0)[0]:
            self._ended()
        return self.returncode

    def wait(self, timeout: float) -> int | None:
        """
        Raises:
            subprocess.TimeoutExpired: it has not ended by then.
        """
        if self.returncode is None:
            if not select.select([self._handle], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._ended()
        return self.returncode

    def _ended(self) -> None:
        self.returncode = self._nursery.reap(self.pid)
        os.close(self._handle)


# ---------------------------------------------------------------- the nursery's side


def main() -> None:
    """Import, then fork on demand until the host is gone, and clear up after it."""
    control = socket.socket(fileno=int(sys.argv[1]))
    host = os.getppid()
    worker.warm(sys.argv[2:])
    _keep_shared()
    workers: set[int] = set()
    while os.getppid() == host:
        if not select.select([control], [], [], _PARENT_CHECK)[0]:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, 3)
        if not message:
            break
        what, *words = message.decode().split()
        if what == "fork":
            _import(words)
            workers.add(pid := _fork(control, descriptors))
            control.send(b"%d" % pid)
        else:
            pid, status = os.waitpid(int(words[0]), 0)
            workers.discard(pid)
            control.send(b"%d" % os.waitstatus_to_exitcode(status))
    _clear_up(workers)


def _clear_up(workers: set[int]) -> None:
    """End the workers of a host that was killed, and remove its temporary files once these are gone.

    A fork of the host, if one lives, holds these files: then they stay.
    """
    deadline = time.monotonic() + _CLEAR_TIMEOUT
    ours = Path(tempfile.gettempdir())  # the folder that the host held
    while time.monotonic() < deadline and (_living(workers) or ours.exists()):
        if not workers:
            scratch.clear_dead(ours.parent)
        time.sleep(0.05)


def _living(workers: set[int]) -> bool:
    """Kill the workers, and take out those that have ended; whether any is left."""
    for pid in list(workers):
        with contextlib.suppress(ProcessLookupError):  # it does not lead its group yet
            os.killpg(pid, signal.SIGKILL)
        if os.waitpid(pid, os.WNOHANG)[0]:
            workers.discard(pid)
    return bool(workers)


def _import(packages: Sequence[str]) -> None:
    missing = [package for package in packages if package not in sys.modules]
    for package in missing:
        with contextlib.suppress(Exception):  # a broken package: the job that needs it says so
            importlib.import_module(package)
    if missing:
        _keep_shared()


def _keep_shared() -> None:
    """What a collection never touches stays shared with the workers."""
    gc.collect()
    gc.freeze()


def _fork(control: socket.socket, descriptors: Sequence[int]) -> int:
    pid = os.fork()
    if pid:
        for descriptor in descriptors:
            os.close(descriptor)
        return pid
    try:
        control.close()
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        for descriptor in descriptors:
            if descriptor > 2:
                os.close(descriptor)
        worker.main()
    finally:
        os._exit(1)  # never back into the nursery's loop


if __name__ == "__main__":
    main()
