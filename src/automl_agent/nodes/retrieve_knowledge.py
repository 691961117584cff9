"""Stage 5: notes for data of this kind. A store that fails costs the notes, not the run."""

from __future__ import annotations

from typing import Any

from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile, TaskSpec

NOTES = 10


def retrieve_knowledge(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    if not stage.settings.retrieval:
        return {"notes": []}
    try:
        retriever = stage.services.retriever or KnowledgeStore(stage.settings.home_path)
        meta = {**profile.meta, "budget": stage.budget}
        notes = retriever.retrieve(query(task, profile), family=task.family, meta=meta, k=NOTES)
    except Exception as error:  # the boundary to a plug-in: knowledge is a suggestion
        text = f"No notes were retrieved: {type(error).__name__}: {error}"
        stage.remark(text, "warning")
        return {"notes": [], "warnings": {"knowledge": text}}
    return {"notes": list(notes)}


def query(task: TaskSpec, profile: DataProfile) -> str:
    """The task and the striking facts of the data, in words a note would use."""
    words = [task.words, task.family.replace("_", " "), f"metric {task.metric}"]
    meta = profile.meta
    if meta.get("rows", 1e9) < 3000:
        words.append("small data few rows")
    if meta.get("rows", 0) > 50_000:
        words.append("large data many rows")
    if meta.get("high_cardinality", 0) > 0:
        words.append("high-cardinality categories")
    if meta.get("missing_share", 0) > 0.05:
        words.append("missing values")
    if meta.get("minority_share", 0.5) < 0.2:
        words.append("imbalanced classes rare positive")
    if meta.get("target_skew", 0) > 1:
        words.append("skewed target")
    if any(constraint.measure == "latency_ms" for constraint in task.constraints):
        words.append("low latency deployment")
    return ". ".join(words)
