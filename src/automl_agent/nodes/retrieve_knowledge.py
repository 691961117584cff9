"""Stage 5: notes, and experience, for data of this kind. A store that fails costs the notes, not the run."""

from __future__ import annotations

from typing import Any

from automl_agent.knowledge.experience import Experience, data_hash
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile, Note, TaskSpec

NOTES = 10
EPISODES = 4
Found = tuple[tuple[Note, ...], list[str]]
"""Notes, and what went wrong on the way."""


def retrieve_knowledge(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    if not stage.settings.retrieval:
        return {"notes": []}
    notes: list[Note] = []
    warnings: dict[str, str] = {}
    for name, source in (("knowledge", _retrieved), ("experience", _experienced)):
        try:
            found, troubles = source(task, profile, stage)
        except Exception as error:  # the boundary to a plug-in: knowledge is a suggestion
            found, troubles = (), [f"No {name} was retrieved: {type(error).__name__}: {error}"]
        notes += found
        for trouble in troubles:
            stage.remark(trouble, "warning")
        if troubles:
            warnings[name] = " ".join(troubles)
    return {"notes": notes, "warnings": warnings}


def _retrieved(task: TaskSpec, profile: DataProfile, stage: Stage) -> Found:
    meta = {**profile.meta, "budget": stage.budget}
    words = f"{task.words} {task.family.replace('_', ' ')} {task.metric}"
    given = stage.services.retriever
    if given is not None:
        notes = given.retrieve(words, family=task.family, meta=meta, k=NOTES)
        return notes, list(given.warnings) if isinstance(given, KnowledgeStore) else []
    with KnowledgeStore.of(stage.settings) as store:
        return store.retrieve(words, family=task.family, meta=meta, k=NOTES), store.warnings


def _experienced(task: TaskSpec, profile: DataProfile, stage: Stage) -> Found:
    """What scored best on other data like these; the same data do not count, so that a repeated run repeats."""
    if stage.settings.experience == "off":
        return (), []
    notes = Experience(stage.settings.home_path).similar(
        task.family, profile.meta, other_than=data_hash(profile), candidates=stage.allowed(task, profile), k=EPISODES
    )
    return notes, []
