"""Ctrl-C: the first one asks the run to finish with the best so far, the second one ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from automl_agent.execution.stopping import clear_stop, request_stop, stop_requested

FINISHING = "Finishing with the best so far. Press Ctrl-C again to abort."
INTERRUPTED = 130


@dataclass
class Stopper:
    """Answers the signals of one run. SIGTERM, as schedulers send it, counts as Ctrl-C."""

    run_id: str
    notify: Callable[[str], None]
    """Called once from the signal handler: must not print through buffered streams."""
    asking: bool = False
    """While a person is asked, the first Ctrl-C ends the question; the run stays as it is."""

    def __call__(self, _signum: int, _frame: FrameType | None) -> None:
        if self.asking:
            raise KeyboardInterrupt
        if stop_requested(self.run_id):
            self._abort()
        request_stop(self.run_id)
        self.notify(FINISHING)

    def _abort(self) -> None:
        """End now: threads that wait for workers would hold up an ordinary exit. Workers end with their pipes."""
        resume = f"Aborted. Continue with: automl-agent run --resume {self.run_id}"
        with suppress(OSError):
            os.write(2, f"\x1b[?25h\r\n{resume}\n".encode() if os.isatty(2) else f"{resume}\n".encode())
        os._exit(INTERRUPTED)

    @contextmanager
    def question(self) -> Iterator[None]:
        self.asking = True
        try:
            yield
        finally:
            self.asking = False


@contextmanager
def stopping(run_id: str, notify: Callable[[str], None]) -> Iterator[Stopper]:
    """Handle signals while a run goes on, and give them back afterwards. Outside the main thread nothing is handled."""
    stopper = Stopper(run_id, notify)
    if threading.current_thread() is not threading.main_thread():
        yield stopper
        return
    before = {number: signal.signal(number, stopper) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        clear_stop(run_id)
