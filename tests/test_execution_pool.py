"""The pool of worker processes: results, limits, crashes, and that nothing survives its host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from automl_agent.errors import JobError
from automl_agent.execution.local import LocalExecutor, LocalPool
from automl_agent.execution.nursery import SUPPORTED
from automl_agent.execution.protocol import Job

JOBS = """
import os, subprocess, sys, time

def add(a, b):
    return {"sum": a + b, "pid": os.getpid()}

def noise():
    print("this is {not} JSON")
    os.write(1, b"nor is this\\n")
    subprocess.run([sys.executable, "-c", "print('and a child')"], check=True)
    return {"stdin": sys.stdin.read()}

def environment():
    return {"threads": os.environ["OMP_NUM_THREADS"], "wait": os.environ["OMP_WAIT_POLICY"], "group": os.getpgrp()}

def fail():
    raise ValueError("no such column")

def leave():
    sys.exit(3)

def crash():
    print("about to crash", file=sys.stderr)
    os.abort()

def imported(module, seconds=0):
    time.sleep(seconds)
    return {"there": module in sys.modules, "pid": os.getpid()}

def odd():
    return {"set": {1}}

def sleep(file=None, seconds=60):
    if file:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        with open(file + ".part", "w") as out:
            out.write(f"{os.getpid()} {child.pid}")
        os.rename(file + ".part", file)
    time.sleep(seconds)
    return {}

def eat(megabytes):
    block = bytearray(megabytes * 1_000_000)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(60)
    return {}
"""


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of jobs that workers find because the host does."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "pool_jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    pool = LocalPool(2, preload=())
    yield pool
    pool.close()


def job(name: str, *, timeout: float | None = None, memory_mb: float | None = None, ahead: bool = False,
        **arguments: object) -> Job:  # fmt: skip
    return Job(f"pool_jobs:{name}", arguments, timeout=timeout, memory_mb=memory_mb, ahead=ahead)


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_what_ends_something_begun_goes_ahead_of_what_waits() -> None:
    pool, ended = LocalPool(1, preload=()), list[str]()
    try:
        futures = {name: pool.submit(job("sleep", seconds=0.3, ahead=name.startswith("ahead")))
                   for name in ("running", "first", "second", "ahead", "ahead too")}  # fmt: skip
        for name, future in futures.items():
            future.add_done_callback(lambda _, name=name: ended.append(name))
        wait(futures.values(), timeout=30)
    finally:
        pool.close()
    ended.remove("running")  # the worker may have taken it before the others were there, or not
    assert ended == ["ahead", "ahead too", "first", "second"]


def failure(pool: LocalPool, wanted: Job) -> JobError:
    with pytest.raises(JobError) as caught:
        pool.submit(wanted).result(30)
    return caught.value


def test_jobs_run_and_workers_are_kept(pool: LocalPool) -> None:
    results = [future.result(30) for future in [pool.submit(job("add", a=i, b=1)) for i in range(20)]]
    assert [result["sum"] for result in results] == list(range(1, 21))
    assert len({result["pid"] for result in results}) <= 2
    assert os.getpid() not in {result["pid"] for result in results}


def test_prints_and_children_do_not_disturb_the_protocol(pool: LocalPool) -> None:
    assert pool.submit(job("noise")).result(30) == {"stdin": ""}


def test_thread_settings_apply_in_workers_only(pool: LocalPool) -> None:
    before = dict(os.environ)
    result = pool.submit(job("environment")).result(30)
    assert (result["threads"], result["wait"]) == ("1", "PASSIVE")
    assert result["group"] != os.getpgrp()  # a Ctrl-C in the terminal does not reach it
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("name", "words"), [("fail", "ValueError: no such column"), ("leave", "SystemExit: 3"), ("odd", "TypeError")]
)
def test_an_error_is_told_and_the_worker_goes_on(name: str, words: str) -> None:
    pool = LocalPool(1, preload=())
    pid = pool.submit(job("add", a=1, b=1)).result(30)["pid"]
    error = failure(pool, job(name))
    assert error.kind == "error"
    assert words in str(error)
    assert "Traceback" in error.__notes__[0]
    assert pool.submit(job("add", a=1, b=1)).result(30)["pid"] == pid
    pool.close()


def test_an_unknown_function_is_an_error(pool: LocalPool) -> None:
    assert "AttributeError" in str(failure(pool, job("nothing")))
    assert "ModuleNotFoundError" in str(failure(pool, Job("no_such_module:f")))


def test_a_crash_shows_the_last_words_and_a_new_worker_comes(pool: LocalPool) -> None:
    error = failure(pool, job("crash"))
    assert error.kind == "crash"
    assert "about to crash" in str(error)
    assert "signal 6" in str(error)
    assert pool.submit(job("add", a=1, b=1)).result(30)["sum"] == 2


def test_a_timeout_kills_the_worker_and_its_children(pool: LocalPool, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    error = failure(pool, job("sleep", file=str(file), timeout=1.0))
    assert error.kind == "timeout"
    assert "1 s" in str(error)
    assert all(eventually(lambda pid=pid: not running(pid)) for pid in map(int, file.read_text().split()))
    assert pool.submit(job("add", a=1, b=1)).result(30)["sum"] == 2


def test_no_time_left_is_a_timeout_that_costs_nothing(pool: LocalPool) -> None:
    assert failure(pool, job("sleep", timeout=0.0)).kind == "timeout"


def test_too_much_memory_kills_the_worker(pool: LocalPool) -> None:
    error = failure(pool, job("eat", megabytes=300, memory_mb=200))
    assert error.kind == "memory"
    assert "200 MB" in str(error)


def test_cancel_stops_running_and_queued_jobs_and_the_pool_lives(pool: LocalPool, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    futures = [pool.submit(job("sleep", file=str(file)))] + [pool.submit(job("sleep")) for _ in range(4)]
    assert eventually(file.exists)
    pool.cancel()
    done, waiting = wait(futures, timeout=20)
    assert not waiting
    assert {getattr(future.exception(), "kind", "") for future in done} == {"cancelled"}
    assert pool.submit(job("add", a=1, b=1)).result(30)["sum"] == 2


def test_a_cancelled_job_that_ends_soon_costs_no_worker(tmp_path: Path) -> None:
    pool = LocalPool(1, preload=())
    worker = pool.submit(job("add", a=1, b=1)).result(30)["pid"]
    file = tmp_path / "pids"
    running = pool.submit(job("sleep", file=str(file), seconds=0.5))
    assert eventually(file.exists)
    assert not running.cancel()
    assert running.result(20) == {}
    assert pool.submit(job("add", a=1, b=1)).result(30)["pid"] == worker
    pool.close()


def nursery_of(pid: int) -> int:
    """The parent of a worker."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.skipif(not SUPPORTED, reason="workers are forked on Linux only")
def test_torch_is_imported_once_for_all_workers_when_a_job_needs_it() -> None:
    pool = LocalPool(2, preload=())

    def together(**options: Any) -> list[tuple[bool, int]]:
        """Of a job in each worker: whether torch was there before it, and the worker."""
        arguments = {"module": "torch", "seconds": 0.3}
        waiting = [pool.submit(Job("pool_jobs:imported", arguments, timeout=30, **options)) for _ in range(2)]
        return [(answer["there"], answer["pid"]) for answer in (future.result() for future in waiting)]

    try:
        before = together()
        assert [there for there, _ in before] == [False, False]
        nursery = nursery_of(before[0][1])
        asked = together(imports=("torch", "json"))
        assert [there for there, _ in asked] == [True, True]
        assert {nursery_of(pid) for _, pid in asked} == {nursery}
        assert sorted(together()) == sorted(asked), "workers are kept afterwards"
        os.kill(nursery, signal.SIGKILL)
        assert eventually(lambda: not running(asked[0][1]))
        assert [there for there, _ in together(imports=("torch",))] == [True, True]
    finally:
        pool.close()


@pytest.mark.skipif(not SUPPORTED, reason="workers are forked on Linux only")
@pytest.mark.parametrize("by", ["a job that ends", "cancel"])
def test_memory_of_a_worker_is_given_back(by: str) -> None:
    """By the job that was the last for it, or, where others are forked at once, by a pool that drops what is idle."""
    if by == "cancel" and not SUPPORTED:
        pytest.skip("a worker is kept where the next one takes long to start")
    pool = LocalPool(1, preload=())

    def pid(ends: bool = False) -> int:
        return int(pool.submit(Job("pool_jobs:add", {"a": 1, "b": 1}, timeout=30, ends=ends)).result()["pid"])

    try:
        first = pid()
        assert pid(ends=by != "cancel") == first
        if by == "cancel":
            pool.cancel()
        assert pid() != first
    finally:
        pool.close()


def test_a_killed_worker_and_a_killed_nursery_are_replaced() -> None:
    pool = LocalPool(1, preload=("json",))
    first = pool.submit(job("add", a=1, b=1)).result(30)["pid"]
    nursery = nursery_of(first)
    with pytest.raises(JobError, match="took longer"):
        pool.submit(job("sleep", timeout=0.3)).result(20)
    second = pool.submit(job("add", a=1, b=1)).result(30)["pid"]
    assert second != first
    assert nursery_of(second) == nursery
    os.kill(nursery, signal.SIGKILL)
    assert eventually(lambda: not running(second)), "a worker ends with its nursery"
    third = pool.submit(job("add", a=1, b=1)).result(30)["pid"]
    assert nursery_of(third) not in (nursery, os.getpid())
    pool.close()
    assert eventually(lambda: not running(nursery_of(third) if running(third) else third))


def test_closing_while_libraries_are_imported(jobs: Path, tmp_path: Path) -> None:
    mark = tmp_path / "imported"
    (jobs / "endless_library.py").write_text(f"import time; open({str(mark)!r}, 'w').close(); time.sleep(60)")
    pool = LocalPool(1, preload=("endless_library",))
    waiting = pool.submit(job("add", a=1, b=1))
    assert eventually(mark.exists)
    pool.close()
    assert getattr(waiting.exception(20), "kind", "") == "cancelled"
    assert eventually(lambda: not any(thread.is_alive() for thread in (slot.thread for slot in pool._slots)))


def test_cancelling_a_future_drops_it_or_stops_it(tmp_path: Path) -> None:
    pool = LocalPool(1, preload=())
    file = tmp_path / "pids"
    first, second = pool.submit(job("sleep", file=str(file))), pool.submit(job("sleep"))
    third = pool.submit(job("add", a=1, b=1))
    assert eventually(file.exists)
    assert second.cancel()
    assert not first.cancel()
    with pytest.raises(JobError, match="cancelled"):
        first.result(20)
    with pytest.raises(CancelledError):
        second.result(20)
    assert third.result(30)["sum"] == 2
    pool.close()


def test_several_threads_share_a_pool(pool: LocalPool) -> None:
    def branch(number: int) -> list[int]:
        futures = [pool.submit(job("add", a=number, b=i)) for i in range(10)]
        return [future.result(30)["sum"] for future in futures]

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(branch, range(3))) == [[number + i for i in range(10)] for number in range(3)]


def test_an_idle_worker_ends_and_another_starts_on_demand() -> None:
    pool = LocalPool(1, preload=(), idle_seconds=0.3)
    pid = pool.submit(job("add", a=1, b=1)).result(30)["pid"]
    assert eventually(lambda: not running(pid))
    assert pool.submit(job("add", a=1, b=1)).result(30)["pid"] != pid
    pool.close()


def test_a_worker_killed_while_idle_costs_no_job(pool: LocalPool) -> None:
    pids = {pool.submit(job("add", a=1, b=1)).result(30)["pid"] for _ in range(4)}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert all(eventually(lambda pid=pid: not running(pid)) for pid in pids)
    assert pool.submit(job("add", a=1, b=1)).result(30)["sum"] == 2


def test_a_job_whose_worker_the_system_killed_is_done_again_with_fewer_workers(pool: LocalPool, tmp_path: Path) -> None:
    file = tmp_path / "pids"

    def kill() -> None:
        assert eventually(file.exists)
        pid = int(file.read_text().split()[0])
        file.unlink()
        os.kill(pid, signal.SIGKILL)

    once = pool.submit(job("sleep", file=str(file), seconds=1.0))
    kill()
    assert once.result(30) == {}
    assert (pool.size, pool.killed) == (1, 1)
    file.unlink()
    twice = pool.submit(job("sleep", file=str(file)))
    kill()
    kill()
    error = twice.exception(30)
    assert isinstance(error, JobError) and error.kind == "killed"
    assert (pool.size, pool.killed) == (1, 3)
    assert pool.submit(job("add", a=1, b=1)).result(30)["sum"] == 2


def test_prepare_imports_ahead(jobs: Path, tmp_path: Path) -> None:
    mark = tmp_path / "imported"
    (jobs / "slow_library.py").write_text(f"open({str(mark)!r}, 'a').write('x')")
    pool = LocalPool(2, preload=("slow_library", "not_installed_at_all"))
    pool.prepare()
    assert eventually(mark.exists)
    futures = [pool.submit(job("imported", module="slow_library")) for _ in range(6)]
    assert all(future.result(30)["there"] for future in futures)
    assert mark.read_text() == "x", "once, for all workers"
    pool.close()


def test_close_ends_all_and_may_be_repeated(tmp_path: Path) -> None:
    pool = LocalPool(1, preload=())
    file = tmp_path / "pids"
    futures = [pool.submit(job("sleep", file=str(file))), pool.submit(job("sleep"))]
    assert eventually(file.exists)
    pool.close()
    pool.close()
    futures.append(pool.submit(job("add", a=1, b=1)))
    assert [getattr(future.exception(20), "kind", "") for future in futures] == ["cancelled"] * 3
    assert not any(running(int(pid)) for pid in file.read_text().split()[:1])


def test_a_forgotten_pool_ends_its_workers() -> None:
    pool = LocalPool(1, preload=())
    pid = pool.submit(job("add", a=1, b=1)).result(30)["pid"]
    del pool
    assert eventually(lambda: not running(pid))


def test_executor_gives_each_run_one_pool() -> None:
    executor = LocalExecutor(preload=())
    pool = executor.pool("one", 2)
    assert executor.pool("one", 2) is pool
    assert executor.pool("two", 1) is not pool
    executor.release("one")
    executor.release("one")
    assert executor.pool("one", 1) is not pool
    executor.release("one")
    executor.release("two")


HOST = """
import sys, time
from automl_agent.execution.local import LocalExecutor
from automl_agent.execution.protocol import Job

pool = LocalExecutor(preload=()).pool("run", 2)
futures = [pool.submit(Job("pool_jobs:sleep", {"file": name})) for name in sys.argv[1:]]
if futures:
    time.sleep(60)
print("sum", pool.submit(Job("pool_jobs:add", {"a": 1, "b": 2})).result(30)["sum"])
print("worker", pool.submit(Job("pool_jobs:add", {"a": 1, "b": 2})).result(30)["pid"])
"""


def host_environment(jobs: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(jobs), *sys.path])}


def test_a_killed_host_leaves_no_process(jobs: Path, tmp_path: Path) -> None:
    script = tmp_path / "host.py"
    script.write_text(HOST)
    files = [tmp_path / "one", tmp_path / "two"]
    host = subprocess.Popen([sys.executable, script, *files], env=host_environment(jobs))
    assert eventually(lambda: all(file.exists() for file in files))
    pids = [int(pid) for file in files for pid in file.read_text().split()]
    assert all(running(pid) for pid in pids)
    host.send_signal(signal.SIGKILL)
    host.wait()
    assert [pid for pid in pids if not eventually(lambda pid=pid: not running(pid), 10)] == []


def test_a_fork_that_outlives_the_host_does_not_keep_workers_alive(jobs: Path, tmp_path: Path) -> None:
    script = tmp_path / "host.py"
    script.write_text(
        textwrap.dedent("""
        import os, sys, time
        from automl_agent.execution.local import LocalPool
        from automl_agent.execution.protocol import Job

        pool = LocalPool(1, preload=())
        pid = pool.submit(Job("pool_jobs:add", {"a": 1, "b": 2})).result(30)["pid"]
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        print(pid, flush=True)
        time.sleep(60)
        """)
    )
    host = subprocess.Popen(
        [sys.executable, script], env=host_environment(jobs), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert host.stdout is not None
    pid = int(host.stdout.readline())
    host.kill()
    host.wait()
    gone = eventually(lambda: not running(pid), 10)
    os.killpg(host.pid, signal.SIGKILL)
    host.stdout.close()
    assert gone


def test_an_unguarded_script_runs_once_and_ends_clean(jobs: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(HOST)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", script],
        env=host_environment(jobs), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.count("sum 3") == 1
    assert done.stderr == ""
    assert eventually(lambda: not running(int(done.stdout.split()[-1])))


def test_all_that_is_imported_ahead_can_be_and_brings_no_torch() -> None:
    code = (
        "import sys; from automl_agent.execution.worker import PRELOAD, warm; print(set(PRELOAD) - set(warm(PRELOAD)"
        "['loaded']), 'torch' in sys.modules); import scipy.stats; scipy.stats.norm.cdf([0.0])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["set()", "False"]
