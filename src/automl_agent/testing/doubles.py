"""Doubles of what a graph is given: small, honest, and without processes or stores."""

from __future__ import annotations

import importlib
import json
import threading
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from automl_agent.errors import JobError
from automl_agent.execution.protocol import Job
from automl_agent.records import Note
from automl_agent.tasks.candidate import holds


class InlineExecutor:
    """Runs jobs in threads of this process: quick to start, and a debugger can step into them.

    It keeps no limits: threads cannot be killed, so `Job.timeout` and `Job.memory_mb` are ignored and `cancel` only
    drops what has not started.
    """

    def __init__(self) -> None:
        self._pools: dict[str, InlinePool] = {}
        self._lock = threading.Lock()

    def pool(self, run_id: str, size: int) -> InlinePool:
        with self._lock:
            return self._pools.setdefault(run_id, InlinePool(size))

    def release(self, run_id: str) -> None:
        with self._lock:
            pool = self._pools.pop(run_id, None)
        if pool is not None:
            pool.close()


class InlinePool:
    """The threads of one run (see `execution.protocol.Pool`). Results cross as JSON, as they do between processes."""

    def __init__(self, size: int) -> None:
        self.size = max(1, size)
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="inline")
        self._queued: set[Future[dict[str, Any]]] = set()
        self._closed = False

    def prepare(self) -> None:
        """Threads need no start."""

    def submit(self, job: Job) -> Future[dict[str, Any]]:
        outcome: Future[dict[str, Any]] = Future()
        if self._closed:
            outcome.set_exception(JobError("The job was cancelled.", "cancelled"))
            return outcome
        self._queued.add(outcome)
        self._threads.submit(self._run, job, outcome)
        return outcome

    def cancel(self) -> None:
        for outcome in list(self._queued):
            if outcome in self._queued:
                self._queued.discard(outcome)
                if outcome.set_running_or_notify_cancel():  # false where the caller has cancelled it
                    outcome.set_exception(JobError("The job was cancelled.", "cancelled"))

    def close(self) -> None:
        self._closed = True
        self.cancel()
        self._threads.shutdown(wait=False)

    def _run(self, job: Job, outcome: Future[dict[str, Any]]) -> None:
        try:
            self._queued.remove(outcome)
        except KeyError:  # cancelled meanwhile
            return
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            module, _, name = job.call.partition(":")
            function = getattr(importlib.import_module(module), name)
            result = json.loads(json.dumps(function(**json.loads(json.dumps(job.arguments)))))
        except Exception as error:
            failure = JobError(f"{type(error).__name__}: {error}", "error")
            failure.add_note(f"In {job.call}:\n{traceback.format_exc()}")
            outcome.set_exception(failure)
        else:
            outcome.set_result(result)


class StaticRetriever:
    """Returns the given notes, those whose conditions hold first, otherwise in the given order. Reads no query."""

    def __init__(self, notes: Iterable[Note]) -> None:
        self.notes = tuple(notes)
        self.queries: list[str] = []
        """What was asked, for assertions."""

    def retrieve(self, query: str, *, family: str, meta: Mapping[str, float], k: int = 8) -> tuple[Note, ...]:
        self.queries.append(query)
        fitting = [note for note in self.notes if not note.families or family in note.families]
        judged = [
            note.model_copy(update={"applies": all(holds(test, meta.get(name)) for name, test in note.when.items())})
            for note in fitting
        ]
        return tuple(sorted(judged, key=lambda note: not note.applies)[:k])
