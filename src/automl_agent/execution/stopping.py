"""Asking a run to finish early: it delivers the best so far instead of searching on.

Flags are per run and live in this process: whoever started the run (the command line on Ctrl-C, a server on a cancelled
request) raises the flag, and whatever searches looks at it between two trials.
"""

from __future__ import annotations

from threading import Event

_flags: dict[str, Event] = {}


def stop_event(run_id: str) -> Event:
    """The flag of a run, made on first use; for code that wants to wait on it."""
    return _flags.setdefault(run_id, Event())


def request_stop(run_id: str) -> None:
    """Ask a run to finish with the best so far. Asking twice changes nothing."""
    stop_event(run_id).set()


def stop_requested(run_id: str) -> bool:
    flag = _flags.get(run_id)
    return flag is not None and flag.is_set()


def clear_stop(run_id: str) -> None:
    """Forget a run, so that it can be resumed in this process."""
    _flags.pop(run_id, None)
