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
        notes = _retrieved(task, profile, stage)
    except Exception as error:  # the boundary to a plug-in: knowledge is a suggestion
        text = f"No notes were retrieved: {type(error).__name__}: {error}"
        stage.remark(text, "warning")
        return {"notes": [], "warnings": {"knowledge": text}}
    return {"notes": list(notes)}


def _retrieved(task: TaskSpec, profile: DataProfile, stage: Stage) -> tuple[Note, ...]:
    meta = {**profile.meta, "budget": stage.budget}
    words = f"{task.words} {task.family.replace('_', ' ')} {task.metric}"
    if stage.services.retriever is not None:
        return stage.services.retriever.retrieve(words, family=task.family, meta=meta, k=NOTES)
    with KnowledgeStore(stage.settings.home_path) as store:
        return store.retrieve(words, family=task.family, meta=meta, k=NOTES)
