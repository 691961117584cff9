"""Stage 5: notes for data of this kind. A store or a source that fails costs its notes, not the run."""

from __future__ import annotations

from typing import Any

from automl_agent.delivery.words import plural, short
from automl_agent.knowledge.quoting import harmless
from automl_agent.knowledge.sources.asking import SECONDS, ask
from automl_agent.knowledge.sources.registry import named_sources
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile, Note, TaskSpec

NOTES = 10
LEADING = 4
"""Notes of the knowledge base that stand before those of live sources: they are curated, and know their conditions."""
LIVE = 4
"""Notes of live sources that a run uses at most, so that they do not outvote the others."""
LIVE_SHARE = 0.1
"""Share of the time left that asking live sources may take at most."""


def retrieve_knowledge(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    if not stage.settings.retrieval:
        return {"notes": []}
    warnings: dict[str, str] = {}
    notes: tuple[Note, ...] = ()
    try:
        notes = tuple(harmless(note) for note in _retrieved(task, profile, stage))
    except Exception as error:  # the boundary to a plug-in: knowledge is a suggestion
        warnings["knowledge"] = f"No notes were retrieved: {type(error).__name__}: {short(str(error), 300)}"
    live, troubles = _live(task, stage)
    warnings |= troubles
    for text in warnings.values():
        stage.remark(text, "warning")
    found = {"notes": [*notes[:LEADING], *live, *notes[LEADING:]]}
    return {**found, "warnings": warnings} if warnings else found


def _retrieved(task: TaskSpec, profile: DataProfile, stage: Stage) -> tuple[Note, ...]:
    meta = {**profile.meta, "budget": stage.budget}
    words = f"{task.words} {task.family.replace('_', ' ')} {task.metric}"
    if stage.services.retriever is not None:
        return stage.services.retriever.retrieve(words, family=task.family, meta=meta, k=NOTES)
    with KnowledgeStore(stage.settings.home_path) as store:
        return store.retrieve(words, family=task.family, meta=meta, k=NOTES)


def _live(task: TaskSpec, stage: Stage) -> tuple[tuple[Note, ...], dict[str, str]]:
    """Notes of the sources that the settings name, and what went wrong with some, as warnings."""
    sources = named_sources(stage.settings.sources)
    if not sources:
        return (), {}
    seconds = min(SECONDS, LIVE_SHARE * stage.left())
    asked = ask(sources, task.words, task.family, home=stage.settings.home_path, seconds=seconds)
    stage.remark(f"Asked {', '.join(source.title for source in sources.values())}: {plural(len(asked.notes), 'note')}.")
    return asked.notes[:LIVE], {f"knowledge_{name}": text for name, text in asked.troubles.items()}
