"""Stage 5: notes, live sources and experience for data of this kind. What fails costs its notes, not the run."""

from __future__ import annotations

from typing import Any

from automl_agent.delivery.words import plural, short
from automl_agent.execution.protocol import Job
from automl_agent.knowledge.experience import Experience, data_hash
from automl_agent.knowledge.quoting import harmless
from automl_agent.knowledge.sources.asking import SECONDS, ask
from automl_agent.knowledge.sources.registry import named_sources
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile, Note, TaskSpec

NOTES = 10
LEADING = 4
"""Notes of the knowledge base that stand before all others: they are curated, and know their conditions."""
EPISODES = 4
LIVE = 4
"""Notes of live sources that a run uses at most, so that they do not outvote the others."""
LIVE_SHARE = 0.1
"""Share of the time left that asking live sources may take at most."""
SECONDS_AT_MOST = 60.0
"""For finding notes in the store; the first time in a home, it is made."""
Found = tuple[tuple[Note, ...], dict[str, str]]
"""Notes, and what went wrong on the way, by what it concerns."""


def retrieve_knowledge(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    if not stage.settings.retrieval:
        return {"notes": []}
    found: list[tuple[Note, ...]] = []
    warnings: dict[str, str] = {}
    for name, source in (("knowledge", _retrieved), ("experience", _experienced), ("sources", _live)):
        try:
            notes, troubles = source(task, profile, stage)
        except Exception as error:  # the boundary to a plug-in: knowledge is a suggestion
            text = f"Nothing was retrieved ({name}): {type(error).__name__}: {short(str(error), 300)}"
            notes, troubles = (), {name: text}
        found.append(tuple(harmless(note) for note in notes))
        warnings |= troubles
    for text in warnings.values():
        stage.remark(text, "warning")
    curated, experienced, live = found
    return {"notes": [*curated[:LEADING], *experienced, *live, *curated[LEADING:]], "warnings": warnings}


def _retrieved(task: TaskSpec, profile: DataProfile, stage: Stage) -> Found:
    words = f"{task.words} {task.family.replace('_', ' ')} {task.metric}"
    given = stage.services.retriever
    if given is not None:
        notes = given.retrieve(words, family=task.family, meta=profile.meta, k=NOTES)
        return notes, _troubles(given.warnings if isinstance(given, KnowledgeStore) else [])
    if stage.settings.knowledge_server is not None:  # its token stays in this process
        with KnowledgeStore.of(stage.settings) as store:
            return store.retrieve(words, family=task.family, meta=profile.meta, k=NOTES), _troubles(store.warnings)
    arguments = {"settings": stage.settings.model_dump(mode="json"), "query": words, "family": task.family,
                 "meta": profile.meta, "k": NOTES}  # fmt: skip
    job = Job("automl_agent.knowledge.jobs:retrieve", arguments, timeout=SECONDS_AT_MOST, ends=True)
    found = stage.pool.submit(job).result()
    return tuple(Note.model_validate(note) for note in found["notes"]), _troubles(found["warnings"])


def _troubles(texts: list[str]) -> dict[str, str]:
    return {"knowledge": " ".join(texts)} if texts else {}


def _experienced(task: TaskSpec, profile: DataProfile, stage: Stage) -> Found:
    """What scored best on other data like these; the same data do not count, so that a repeated run repeats."""
    if stage.settings.experience == "off":
        return (), {}
    notes = Experience(stage.settings.home_path).similar(
        task.family, profile.meta, other_than=data_hash(profile), candidates=stage.allowed(task, profile), k=EPISODES
    )
    return notes, {}


def _live(task: TaskSpec, _: DataProfile, stage: Stage) -> Found:
    """Notes of the sources that the settings name."""
    sources = named_sources(stage.settings.sources)
    if not sources:
        return (), {}
    seconds = min(SECONDS, LIVE_SHARE * stage.left())
    asked = ask(sources, task.words, task.family, home=stage.settings.home_path, seconds=seconds)
    stage.remark(f"Asked {', '.join(source.title for source in sources.values())}: {plural(len(asked.notes), 'note')}.")
    return asked.notes[:LIVE], {f"knowledge_{name}": text for name, text in asked.troubles.items()}
