"""One worker process as its host sees it: start, talk, measure, kill."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, cast

from automl_agent.errors import ConfigurationError
from automl_agent.execution.nursery import ForkedProcess, Nursery

WORKER = "automl_agent.execution.worker"

ONE_THREAD = {
    # One thread a trial and parallel trials; spinning OpenMP threads cost ten times the work on a busy machine.
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",
    # The order of sets must not change from one training to the next.
    "PYTHONHASHSEED": "0",
}

_LOG_BYTES = 16_384
_ALIVE_CHECK = 1.0
_WARM = 0
"""Number of the warm-up job; nobody waits for its answer."""


class WorkerGone(Exception):
    """The worker has ended; its pipes hold nothing more."""


class WorkerProcess:
    """A worker and its pipes. One thread at a time may use it, except `kill`, which any thread may call.

    The worker leads a session of its own: a Ctrl-C in the terminal reaches the host only, and killing the group
    reaches whatever the worker has started.
    """

    def __init__(self, process: subprocess.Popen[bytes] | ForkedProcess, pipes: tuple[FileIO, FileIO, FileIO]) -> None:
        """`pipes` are our ends of its standard input, output and error, unbuffered."""
        self._process = process
        self._stdin, self._stdout, self._stderr = pipes
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        self._rest = b""
        self._log = b""
        self._strangers: set[str] = set()
        """Ids of processes that were seen outside our group, so that each is looked at once."""

    @classmethod
    def started(cls, scratch: Path, preload: Sequence[str] = ()) -> WorkerProcess:
        """A new interpreter, which imports while nobody waits; its temporary files go to `scratch`."""
        process = subprocess.Popen(
            [interpreter(), "-P", "-m", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env=environment(scratch),
        )
        worker = cls(process, cast(tuple[FileIO, FileIO, FileIO], (process.stdin, process.stdout, process.stderr)))
        if preload:
            with contextlib.suppress(WorkerGone):  # whoever waits for an answer finds out
                worker.send({"id": _WARM, "call": f"{WORKER}:warm", "arguments": {"modules": list(preload)}})
        return worker

    @classmethod
    def forked(cls, nursery: Nursery, packages: Collection[str] = ()) -> WorkerProcess:
        """A fork of a process that has imported everything, and `packages`.

        Raises:
            NurseryGone: there is none to fork.
        """
        pairs = [os.pipe() for _ in range(3)]
        theirs = [pairs[0][0], pairs[1][1], pairs[2][1]]
        pipes = (FileIO(pairs[0][1], "wb"), FileIO(pairs[1][0], "rb"), FileIO(pairs[2][0], "rb"))
        try:
            return cls(nursery.fork(theirs, packages), pipes)
        except BaseException:
            for pipe in pipes:
                pipe.close()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it: the system's, for want of memory, unless `kill` was called."""
        return self._process.poll() == -signal.SIGKILL

    def send(self, message: dict[str, Any]) -> None:
        """Write one line to the worker.

        Raises:
            WorkerGone: when it no longer reads.
        """
        data = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while data:
                data = data[self._stdin.write(data) or 0 :]
        except OSError as error:
            raise WorkerGone from error

    def receive(self, wait: float) -> list[dict[str, Any]]:
        """The messages that arrive within `wait` seconds; returns with the first ones.

        Raises:
            WorkerGone: when the worker has ended.
        """
        ready = [key.fileobj for key, _ in self._selector.select(min(wait, _ALIVE_CHECK))]
        if self._stderr in ready:
            self._read_log()
        if self._stdout in ready:
            chunk = os.read(self._stdout.fileno(), 1 << 16)
            if not chunk:
                raise WorkerGone
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            return [json.loads(line) for line in lines]
        if not ready and not self.alive:  # a child that it forked may hold the pipe open
            raise WorkerGone
        return []

    def kill(self) -> None:
        """Kill the worker and all processes of its group. It is gone soon, not at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> str:
        """Kill the worker, wait for its end, free its pipes. Says in words how it ended."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        if not self._stderr.closed:
            os.set_blocking(self._stderr.fileno(), False)
            with contextlib.suppress(BlockingIOError):
                while self._read_log():
                    pass
        self._selector.close()
        for pipe in (self._stdin, self._stdout, self._stderr):
            pipe.close()
        return self._epitaph()

    def resident_mb(self) -> float:
        """Resident memory of the worker's process group in MB; 0 where there is no `/proc`, so limits do not bind."""
        pages = 0
        for folder in Path("/proc").glob("[0-9]*"):
            if folder.name in self._strangers:
                continue
            with contextlib.suppress(OSError, IndexError):  # processes end while we look
                if (folder / "stat").read_text().rpartition(")")[2].split()[2] == str(self.pid):
                    pages += int((folder / "statm").read_text().split()[1])
                else:
                    self._strangers.add(folder.name)
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _read_log(self) -> bool:
        """Take what stands in standard error, keep its tail; false at its end."""
        chunk = os.read(self._stderr.fileno(), 1 << 16)
        self._log = (self._log + chunk)[-_LOG_BYTES:]
        if not chunk:
            with contextlib.suppress(KeyError):
                self._selector.unregister(self._stderr)
        return bool(chunk)

    def _epitaph(self) -> str:
        code = self._process.returncode
        if code is None:
            how = "does not end"
        elif code < 0:
            how = f"was killed by signal {-code} ({signal.strsignal(-code)})"
        else:
            how = f"ended with status {code}"
        log = self._log.decode(errors="replace").strip()
        return f"The worker {how}." + (f" Its last words:\n{log[-2000:]}" if log else "")


def interpreter() -> str:
    """
    Raises:
        ConfigurationError: inside a program that embeds Python and has none.
    """
    if not sys.executable:
        raise ConfigurationError("Workers need a Python interpreter, and sys.executable is not set.")
    return sys.executable


def environment(scratch: Path) -> dict[str, str]:
    """The environment of a worker: the host's, our thread settings, the host's import path in the same order, and a
    place for temporary files that the worker need not clear."""
    path = [str(Path(entry).absolute()) for entry in sys.path if os.pathsep not in entry]
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)), "TMPDIR": str(scratch)}
