"""Workers on a socket: the least that runs jobs elsewhere, to prove the contract that a cluster implements.

`python tests/remote_executor.py` serves workers on a free port of this machine and prints it; `SocketExecutor` is the
other end. As with any cluster, both see the same folders. A connection is one worker: a line of JSON is a job, and a
line the answer; whoever closes the connection ends the job.
"""

from __future__ import annotations

import contextlib
import json
import queue
import select
import socket
import socketserver
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from automl_agent.errors import JobError
from automl_agent.execution.local import LocalPool
from automl_agent.execution.protocol import Job

CONNECT_TIMEOUT = 60.0

# ---------------------------------------------------------------- where the work is done


class _Worker(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        pool = LocalPool(1)
        try:
            for line in self.rfile:
                future = pool.submit(Job(**json.loads(line)))
                while not future.done():
                    if select.select([self.connection], [], [], 0.02)[0]:  # nothing is sent before the answer: closed
                        return
                error = future.exception()
                kind = error.kind if isinstance(error, JobError) else "crash"
                answer = {"error": str(error), "kind": kind} if error else {"result": future.result()}
                self.wfile.write(json.dumps(answer).encode() + b"\n")
        finally:
            pool.close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def serve() -> None:
    """Serve until standard input is closed."""
    with _Server(("127.0.0.1", 0), _Worker) as server:
        print(server.server_address[1], flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        server.shutdown()


# ---------------------------------------------------------------- where the search is


class SocketPool:
    """The workers of one run: `size` connections, each with a thread that takes jobs from one queue."""

    def __init__(self, port: int, size: int) -> None:
        self.size = size
        self._port = port
        self._jobs: queue.SimpleQueue[tuple[Job, Future[dict[str, Any]]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._connections: dict[int, tuple[socket.socket, Any]] = {}
        self._stale: set[int] = set()
        """Slots whose connection was ended by `cancel`."""
        self._dropped: set[Future[dict[str, Any]]] = set()
        self._open: set[Future[dict[str, Any]]] = set()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, args=(slot,), daemon=True) for slot in range(size)]
        for thread in self._threads:
            thread.start()

    def prepare(self) -> None:
        """Workers start when their first job comes."""

    def submit(self, job: Job) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(JobError("The job was cancelled.", "cancelled"))
                return future
            self._open.add(future)
        self._jobs.put((job, future))
        return future

    def cancel(self) -> None:
        with self._lock:
            self._dropped |= self._open
            self._stale |= set(self._connections)
            for connection, _ in self._connections.values():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.cancel()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(5)

    def _work(self, slot: int) -> None:
        while (item := self._jobs.get()) is not None:
            job, future = item
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(self._ask(slot, job, future))
                except JobError as error:
                    future.set_exception(error)
            with self._lock:
                self._open.discard(future)
                self._dropped.discard(future)
        self._hang_up(slot)

    def _ask(self, slot: int, job: Job, future: Future[dict[str, Any]]) -> dict[str, Any]:
        if slot in self._stale:
            self._hang_up(slot)
        try:
            with self._lock:
                if future in self._dropped:
                    raise JobError("The job was cancelled.", "cancelled")
                if slot not in self._connections:
                    connection = socket.create_connection(("127.0.0.1", self._port), CONNECT_TIMEOUT)
                    connection.settimeout(None)
                    self._connections[slot] = connection, connection.makefile("rb")
                connection, answers = self._connections[slot]
            told = {"call": job.call, "arguments": job.arguments, "timeout": job.timeout, "memory_mb": job.memory_mb}
            connection.sendall(json.dumps(told).encode() + b"\n")
            line = answers.readline()
        except OSError:
            line = b""
        if not line:
            self._hang_up(slot)
            kind = "cancelled" if future in self._dropped else "crash"
            raise JobError("The job was cancelled." if kind == "cancelled" else "The worker is gone.", kind)
        answer = json.loads(line)
        if "error" in answer:
            raise JobError(answer["error"], answer["kind"])
        result: dict[str, Any] = answer["result"]
        return result

    def _hang_up(self, slot: int) -> None:
        with self._lock:
            connection, answers = self._connections.pop(slot, (None, None))
            self._stale.discard(slot)
        if connection is not None and answers is not None:
            answers.close()
            connection.close()


class SocketExecutor:
    """Gives each run connections to one server, which it starts and ends (a context manager)."""

    def __enter__(self) -> SocketExecutor:
        command = [sys.executable, str(Path(__file__).resolve())]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.server.stdout is not None
        self._port = int(self.server.stdout.readline())
        self._pools: dict[str, SocketPool] = {}
        return self

    def __exit__(self, *_: object) -> None:
        for run_id in list(self._pools):
            self.release(run_id)
        self.server.communicate(timeout=20)

    def pool(self, run_id: str, size: int) -> SocketPool:
        if run_id not in self._pools:
            self._pools[run_id] = SocketPool(self._port, size)
        return self._pools[run_id]

    def release(self, run_id: str) -> None:
        pool = self._pools.pop(run_id, None)
        if pool is not None:
            pool.close()


if __name__ == "__main__":
    serve()
