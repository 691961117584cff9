"""The beginning of a file that did not come whole, and what it takes to go on with it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from automl_agent.execution.home import write_durably
from automl_agent.records import Record


class Stamp(Record):
    """What a server says of the version of a file."""

    etag: str = ""
    modified: str = ""

    @property
    def validator(self) -> str:
        """What `If-Range` takes: a strong entity tag, or else the date; empty without either."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


@dataclass
class Part:
    """The beginning of a file, and beside it (`.json`) of which version it is."""

    path: Path
    url: str
    whole: int | None = None

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def resumable(self) -> bool:
        return bool(self.size and self._stamp().validator)

    def continuing(self) -> dict[str, str]:
        """Headers that ask for the rest."""
        if not self.resumable:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self._stamp().validator}

    def continues(self, content_range: str) -> bool:
        return re.match(rf"bytes\s+{self.size}-", content_range) is not None

    def begin(self, stamp: Stamp) -> None:
        self.path.write_bytes(b"")
        write_durably(self._facts, json.dumps({"url": self._hash, "stamp": stamp.model_dump()}))

    def finish(self, final: Path) -> int:
        size = self.size
        self.path.replace(final)
        self.remove()
        return size

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._facts.unlink(missing_ok=True)

    @property
    def _hash(self) -> str:  # an address may hold a secret
        return hashlib.sha256(self.url.encode()).hexdigest()

    @property
    def _facts(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def _stamp(self) -> Stamp:
        try:
            facts = json.loads(self._facts.read_text(encoding="utf-8"))
            return Stamp.model_validate(facts["stamp"]) if facts["url"] == self._hash else Stamp()
        except (OSError, ValueError, KeyError, TypeError):
            return Stamp()
