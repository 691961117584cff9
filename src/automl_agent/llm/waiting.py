"""Waiting that ends: at a deadline, or when the run was stopped."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from typing import TypeVar

T = TypeVar("T")

_GLANCE = 0.25
"""Seconds after which a waiting thread looks whether the run was stopped."""


class Deadline:
    """The end of a question: after so many seconds, or when the run has none left."""

    def __init__(self, seconds: float, seconds_left: Callable[[], float]) -> None:
        self._until = time.monotonic() + seconds
        self._seconds_left = seconds_left

    def left(self) -> float:
        return max(0.0, min(self._until - time.monotonic(), self._seconds_left()))


def within(deadline: Deadline, work: Callable[[], T]) -> T | None:
    """What `work` gives or raises; `None` when it takes too long.

    It runs in a thread of its own: only so does the body of an answer that drips for ever not outlast the deadline.
    The thread is a daemon, which ends with its connection or with the program.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    context = contextvars.copy_context()  # carries the callbacks of the graph that we run in
    threading.Thread(target=context.run, args=(run,), name="automl-model-call", daemon=True).start()
    while (left := deadline.left()) > 0:
        try:
            return done.result(timeout=min(left, _GLANCE))
        except NotDone:
            if done.done():  # a time-out of the work itself
                raise
    return None


def acquired(slots: threading.Semaphore, deadline: Deadline) -> bool:
    """Take a slot; false when there is none in time."""
    while (left := deadline.left()) > 0:
        if slots.acquire(timeout=min(left, _GLANCE)):
            return True
    return False


def pause(seconds: float, deadline: Deadline) -> None:
    """Sleep, but not past the deadline."""
    until = time.monotonic() + seconds
    while (left := min(until - time.monotonic(), deadline.left())) > 0:
        time.sleep(min(left, _GLANCE))
