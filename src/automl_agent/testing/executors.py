"""The contract check of executors, and the jobs that it runs."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

from automl_agent.errors import JobError
from automl_agent.execution.protocol import Executor, Job, Pool
from automl_agent.testing.contract import must

JOBS = __name__


def check_executor(executor: Executor, *, limits: bool = True) -> None:
    """Check an executor against `execution.protocol.Executor`.

    `limits=False` leaves out what needs to kill a job (timeouts, cancelling running jobs).

    Raises:
        AssertionError: names the first part of the contract that is broken.
    """
    pool = executor.pool("check", 2)
    try:
        must(executor.pool("check", 2) is pool, "pool() gives the same object for the same run")
        must(executor.pool("other", 1) is not pool, "pool() gives another run its own pool")
        must(pool.size >= 1, "a pool has a size of at least 1")
        _check_results(pool)
        if limits:
            _check_limits(pool)
        again = pool.submit(Job(f"{JOBS}:echo", {"value": 1})).result(timeout=60)
        must(again == {"value": 1}, "a pool works on after failures")
    finally:
        executor.release("check")
        executor.release("other")
    executor.release("check")  # must not matter
    fresh = executor.pool("check", 1)
    executor.release("check")
    must(fresh is not pool, "a released pool is not given again")


def _check_results(pool: Pool) -> None:
    jobs = [pool.submit(Job(f"{JOBS}:echo", {"value": [n, "ü"]})) for n in range(2 * pool.size + 1)]
    values = [job.result(timeout=60)["value"] for job in jobs]
    must(values == [[n, "ü"] for n in range(len(jobs))], "a job's future gives what its function returned")
    failed = _job_error(pool.submit(Job(f"{JOBS}:fail", {"message": "on purpose"})))
    must(failed.kind == "error" and "on purpose" in str(failed), "a failing job raises JobError with its message")
    lost = _job_error(pool.submit(Job(f"{JOBS}:no_such_job")))
    must(lost.kind == "error", "an unknown job raises JobError")


def _check_limits(pool: Pool) -> None:
    late = _job_error(pool.submit(Job(f"{JOBS}:nap", {"seconds": 60}, timeout=0.2)))
    must(late.kind == "timeout", "a job that outlasts its timeout raises JobError of kind 'timeout'")
    jobs = [pool.submit(Job(f"{JOBS}:nap", {"seconds": 60})) for _ in range(pool.size + 1)]
    pool.cancel()
    must(all(_job_error(job).kind == "cancelled" for job in jobs), "cancel() ends queued and running jobs")


def _job_error(future: Future[dict[str, Any]]) -> JobError:
    error = future.exception(timeout=60)
    if not isinstance(error, JobError):
        raise AssertionError(f"Broken: a job that fails raises JobError, not {error!r}.")
    return error


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
