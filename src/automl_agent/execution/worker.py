"""A worker process: `python -m automl_agent.execution.worker`.

It reads one job a line from standard input and answers one line a step on what was its standard output:

    host → worker   {"id": 7, "call": "package.module:function", "arguments": {...}}
    worker → host   {"id": 7, "started": true}
    worker → host   {"id": 7, "result": {...}}  or  {"id": 7, "error": {"type", "message", "traceback", "storage"}}

Libraries print to file descriptor 1 as they like: it leads to standard error, and the answers go through a private
duplicate. The process ends, in the middle of a job too and together with its children, when the pipe closes or the host
is gone. Thread settings are in the environment that the pool starts it with (`process.py`). On Linux it is a fork of a
process that has imported the heavy libraries (`nursery.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import json
import os
import queue
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from automl_agent.execution.storage import of_storage

PRELOAD = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "scipy.sparse",
    "sklearn.preprocessing",
    "sklearn.linear_model",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.metrics",
    "lightgbm",
    "catboost",
    "skops.io",
)
"""What most jobs import, and what takes seconds; what is not installed is left out."""

SHARED = ("torch",)
"""What only some jobs import: it is imported once for all workers, when the first of these jobs comes. Only what starts
no thread when it is imported may stand here, since workers are forked afterwards."""

_PARENT_CHECK = 1.0
"""Seconds between looks at the parent: a child forked by the host keeps the pipe open after the host's death."""


def warm(modules: list[str]) -> dict[str, Any]:
    """A job that imports modules ahead of need; those that cannot be imported are left out.

    None of them may bring PyTorch along, as skops does: most runs do without its 100 MB.
    """
    loaded = []
    sys.meta_path.insert(0, _NoTorch)
    try:
        for name in modules:
            with contextlib.suppress(Exception):  # a broken package: whoever needs it says so
                importlib.import_module(name)
                loaded.append(name)
    finally:
        sys.meta_path.remove(_NoTorch)
    return {"loaded": loaded}


class _NoTorch:
    """A finder that does not find PyTorch."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "torch":
            raise ModuleNotFoundError(name, name=name)


def main() -> None:
    """Serve jobs until the host is gone."""
    jobs, answers = _private_pipes()
    faulthandler.enable()  # a crash in native code leaves its place in the log
    pending: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(jobs, pending, os.getppid()), name="read-jobs", daemon=True).start()
    while True:
        request = json.loads(pending.get())
        _send(answers, {"id": request["id"], "started": True})
        _send(answers, {"id": request["id"], **_answer(request)})
        _trim()


def _trim() -> None:
    """Give freed memory back to the system, where the C library can: what a forest took is else kept for the next."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _private_pipes() -> tuple[int, BinaryIO]:
    """Take the two protocol pipes off descriptors 0 and 1, where libraries and child processes would meddle."""
    jobs, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return jobs, os.fdopen(answers, "wb")


def _read_jobs(descriptor: int, pending: queue.SimpleQueue[bytes], parent: int) -> None:
    """Hand on the lines of the pipe; end the process when there will be no more."""
    rest = b""
    while True:
        if not select.select([descriptor], [], [], _PARENT_CHECK)[0]:
            if os.getppid() != parent:
                _end()
            continue
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            _end()
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            pending.put(line)


def _end() -> None:
    """End now, whatever the main thread is doing, and take all child processes along."""
    if os.getpgrp() == os.getpid():  # our own group, as the pool starts us
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run one job. Whatever it raises is an answer, `SystemExit` included: only the host ends a worker."""
    try:
        result = _resolve(request["call"])(**request["arguments"])
        if not isinstance(result, dict):
            raise TypeError(f"{request['call']} returned {type(result).__name__}, not a JSON object")
        json.dumps(result)
    except BaseException as error:
        told = {"type": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()}
        return {"error": {**told, "storage": of_storage(error)}}
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
    return {"result": result}


def _resolve(call: str) -> Callable[..., Any]:
    """The function that `package.module:function` names."""
    module, _, name = call.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _send(answers: BinaryIO, message: dict[str, Any]) -> None:
    try:
        answers.write(json.dumps(message).encode() + b"\n")
        answers.flush()
    except OSError:  # nobody listens any more
        _end()


if __name__ == "__main__":
    main()
