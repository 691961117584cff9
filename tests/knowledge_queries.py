"""The labelled queries of `data/knowledge_queries.yaml`, and how well a store answers them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from automl_agent.knowledge.store import KnowledgeStore

QUERIES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "data" / "knowledge_queries.yaml").read_text())
DEPTH = 10
"""Notes down to which the first right one is looked for."""


def quality(store: KnowledgeStore, half: str) -> tuple[float, float]:
    """hit@5, the share of queries with a wanted note among the first five, and MRR, the mean reciprocal rank of the
    first wanted note (0 below `DEPTH`), as `retrieve` answers them: within the family, with the profile."""
    ranks = []
    for one in QUERIES:
        if one["half"] == half:
            found = store.retrieve(one["query"], family=one["family"], meta=one.get("meta", {}), k=DEPTH)
            hits = [place for place, note in enumerate(found, 1) if note.id in one["wanted"]]
            ranks.append(hits[0] if hits else DEPTH + 1)
    return (sum(rank <= 5 for rank in ranks) / len(ranks),
            sum(1 / rank for rank in ranks if rank <= DEPTH) / len(ranks))  # fmt: skip
