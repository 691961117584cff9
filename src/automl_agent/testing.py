"""Test doubles and contract checks, for the tests of whoever extends the library.

graph = build_graph(executor=InlineExecutor(), retriever=StaticRetriever(notes))
check_candidate(Path("my_model.py"), kind="classification")
check_executor(MyExecutor())
"""

from __future__ import annotations

import importlib
import json
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from automl_agent.errors import JobError
from automl_agent.execution.protocol import Executor, Job
from automl_agent.records import Note
from automl_agent.tasks.candidate import holds, load_candidate, read_candidate

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

# ---------------------------------------------------------------- doubles


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


# ---------------------------------------------------------------- jobs that the checks run


def echo(value: Any) -> dict[str, Any]:
    """A job that returns its argument."""
    return {"value": value}


def fail(message: str) -> dict[str, Any]:
    """A job that fails."""
    raise ValueError(message)


def nap(seconds: float) -> dict[str, Any]:
    """A job that takes a while."""
    time.sleep(seconds)
    return {"slept": seconds}


# ---------------------------------------------------------------- contract checks


def check_executor(executor: Executor, *, limits: bool = True) -> None:
    """Check an executor against `execution.protocol.Executor`.

    `limits=False` leaves out what needs to kill a job (timeouts, cancelling running jobs).

    Raises:
        AssertionError: names the first part of the contract that is broken.
    """
    pool = executor.pool("check", 2)
    try:
        _must(executor.pool("check", 2) is pool, "pool() gives the same object for the same run")
        _must(executor.pool("other", 1) is not pool, "pool() gives another run its own pool")
        _must(pool.size >= 1, "a pool has a size of at least 1")
        jobs = [pool.submit(Job("automl_agent.testing:echo", {"value": [n, "ü"]})) for n in range(2 * pool.size + 1)]
        values = [job.result(timeout=60)["value"] for job in jobs]
        _must(values == [[n, "ü"] for n in range(len(jobs))], "a job's future gives what its function returned")
        failed = _job_error(pool.submit(Job("automl_agent.testing:fail", {"message": "on purpose"})))
        _must(failed.kind == "error" and "on purpose" in str(failed), "a failing job raises JobError with its message")
        lost = _job_error(pool.submit(Job("automl_agent.testing:no_such_job")))
        _must(lost.kind == "error", "an unknown job raises JobError")
        if limits:
            late = _job_error(pool.submit(Job("automl_agent.testing:nap", {"seconds": 60}, timeout=0.2)))
            _must(late.kind == "timeout", "a job that outlasts its timeout raises JobError of kind 'timeout'")
            running = [pool.submit(Job("automl_agent.testing:nap", {"seconds": 60})) for _ in range(pool.size + 1)]
            pool.cancel()
            _must(all(_job_error(job).kind == "cancelled" for job in running), "cancel() ends queued and running jobs")
        again = pool.submit(Job("automl_agent.testing:echo", {"value": 1})).result(timeout=60)
        _must(again == {"value": 1}, "a pool works on after failures")
    finally:
        executor.release("check")
        executor.release("other")
    executor.release("check")  # must not matter
    fresh = executor.pool("check", 1)
    try:
        _must(fresh is not pool, "a released pool is not given again")
    finally:
        executor.release("check")


def check_candidate(
    path: Path,
    kind: Literal["classification", "regression"] = "classification",
    *,
    shared: Path | None = None,
    rows: int = 120,
    seed: int = 0,
) -> None:
    """Check a candidate file against the contract of `tasks.candidate`, on small random data with missing values.

    Runs the file's code in this process. `shared` is the folder of the shared files that it imports.

    Raises:
        AssertionError: names the first part of the contract that is broken.
        ConfigurationError: when the file lacks a required name.
    """
    import numpy as np

    candidate = read_candidate(path, shared)
    _must(len(candidate.portfolio) > 0, "PORTFOLIO holds at least one configuration")
    _check_space(candidate.space)
    module = load_candidate(path, shared)
    frame, target = _random_table(kind, rows, seed)
    task: dict[str, Any] = {"kind": kind, "classes": ["no", "yes", "perhaps"] if kind == "classification" else []}
    task |= {"metric": "log_loss" if kind == "classification" else "rmse", "positive": None}

    def fitted() -> Any:
        model = module.Model(task, dict(candidate.portfolio[0]), [], seed, threads=1, time_limit=60.0)
        model.fit(frame.copy(), target.copy())
        return model

    model = fitted()
    before = frame.copy()
    predicted = np.asarray(model.predict(frame))
    _must(frame.equals(before), "predict() leaves its input as it is")
    _check_predictions(predicted, kind, rows)
    _must(np.allclose(np.asarray(fitted().predict(frame)), predicted, atol=1e-6), "the same seed gives the same model")
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        _check_files(Path(folder))
        loaded = module.Model.load(folder)
    again = np.asarray(loaded.predict(frame))
    _must(np.allclose(again, predicted, atol=1e-9), "a loaded model predicts what the saved one did")
    one = np.asarray(loaded.predict(frame.iloc[[3]]))
    _must(np.allclose(one, predicted[[3]], atol=1e-6), "a row alone is predicted as it is among others")
    strange = frame.iloc[:4].assign(colour="never seen", size=np.nan)
    _must(
        bool(np.isfinite(np.asarray(loaded.predict(strange))).all()),
        "unseen categories and missing values are predicted",
    )


def _must(holds: bool, contract: str) -> None:
    if not holds:
        raise AssertionError(f"Broken: {contract}.")


def _job_error(future: Future[dict[str, Any]]) -> JobError:
    error = future.exception(timeout=60)
    if not isinstance(error, JobError):
        raise AssertionError(f"Broken: a job that fails raises JobError, not {error!r}.")
    return error


def _check_space(space: Mapping[str, Mapping[str, Any]]) -> None:
    for name, entry in space.items():
        needed = {"float": ("low", "high"), "int": ("low", "high"), "categorical": ("choices",)}.get(
            entry.get("type", "")
        )
        _must(needed is not None, f"SPACE[{name!r}] has a type: float, int or categorical")
        _must(all(key in entry for key in needed or ()), f"SPACE[{name!r}] has {' and '.join(needed or ())}")


def _check_predictions(predicted: Array, kind: str, rows: int) -> None:
    import numpy as np

    shape = (rows, 3) if kind == "classification" else (rows,)
    _must(predicted.shape == shape, f"predict() returns an array of shape {shape}, not {predicted.shape}")
    _must(bool(np.isfinite(predicted).all()), "predict() returns finite numbers")
    if kind == "classification":
        _must(bool((predicted >= 0).all()), "probabilities are not negative")
        _must(np.allclose(predicted.sum(axis=1), 1, atol=1e-6), "probabilities of a row sum to 1")


def _check_files(folder: Path) -> None:
    """Nothing that runs code when it is loaded."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    _must(bool(files), "save() writes files")
    for path in files:
        head = path.read_bytes()[:2]
        pickled = head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}
        named = path.suffix in {".pkl", ".pickle", ".joblib", ".pt", ".pth"}
        _must(not (pickled or named), f"save() writes no pickle ({path.name})")


def _random_table(kind: str, rows: int, seed: int) -> tuple[pd.DataFrame, Array]:
    """A typed frame with every kind of column, and a target that depends on two of them."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    colours = random.choice(["red", "green", "blue"], size=rows)
    known = random.random(rows) > 0.1
    texts = {
        "colour": [str(colour) if there else None for colour, there in zip(colours, known, strict=True)],
        "open": [str(value) for value in random.choice(["true", "false"], size=rows)],
        "remark": [str(value) for value in random.choice(["all is well", "not so good", ""], size=rows)],
    }
    days = pd.to_timedelta(random.integers(0, 900, rows), unit="D")
    frame = pd.DataFrame(
        {
            "size": np.where(random.random(rows) > 0.1, size, np.nan),
            "weight": random.exponential(size=rows),
            **{name: pd.Series(values, dtype="object") for name, values in texts.items()},
            "since": (pd.Timestamp("2024-01-01") + days).as_unit("ns"),
        }
    )
    signal = size + (colours == "red")
    target: Array = signal * 3.0 + 10.0
    if kind == "classification":
        target = np.digitize(signal, [0.0, 1.0]).astype(np.int64)
    return frame, target
