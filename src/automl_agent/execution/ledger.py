"""What a run has used up, and what must be remembered of it when it is killed: seconds, model calls, looks at the test.

Also the lease that keeps two processes from working on one run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from automl_agent.errors import InputError
from automl_agent.execution.database import Database, open_database
from automl_agent.execution.home import prepare_home
from automl_agent.execution.lease import HEARTBEAT_SECONDS, Holder
from automl_agent.records import ModelCall

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS clocks (run_id TEXT PRIMARY KEY, seconds REAL NOT NULL)",
    """CREATE TABLE IF NOT EXISTS model_calls (
        id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, key TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL,
        outcome TEXT NOT NULL, seconds REAL NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
        usd REAL, estimated INTEGER NOT NULL, cached INTEGER NOT NULL, stage TEXT NOT NULL, plan TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS model_calls_by_run ON model_calls (run_id)",
    "CREATE TABLE IF NOT EXISTS test_reads (fingerprint TEXT, run_id TEXT, PRIMARY KEY (fingerprint, run_id))",
    """CREATE TABLE IF NOT EXISTS leases (
        run_id TEXT PRIMARY KEY, pid INTEGER NOT NULL, machine TEXT NOT NULL, started TEXT NOT NULL,
        token TEXT NOT NULL, heartbeat REAL NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS outputs (place TEXT PRIMARY KEY, run_id TEXT NOT NULL)",
)

_CALL_FIELDS = ("role", "model", "outcome", "seconds", "input_tokens", "output_tokens", "usd", "estimated", "cached",
                "stage", "plan")  # fmt: skip
_TICK_SECONDS = 0.25


class Clock:
    """Active seconds of a run against its budget. Threads may share it."""

    def __init__(self, database: Database, run_id: str, budget: float, already: float) -> None:
        self.budget = budget
        self._database = database
        self._run_id = run_id
        self._lock = threading.RLock()
        stored = database.read("SELECT seconds FROM clocks WHERE run_id = ?", run_id)
        self._before = already + (stored[0][0] if stored else 0.0)
        """Seconds up to the last start of the clock."""
        self._since: float | None = time.monotonic()
        self._persisted = float("-inf")
        self._persist()

    def spent(self) -> float:
        """Active seconds since the run began, those of earlier processes included."""
        with self._lock:
            return self._before + (0.0 if self._since is None else time.monotonic() - self._since)

    def remaining(self) -> float:
        """Seconds left of the budget, never below zero."""
        return max(0.0, self.budget - self.spent())

    def tick(self) -> None:
        """Remember the time spent, at most four times a second."""
        with self._lock:
            if self._since is not None and time.monotonic() - self._persisted >= _TICK_SECONDS:
                self._persist()

    def pause(self) -> None:
        """Stop counting: the run waits for a person."""
        with self._lock:
            if self._since is not None:
                self._before, self._since = self.spent(), None
                self._persist()

    def resume(self) -> None:
        """Go on counting."""
        with self._lock:
            if self._since is None:
                self._since = time.monotonic()

    def _persist(self) -> None:
        self._persisted = time.monotonic()
        self._database.write(
            "INSERT INTO clocks VALUES (?, ?) ON CONFLICT DO UPDATE SET seconds = max(seconds, excluded.seconds)",
            self._run_id,
            self.spent(),
        )


_clocks: dict[tuple[Database, str], Clock] = {}
"""Time passes once in a process, however many ledgers are opened on a file."""
_making_clocks = threading.Lock()


def _values(call: ModelCall) -> tuple[object, ...]:
    return tuple(getattr(call, name) for name in _CALL_FIELDS)


class Ledger:
    """The accounts of all runs of a home folder, in `home/ledger.sqlite`. Threads and processes may share it."""

    def __init__(self, home: Path) -> None:
        self._database = open_database(prepare_home(home) / "ledger.sqlite", _SCHEMA)

    def clock(self, run_id: str, budget: float, already: float = 0.0) -> Clock:
        """The clock of a run; one object for a run in a process. In a new process it goes on from the last tick.

        Args:
            budget: Seconds that the run may take in all.
            already: Seconds that this process had spent on the run before (start-up, imports).
        """
        with _making_clocks:
            clock = self._clock(run_id)
            if clock is None:
                clock = _clocks[self._database, run_id] = Clock(self._database, run_id, budget, already)
            clock.budget = budget
            return clock

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Reads and writes in here are one step for all threads and processes."""
        with self._database.transaction():
            yield

    def record_call(self, run_id: str, call: ModelCall, *, key: str = "") -> int:
        """Record a request to a language model; gives its number, for `settle_call`.

        Args:
            key: Of the answer, where `llm.cache` may hold it.
        """
        names = ", ".join(("run_id", "key", *_CALL_FIELDS))
        marks = ", ".join("?" * (len(_CALL_FIELDS) + 2))
        ((number,),) = self._database.read(
            f"INSERT INTO model_calls ({names}) VALUES ({marks}) RETURNING id", run_id, key, *_values(call)
        )
        return int(number)

    def settle_call(self, number: int, call: ModelCall) -> None:
        """Say how a recorded call ended, and what it cost in the end."""
        changes = ", ".join(f"{name} = ?" for name in _CALL_FIELDS)
        self._database.write(f"UPDATE model_calls SET {changes} WHERE id = ?", *_values(call), number)

    def amend_call(self, number: int, outcome: str) -> None:
        """Say that a call ended otherwise: what was answered could not be used."""
        self._database.write("UPDATE model_calls SET outcome = ? WHERE id = ?", outcome, number)

    def calls(self, run_id: str) -> tuple[ModelCall, ...]:
        """Every request of a run to a language model, the oldest first."""
        rows = self._database.read(
            f"SELECT {', '.join(_CALL_FIELDS)} FROM model_calls WHERE run_id = ? ORDER BY id", run_id
        )
        return tuple(ModelCall.model_validate(dict(zip(_CALL_FIELDS, row, strict=True))) for row in rows)

    def costs(self, run_id: str) -> dict[str, float]:
        """What the run's model calls have cost: `usd`, `calls`, `input_tokens`, `output_tokens`.

        Answers from memory cost nothing; they are counted apart, as `cached_calls`. A call whose price is not known
        adds nothing to `usd`.
        """
        ((usd, calls, input_tokens, output_tokens, cached),) = self._database.read(
            """SELECT total(usd * (1 - cached)), count(*) - total(cached), total(input_tokens * (1 - cached)),
                      total(output_tokens * (1 - cached)), total(cached) FROM model_calls WHERE run_id = ?""",
            run_id,
        )
        return {
            "usd": usd,
            "calls": int(calls),
            "input_tokens": int(input_tokens),
            "output_tokens": int(output_tokens),
            "cached_calls": int(cached),
        }

    def read_test(self, fingerprint: str, run_id: str) -> int:
        """Note that a run looks at the locked test of these data; gives how many runs have, this one included."""
        self._database.write("INSERT OR IGNORE INTO test_reads VALUES (?, ?)", fingerprint, run_id)
        return self.test_reads(fingerprint)

    def test_reads(self, fingerprint: str) -> int:
        """How many runs have looked at the locked test of these data."""
        count: int = self._database.read("SELECT count(*) FROM test_reads WHERE fingerprint = ?", fingerprint)[0][0]
        return count

    @contextmanager
    def lease(self, run_id: str, out: Path | None = None) -> Iterator[None]:
        """Work on a run as the only one; its clock counts only meanwhile.

        Args:
            out: the folder of the result, which no other run may write to in that time.

        Raises:
            InputError: when a live process, this one included, works on it already, or another run writes to `out`.
        """
        holder = Holder.this_process()
        self._take_lease(run_id, holder, out)
        stop = threading.Event()
        beat = threading.Thread(target=self._beat, args=(run_id, holder, stop), name="automl-lease", daemon=True)
        beat.start()
        try:
            if clock := self._clock(run_id):
                clock.resume()
            yield
        finally:
            stop.set()
            beat.join()
            with suppress(InputError):  # on a full disk: the lease ends with this process, too
                if clock := self._clock(run_id):
                    clock.pause()
                self._database.write("DELETE FROM leases WHERE run_id = ? AND token = ?", run_id, holder.token)

    def _clock(self, run_id: str) -> Clock | None:
        return _clocks.get((self._database, run_id))

    def worker_of(self, run_id: str) -> int | None:
        """Number of the live process that works on a run; `None` when there is none."""
        rows = self._database.read(
            "SELECT pid, machine, started, token, heartbeat FROM leases WHERE run_id = ?", run_id
        )
        if rows and (holder := Holder(*rows[0][:4])).is_live(heartbeat=rows[0][4]):
            return holder.pid
        return None

    def _take_lease(self, run_id: str, holder: Holder, out: Path | None) -> None:
        with self._database.transaction():
            if pid := self.worker_of(run_id):
                raise InputError(
                    f"Run {run_id} is already being worked on by process {pid}.",
                    hint="Wait until it ends, or stop that process.",
                )
            if out is not None:
                self._take_place(run_id, out)
            self._database.write(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                run_id, holder.pid, holder.machine, holder.started, holder.token, time.time(),
            )  # fmt: skip

    def _take_place(self, run_id: str, out: Path) -> None:
        rows = self._database.read("SELECT run_id FROM outputs WHERE place = ? AND run_id != ?", str(out), run_id)
        if rows and (pid := self.worker_of(rows[0][0])):
            raise InputError(
                f"Output folder {out} belongs to run {rows[0][0]}, which process {pid} is working on.",
                hint="Give another one with --out, or wait until that run ends.",
            )
        self._database.write("INSERT OR REPLACE INTO outputs VALUES (?, ?)", str(out), run_id)

    def _beat(self, run_id: str, holder: Holder, stop: threading.Event) -> None:
        """Show that we live, and keep the clock's memory fresh while a stage takes its time."""
        while not stop.wait(HEARTBEAT_SECONDS):
            with suppress(InputError):  # a full disk is reported by whoever needs to write
                if clock := self._clock(run_id):
                    clock.tick()
                self._database.write("UPDATE leases SET heartbeat = ? WHERE token = ?", time.time(), holder.token)
