"""What the planner asks of a knowledge store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from automl_agent.records import Note


class Retriever(Protocol):
    def retrieve(self, query: str, *, family: str, meta: Mapping[str, float], k: int = 8) -> tuple[Note, ...]:
        """The `k` most useful notes for a task of this family, most relevant first.

        `meta` holds the measured meta-features. Notes whose conditions fail are returned with `applies=False`, ranked
        behind those that hold.
        """
        ...
