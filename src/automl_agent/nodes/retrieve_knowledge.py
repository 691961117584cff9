"""Stage 5: notes for data of this kind. A store that fails costs the notes, not the run."""

from __future__ import annotations

from typing import Any

from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile, Note, TaskSpec

NOTES = 10


def retrieve_knowledge(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    if not stage.settings.retrieval:
        return {"notes": []}
    try:
        notes, warnings = _retrieved(task, profile, stage)
    except Exception as error:  # the boundary to a plug-in: knowledge is a suggestion
        text = f"No notes were retrieved: {type(error).__name__}: {error}"
        stage.remark(text, "warning")
        return {"notes": [], "warnings": {"knowledge": text}}
    if not warnings:
        return {"notes": list(notes)}
    for warning in warnings:
        stage.remark(warning, "warning")
    return {"notes": list(notes), "warnings": {"knowledge": " ".join(warnings)}}


def _retrieved(task: TaskSpec, profile: DataProfile, stage: Stage) -> tuple[tuple[Note, ...], list[str]]:
    """The notes, and what the store had to make up for."""
    meta = {**profile.meta, "budget": stage.budget}
    words = f"{task.words} {task.family.replace('_', ' ')} {task.metric}"
    given = stage.services.retriever
    if given is not None:
        notes = given.retrieve(words, family=task.family, meta=meta, k=NOTES)
        return notes, list(given.warnings) if isinstance(given, KnowledgeStore) else []
    with KnowledgeStore.of(stage.settings) as store:
        return store.retrieve(words, family=task.family, meta=meta, k=NOTES), store.warnings
