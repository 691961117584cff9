"""Several questions at once, under one deadline: whatever one of them does, the answers of the others are kept."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def side_by_side(questions: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T | Exception]:
    """What each question came to, by its name: its answer, what it raised, or `TimeoutError`.

    A question that is late is left behind: its thread is a daemon and must not hold up the exit.
    """
    deadline = time.monotonic() + seconds
    answers: queue.Queue[tuple[str, T | Exception]] = queue.Queue()

    def ask(name: str, question: Callable[[], T]) -> None:
        try:
            answers.put((name, question()))
        except Exception as error:  # whatever one does, the others are asked
            answers.put((name, error))

    for name, question in questions.items():
        threading.Thread(target=ask, args=(name, question), daemon=True).start()
    got: dict[str, T | Exception] = {}
    while len(got) < len(questions) and (left := deadline - time.monotonic()) > 0:
        try:
            name, answer = answers.get(timeout=left)
        except queue.Empty:
            break
        got[name] = answer
    return {name: got.get(name, TimeoutError(f"no answer within {seconds:.0f} s")) for name in questions}
