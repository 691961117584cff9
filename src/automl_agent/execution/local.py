"""Runs jobs in worker processes of this machine.

A pool has `size` slots. A slot is a thread that takes jobs from the pool's queue, one at a time, and gives each to its
worker process, which it starts on demand, watches, and ends when it has been idle. Nothing of the host is touched: no
environment variable, no signal, no logging.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from automl_agent.execution.nursery import SUPPORTED, NurseryGone
from automl_agent.execution.protocol import Job
from automl_agent.execution.slot import Board, JobFuture, Slot, Task, cancelled
from automl_agent.execution.worker import PRELOAD


class LocalPool:
    """The workers of one run (see `protocol.Pool`). Threads may share it; jobs run first in, first out,
    but for those that go ahead."""

    def __init__(self, size: int, *, preload: Sequence[str] = PRELOAD, idle_seconds: float = 120.0) -> None:
        self._board = Board(tuple(preload), idle_seconds, places=max(1, size))
        self._slots = [Slot(self._board) for _ in range(self.size)]
        # Runs when the pool is closed, forgotten, or the interpreter ends, whatever comes first, and only once.
        self._finalizer = weakref.finalize(self, _close, self._board, self._slots)

    @property
    def size(self) -> int:
        """Number of jobs that run at once: one less each time that the system killed a worker."""
        return self._board.places

    @property
    def killed(self) -> int:
        """Jobs that were begun again, or given up, because the system had killed their worker."""
        return self._board.killed

    def prepare(self) -> None:
        """Let the heavy libraries be imported while the host does something else."""
        self._start_threads()
        if SUPPORTED:
            with contextlib.suppress(NurseryGone):  # closed meanwhile
                self._board.nursery()
            return
        for slot in self._slots:
            slot.prepare()

    def submit(self, job: Job) -> Future[dict[str, Any]]:
        """Queue a job. The future raises `JobError`.

        Cancelling the future drops a queued job, and stops a running one. A pool that was closed meanwhile gives a
        cancelled job, so that late threads of a run end in good order.
        """
        future = JobFuture()
        self._start_threads()
        with self._board.lock:
            if not self._board.closed:
                self._board.put(Task(job, future, self._board.epoch))
                return future
        future.set_exception(cancelled())
        return future

    def cancel(self) -> None:
        """Drop queued jobs, kill running ones, and end idle workers where others are forked at once; the pool stays
        usable."""
        _next_epoch(self._board, self._slots)

    @property
    def closed(self) -> bool:
        return self._board.closed

    def close(self) -> None:
        """End all workers. Idempotent."""
        self._finalizer()

    def _start_threads(self) -> None:
        with self._board.lock:
            if not self._board.started and not self._board.closed:
                self._board.started = True
                for slot in self._slots:
                    slot.thread.start()


class LocalExecutor:
    """Gives each run a pool of worker processes on this machine (see `protocol.Executor`)."""

    def __init__(self, *, preload: Sequence[str] = PRELOAD, idle_seconds: float = 120.0) -> None:
        """
        Args:
            preload: Modules that a worker imports when it starts.
            idle_seconds: A worker without a job for so long is ended; the next job starts another.
        """
        self._preload = tuple(preload)
        self._idle_seconds = idle_seconds
        self._lock = threading.RLock()
        self._pools: dict[str, LocalPool] = {}

    def pool(self, run_id: str, size: int) -> LocalPool:
        """The pool of a run, made on first use; the same object for the same run until it is released."""
        with self._lock:
            pool = self._pools.get(run_id)
            if pool is None or pool.closed:
                pool = LocalPool(size, preload=self._preload, idle_seconds=self._idle_seconds)
                self._pools[run_id] = pool
            return pool

    def release(self, run_id: str) -> None:
        """Close the pool of a run, if there is one."""
        with self._lock:
            pool = self._pools.pop(run_id, None)
        if pool is not None:
            pool.close()


def _next_epoch(board: Board, slots: list[Slot]) -> None:
    """Drop all that was submitted so far."""
    with board.lock:
        board.epoch += 1
    for slot in slots:
        slot.stop()


def _close(board: Board, slots: list[Slot]) -> None:
    if os.getpid() != board.owner:  # a fork of the host: the workers are not its own
        return
    with board.lock:
        board.closed = True
        for _ in slots:
            board.put(None)
    board.rest()
    _next_epoch(board, slots)
    for slot in slots:
        if slot.thread.is_alive() and slot.thread is not threading.current_thread():
            with contextlib.suppress(RuntimeError):
                slot.thread.join(timeout=2)
    board.clear()
