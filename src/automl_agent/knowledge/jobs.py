"""What a worker does for retrieval: the store, the network that reads sentences and Chroma take some 200 MB, which are
gone with the worker (`Job.ends`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.settings import Settings


def retrieve(*, settings: dict[str, Any], query: str, family: str, meta: Mapping[str, float], k: int) -> dict[str, Any]:
    """`KnowledgeStore.retrieve` in the store of these settings.

    Returns:
        `notes`, as JSON, and `warnings`.
    """
    with KnowledgeStore.of(Settings.model_validate(settings)) as store:
        notes = store.retrieve(query, family=family, meta=meta, k=k)
        return {"notes": [note.model_dump(mode="json") for note in notes], "warnings": list(store.warnings)}
