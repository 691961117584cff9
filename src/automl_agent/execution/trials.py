"""Remembers what every trial gave, so that resume, revision and re-runs repeat none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from automl_agent.execution.database import open_database
from automl_agent.execution.home import checked_name, prepare_home
from automl_agent.execution.unfinished import clear_dead

_SCHEMA = ("CREATE TABLE IF NOT EXISTS trials (key TEXT PRIMARY KEY, result TEXT NOT NULL)",)

_RESULT = "result.json"


def digest(folder: Path) -> str:
    """A checksum of the names and contents of all files below a folder, but for the result that holds it."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / _RESULT):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\n{content}\n".encode())
    return whole.hexdigest()


class TrialStore:
    """Results by key in `home/trials.sqlite`, files by key below `home/trials`. Threads and processes may share it."""

    def __init__(self, home: Path) -> None:
        self.root = prepare_home(home) / "trials"
        self._database = open_database(home / "trials.sqlite", _SCHEMA)

    @staticmethod
    def key(**parts: Any) -> str:
        """The key of what is described by `parts` (JSON values): equal parts, in any order, have equal keys."""
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def get(self, key: str) -> dict[str, Any] | None:
        """What is stored, a failure (`{"error", "kind"}`) included; `None` when there is nothing, or no folder.

        A folder whose files are not those that the trial wrote is not used: the trial is run again, and its new folder
        takes the place. It is not removed here: another plan may just have trained it anew, and not said so yet.
        """
        rows = self._database.read("SELECT result FROM trials WHERE key = ?", key)
        try:
            result = json.loads(rows[0][0]) if rows else None
        except (ValueError, TypeError, RecursionError):
            result = None
        if not isinstance(result, dict) or "error" in result:
            return result if isinstance(result, dict) else None
        folder = self.folder(key)
        if not folder.is_dir() or ("digest" in result and digest(folder) != result["digest"]):
            return None
        return result

    def put(self, key: str, result: dict[str, Any]) -> None:
        """Store a result (a JSON object).

        A failure is stored when its `kind` is `error`: what timed out, outgrew its memory, crashed or was cancelled
        may succeed another time.
        """
        if "error" in result and result.get("kind", "error") != "error":
            return
        self._database.write("INSERT OR REPLACE INTO trials VALUES (?, ?)", key, json.dumps(result))

    def clear_dead(self) -> None:
        """Remove what killed workers left half-written."""
        clear_dead(self.root, "*/")

    def folder(self, key: str) -> Path:
        """Where the files of a trial lie. It is not made here."""
        return self.root / checked_name(key)[:2] / key
