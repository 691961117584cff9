"""Answers that were paid for, kept for a run that is resumed and, by setting, for later runs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from automl_agent.execution.database import open_database
from automl_agent.execution.home import prepare_home
from automl_agent.llm.answers import Answer

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS answers (
        run_id TEXT NOT NULL, key TEXT NOT NULL, answer TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (key, run_id))""",
)


def answer_key(model: Mapping[str, object], messages: Sequence[tuple[str, str]], shape: object, attempt: int) -> str:
    """A name for the answer to a question: two questions that differ in anything have different ones.

    Args:
        model: Name, address and parameters; no key of an account.
        messages: Who says what.
        shape: The schema and the form that it was asked for in.
        attempt: How often the question was put before.
    """
    text = json.dumps([dict(model), list(messages), shape, attempt], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class AnswerStore:
    """The answers of all runs of a home folder, in `home/answers.sqlite`."""

    def __init__(self, home: Path, run_id: str, *, across_runs: bool) -> None:
        """
        Args:
            across_runs: Whether answers of other runs are used, not only those of this one.
        """
        self._database = open_database(prepare_home(home) / "answers.sqlite", _SCHEMA)
        self._run_id = run_id
        self._across_runs = across_runs

    def get(self, key: str) -> Answer | None:
        rows = self._database.read(
            "SELECT answer FROM answers WHERE key = ? AND (run_id = ? OR ?) ORDER BY run_id = ? DESC, at DESC LIMIT 1",
            key, self._run_id, self._across_runs, self._run_id,
        )  # fmt: skip
        try:
            return Answer.model_validate_json(rows[0][0]) if rows else None
        except ValidationError:  # written by another version
            return None

    def put(self, key: str, answer: Answer) -> None:
        self._database.write(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
            self._run_id,
            key,
            answer.model_dump_json(),
            time.time(),
        )
