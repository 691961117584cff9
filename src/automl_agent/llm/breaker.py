"""A model that is dead costs a run seconds, not its budget: after clear signs it is not asked again."""

from __future__ import annotations

import threading
from collections import OrderedDict

from automl_agent.llm.faults import Fault
from automl_agent.llm.outcome import Kind

_FINAL: tuple[Kind, ...] = ("auth", "not_found")
_DOUBTFUL: tuple[Kind, ...] = ("connection", "timeout")
_ENOUGH = 2
"""Doubtful ends in a row."""
_MOST = 4096


class Breaker:
    """Remembers for each run and model of this process how its last questions ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: OrderedDict[tuple[str, str], tuple[Fault, int]] = OrderedDict()

    def stopped(self, run: str, model: str) -> Fault | None:
        """Why the model is not to be asked again in this run; `None` while it may be."""
        with self._lock:
            fault, count = self._ends.get((run, model), (None, 0))
        if fault is None or not (fault.kind in _FINAL or count >= _ENOUGH):
            return None
        return Fault(fault.kind, f"The model is not asked again in this run: {fault.detail}")

    def note(self, run: str, model: str, fault: Fault | None) -> None:
        """Say how a question ended; `None` for an answer, of whatever worth."""
        if fault is not None and (fault.kind == "limit" or self.stopped(run, model) is not None):
            return
        with self._lock:
            _, count = self._ends.pop((run, model), (None, 0))
            if fault is not None and fault.kind in (*_FINAL, *_DOUBTFUL):
                self._ends[run, model] = (fault, count + 1)
            while len(self._ends) > _MOST:
                self._ends.popitem(last=False)
