"""A small SQLite file that threads and processes share."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from automl_agent.errors import InputError
from automl_agent.execution.storage import storage_error

_BUSY_SECONDS = 60.0

_open: WeakValueDictionary[tuple[int, Path], Database] = WeakValueDictionary()
_opening = threading.Lock()


def open_database(path: Path, schema: tuple[str, ...]) -> Database:
    """The database in a file; while this process has it open, the same object.

    Raises:
        InputError: when the file cannot be opened or is no database.
    """
    with _opening:
        key = (os.getpid(), path.resolve())  # a connection must not be carried over a fork
        database = _open.get(key)
        if database is None or not database.is_current():
            database = _open[key] = Database(path, schema)
        return database


class Database:
    """One connection to one file, used by one thread at a time. Every statement outside `transaction` stands alone."""

    def __init__(self, path: Path, schema: tuple[str, ...]) -> None:
        """
        Args:
            path: The file; it is made when there is none.
            schema: Statements that may be repeated (`CREATE ... IF NOT EXISTS`).

        Raises:
            InputError: when the file cannot be opened or is no database.
        """
        self._path = path
        self._lock = threading.RLock()
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            weakref.finalize(self, self._connection.close)
            _use_write_ahead_log(self._connection)
            self._connection.execute("PRAGMA synchronous = NORMAL")
        with self.transaction():
            for statement in schema:
                self.write(statement)
        self._inode = path.stat().st_ino

    def read(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, self._translated():
            return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, *values: Any) -> int:
        """Run a statement; gives the number of rows that it changed."""
        with self._lock, self._translated():
            return self._connection.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements or none, with no other writer in between."""
        with self._lock:
            self.write("BEGIN IMMEDIATE")
            try:
                yield
                self.write("COMMIT")
            except BaseException:
                with suppress(InputError):  # after some errors SQLite has rolled back by itself
                    self.write("ROLLBACK")
                raise

    def is_current(self) -> bool:
        """Whether the file that we have open is the one that lies there now."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What SQLite reports, a full disk for one, as one line that names the file."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if found := storage_error(error, [self._path.parent]):
                raise found from error
            raise InputError(f"The file {self._path} cannot be used: {error}.") from error


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once, where the file system can.

    Two processes that make the same file at the same moment can meet an error here that the busy time-out does not
    cover, so we try again. A file system without shared memory keeps the rollback journal, which is slower only.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
