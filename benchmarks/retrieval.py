"""How well notes are found: by meaning, by words, by both; on the half of the queries that was tuned on, and the other.

    python benchmarks/retrieval.py

The queries are those of `tests/data/knowledge_queries.yaml`. The result lies in `results/retrieval.json`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from automl_agent.knowledge.embedding import Embedding, HashedWords
from automl_agent.knowledge.notes import default_folder, load_notes
from automl_agent.knowledge.ranking import document
from automl_agent.knowledge.sentences import Sentences
from automl_agent.knowledge.store import KnowledgeStore
from knowledge_queries import QUERIES, quality

RESULT = Path(__file__).parent / "results" / "retrieval.json"


def measured(name: str, embedding: Embedding | None) -> dict[str, object]:
    """One embedding, in a store of its own."""
    with tempfile.TemporaryDirectory() as folder, KnowledgeStore(Path(folder), embedding=embedding) as store:
        built = store.update()
        row: dict[str, object] = {"search": name, "build_s": built["seconds"]}
        started = time.perf_counter()
        for half in ("tuned", "held_out"):
            hits, mrr = quality(store, half)
            row |= {f"hit@5 {half}": round(hits, 3), f"mrr {half}": round(mrr, 3)}
        return row | {"query_ms": round((time.perf_counter() - started) * 1000 / len(QUERIES), 1)}


def main() -> None:
    notes = load_notes(default_folder())
    sentences = Sentences.installed()
    assert sentences is not None, "pip install 'automl-agent[knowledge]'"
    words = HashedWords.learn([document(note) for note in notes])
    rows = [measured("meaning", sentences), measured("words", words), measured("both (the default)", None)]
    counts = {half: sum(one["half"] == half for one in QUERIES) for half in ("tuned", "held_out")}
    result = {"notes": len(notes), "queries": counts, "rows": rows,
              "versions": {name: version(name) for name in ("automl-agent", "chromadb", "onnxruntime")}}  # fmt: skip
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
