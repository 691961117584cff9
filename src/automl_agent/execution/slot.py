"""One place in a pool of workers: takes jobs from the queue, one at a time, and watches the process that does them."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from queue import Empty, PriorityQueue
from typing import Any

from automl_agent.errors import JobError
from automl_agent.execution.nursery import SUPPORTED, Nursery, NurseryGone
from automl_agent.execution.process import WorkerGone, WorkerProcess, environment, interpreter
from automl_agent.execution.protocol import Job
from automl_agent.execution.scratch import Scratch
from automl_agent.execution.storage import of_storage
from automl_agent.execution.worker import SHARED

_START_GRACE = 60.0
"""Seconds that a worker may take to start and warm up; they do not count as a job's time."""
_CHECK = 0.2
"""Seconds between looks at the memory of a job, and at whether it is still wanted."""
GRACE = 1.5
"""Seconds in which a job that is no longer wanted may still end: less than its worker's successor takes to start."""


class JobFuture(Future[dict[str, Any]]):
    """The future of a job. `cancel` stops a running job too, if it does not end within `GRACE` seconds: it then raises
    `JobError` of kind `cancelled`."""

    def __init__(self) -> None:
        super().__init__()
        self.unwanted: float | None = None
        """`time.monotonic()` at which it was cancelled."""

    def cancel(self) -> bool:
        """Drop the job. As ever, true only when it had not begun."""
        if super().cancel():
            return True
        self.unwanted = self.unwanted or time.monotonic()
        return False


@dataclass(frozen=True, eq=False)
class Task:
    """A queued job, of the epoch in which it was submitted: `cancel` of the pool begins a new one."""

    job: Job
    future: JobFuture
    epoch: int
    again: bool = False
    """Whether it had begun before, in a worker that the system killed."""


@dataclass
class Board:
    """What the slots of a pool share. Holds no reference to the pool, so that a forgotten pool is collected."""

    preload: tuple[str, ...]
    idle_seconds: float
    _tasks: PriorityQueue[tuple[bool, int, Task | None]] = field(default_factory=PriorityQueue)
    _numbers: count[int] = field(default_factory=count)
    lock: threading.RLock = field(default_factory=threading.RLock)
    epoch: int = 0
    started: bool = False
    closed: bool = False
    owner: int = field(default_factory=os.getpid)
    places: int = 1
    """Slots that take jobs."""
    killed: int = 0
    """Jobs whose worker was killed from outside."""
    _nursery: Nursery | None = None
    _scratch: Scratch | None = None
    """Holds the temporary files of all workers: a killed one leaves them."""
    _workers: int = 0
    _birth: threading.Lock = field(default_factory=threading.Lock)

    def put(self, task: Task | None) -> None:
        """Queue a task, or `None`, which ends the slot that takes it."""
        self._tasks.put((not (task and task.job.ahead), next(self._numbers), task))

    def take(self) -> Task | None:
        """The next task: those that go ahead first, else first in, first out.

        Raises:
            Empty: there was none for `idle_seconds`.
        """
        return self._tasks.get(timeout=self.idle_seconds)[-1]

    def worker(self, packages: Collection[str] = ()) -> WorkerProcess:
        """A new worker, which has imported `packages` where workers are forked.

        Raises:
            JobError: the pool was closed.
        """
        for _ in range(2 if SUPPORTED else 0):  # a nursery may be killed like any process: by the system, for memory
            with contextlib.suppress(NurseryGone):
                return self._counted(WorkerProcess.forked(self.nursery(), packages))
            if self.closed:
                raise cancelled()
        with self._birth:
            place = self._place()
        return self._counted(WorkerProcess.started(place, self.preload))

    def nursery(self) -> Nursery:
        """The process that forks workers, started where there is none.

        Raises:
            NurseryGone: the pool was closed.
        """
        with self._birth:
            if self.closed:
                raise NurseryGone
            if self._nursery is None or not self._nursery.alive:
                self._end_nursery()
                self._nursery = Nursery(interpreter(), self.preload, environment(self._place()))
            return self._nursery

    def ended(self) -> None:
        """One worker less."""
        with self._birth:
            self._workers -= 1

    def put_back(self, task: Task) -> bool:
        """Have a job done once more whose worker was killed; `False` where that happened before."""
        with self.lock:
            self.killed += 1
            if task.again or self.closed:
                return False
            self.put(replace(task, again=True))
            return True

    def give_up_place(self) -> bool:
        """Work with one slot less from now on, where there are others."""
        with self.lock:
            fewer = self.places > 1
            self.places -= fewer
            return fewer

    def rest(self) -> None:
        """Nobody needs a worker for the moment: without any, the nursery ends."""
        with self._birth:
            if self.closed or self._workers == 0:
                self._end_nursery()

    def clear(self) -> None:
        """Remove the temporary files, once all workers have ended."""
        with self._birth:
            if self._scratch is not None:
                self._scratch.close()

    def _place(self) -> Path:
        self._scratch = self._scratch or Scratch()
        return self._scratch.path

    def _counted(self, worker: WorkerProcess) -> WorkerProcess:
        with self._birth:
            self._workers += 1
        return worker

    def _end_nursery(self) -> None:
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            nursery.close()


class _NeverBegan(JobError):
    """A crash before the job had begun."""


class Slot:
    """One place in a pool: a thread, and at most one worker process."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._lock = threading.RLock()
        self._worker: WorkerProcess | None = None
        self._task: Task | None = None
        self._doom: JobError | None = None
        """Why the worker was killed, when we did it."""
        self._began = False
        """Whether the worker has begun the job."""
        self._imported: set[str] = set()
        """What the worker was forked with, of `SHARED`; those after it are, too."""
        self._count = 0
        self.thread = threading.Thread(target=self._serve, name="automl-worker", daemon=True)

    def prepare(self) -> None:
        """Start the worker ahead of the first job. Returns at once; it warms up by itself."""
        with self._lock:
            if not self.board.closed:
                self._ready_worker()

    def stop(self) -> None:
        """Kill the running job if all jobs were cancelled; end an idle worker, but where another one takes long to
        start."""
        with self._lock:
            if self._task and self._worker and self._task.epoch < self.board.epoch:
                self._kill(self._worker, cancelled())
            elif self.board.closed or SUPPORTED:
                self._retire()

    def _serve(self) -> None:
        while True:
            try:
                task = self.board.take()
            except Empty:
                self._retire()
                self.board.rest()
                continue
            if task is None:
                self._retire()
                return
            killed = (task.again or task.future.set_running_or_notify_cancel()) and _settle(self, task)
            del task  # a waiting thread must not keep the last result alive
            if killed and self.board.give_up_place():  # the system has too little memory for so many workers
                self._retire()
                return

    def run(self, task: Task) -> dict[str, Any]:
        """Run a job in the worker, within its limits.

        Raises:
            JobError: when it failed, was killed or cancelled.
        """
        if task.job.timeout is not None and task.job.timeout <= 0:
            raise JobError(f"No time was left for {task.job.call}.", "timeout")
        try:
            return self._attempt(task)
        except _NeverBegan:  # its worker was killed by somebody else while it was idle
            return self._attempt(task)

    def _attempt(self, task: Task) -> dict[str, Any]:
        with self._lock:
            if task.future.unwanted or task.epoch < self.board.epoch:
                raise cancelled()
            worker = self._ready_worker(task.job.imports)
            self._task, self._doom, self._began = task, None, False
        try:
            return _result(task.job, self._watch(worker, task))
        except WorkerGone:
            kind = JobError if self._began else _NeverBegan
            how = worker.close()
            raise self._doom or kind(f"{task.job.call}: {how}", "killed" if worker.was_killed else "crash") from None
        finally:
            with self._lock:
                self._task = None
                if self._doom or not worker.alive or task.job.ends:
                    self._retire()

    def _watch(self, worker: WorkerProcess, task: Task) -> dict[str, Any]:
        """Send a job and wait for its answer; kill the worker when the job outgrows its time or memory, and some time
        after nobody wants its answer any more."""
        job = task.job
        self._count += 1
        worker.send({"id": self._count, "call": job.call, "arguments": job.arguments})
        limit = float("inf") if job.timeout is None else job.timeout
        deadline = time.monotonic() + limit + _START_GRACE
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self._kill(worker, JobError(f"{job.call} took longer than {limit:g} s.", "timeout"))
            if task.future.unwanted and time.monotonic() > task.future.unwanted + GRACE:
                self._kill(worker, cancelled())
            for message in worker.receive(min(max(left, 0.01), _CHECK)):
                if message["id"] != self._count:
                    continue
                if "started" not in message:
                    return message
                self._began = True
                deadline = time.monotonic() + limit
            if job.memory_mb and (used := worker.resident_mb()) > job.memory_mb:
                text = f"{job.call} used {used:.0f} MB of memory, more than {job.memory_mb:g} MB."
                self._kill(worker, JobError(text, "memory"))

    def _kill(self, worker: WorkerProcess, reason: JobError) -> None:
        with self._lock:
            self._doom = self._doom or reason
            worker.kill()

    def _ready_worker(self, imports: Collection[str] = ()) -> WorkerProcess:
        missing = {package for package in imports if package in SHARED} - self._imported
        if self._worker and (not self._worker.alive or (missing and SUPPORTED)):  # killed while it was idle, or
            self._retire()  # one forked now shares the memory of these imports with the others
        if self._worker is None:
            self._imported |= missing
            self._worker = self.board.worker(self._imported)
        return self._worker

    def _retire(self) -> None:
        with self._lock:
            if self._worker and not self._task:
                self._worker.close()
                self._worker = None
                self.board.ended()


def _settle(slot: Slot, task: Task) -> bool:
    """Run a task and hand its outcome to the future: nothing that goes wrong may end the slot's thread.

    Returns:
        Whether the worker was killed from outside.
    """
    try:
        result = slot.run(task)
    except JobError as error:
        killed = error.kind == "killed"
        if not (killed and slot.board.put_back(task)):
            task.future.set_exception(error)
        return killed
    except Exception as error:
        kind = "storage" if of_storage(error) else "crash"
        task.future.set_exception(JobError(f"{task.job.call} could not be run: {error}", kind))
    else:
        task.future.set_result(result)
    return False


def _result(job: Job, answer: dict[str, Any]) -> dict[str, Any]:
    if "result" in answer:
        result: dict[str, Any] = answer["result"]
        return result
    error = answer["error"]
    kind = "memory" if error["type"] == "MemoryError" else "storage" if error.get("storage") else "error"
    failure = JobError(f"{error['type']}: {error['message']}", kind)
    failure.add_note(f"In the worker, {job.call}:\n{error['traceback']}")
    raise failure


def cancelled() -> JobError:
    return JobError("The job was cancelled.", "cancelled")
