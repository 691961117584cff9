"""The knowledge base by hand: what the command line calls."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl_agent.errors import InputError
from automl_agent.knowledge.adding import checked_family, files_of
from automl_agent.knowledge.index import StoreError
from automl_agent.knowledge.notes import note_files, read_note
from automl_agent.knowledge.quoting import harmless
from automl_agent.knowledge.sources.asking import Asked, ask
from automl_agent.knowledge.sources.registry import named_sources
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.records import Note


def build(home: Path, folder: Path | None = None) -> dict[str, Any]:
    """Make the store anew, from the notes of a folder (those of the library by default) and the user's own.

    Returns what was done: numbers of `notes`, `added`, `changed` and `removed`, `embedding`, `folder`, `seconds`.

    Raises:
        InputError: when a note or the folder is not valid, or the store cannot be written.
    """
    return _updated(home, folder, rebuild=True)


def sync(home: Path, folder: Path | None = None) -> dict[str, Any]:
    """Bring the store up to date: only new and changed notes are embedded.

    Raises:
        InputError: as `build`.
    """
    return _updated(home, folder, rebuild=False)


def search(home: Path, query: str, family: str | None = None, k: int = 5, *,
           meta: Mapping[str, float] | None = None, folder: Path | None = None) -> list[Note]:  # fmt: skip
    """The `k` notes that fit a query best, most relevant first.

    Raises:
        InputError: when the query is empty or a note is not valid.
    """
    if not query.strip():
        raise InputError("The query is empty.", hint="Describe the data and the task in a few words.")
    with KnowledgeStore(home, folder) as store:
        return [harmless(note) for note in store.search(query, family=family, meta=meta, k=k)]


def search_live(home: Path, query: str, sources: Sequence[str], family: str | None = None) -> Asked:
    """Notes that live sources bring for a query, and what went wrong with some.

    Args:
        sources: names of sources, or `package.module:Class`.

    Raises:
        InputError: when a source or the family is not known.
    """
    return ask(named_sources(sources), query, checked_family(family), home=home)


def listed(home: Path, family: str | None = None) -> list[tuple[Note, bool]]:
    """All notes (of a family) by id, each with whether it is one of the user's own.

    Raises:
        InputError: when the family is not known.
    """
    checked_family(family)
    with KnowledgeStore(home) as store:
        own = {path.stem for path in note_files(store.own)} if store.own.is_dir() else set()
        notes = [harmless(note) for note in store.notes() if family is None or family in note.families]
    return [(note, note.id in own) for note in notes]


def add(home: Path, given: Path | str, family: str | None = None) -> dict[str, Any]:
    """Copy a note, or all notes of a folder, to the user's own and index them.

    All are checked before any is copied. A note of the same name is replaced.

    Args:
        given: a file or folder; or the address of a note, or a paper at arXiv (id or address), which are loaded.
        family: for a paper, the only task family that it is for; all of them otherwise.

    Raises:
        InputError: when there is nothing or a note is not valid; names the file and the field.
    """
    store = KnowledgeStore(home)
    with tempfile.TemporaryDirectory() as scratch:
        files = files_of(str(given), family, Path(scratch))
        notes = [read_note(file) for file in files]
        try:
            store.own.mkdir(parents=True, exist_ok=True)
            for file, note in zip(files, notes, strict=True):
                if file.resolve().parent != store.own.resolve():
                    shutil.copyfile(file, store.own / f"{note.id}.md")
        except OSError as error:
            raise InputError(f"Notes cannot be written to {store.own}: {error}.") from error
    return _updated(home, None, rebuild=False)


def _updated(home: Path, folder: Path | None, rebuild: bool) -> dict[str, Any]:
    with KnowledgeStore(home, folder) as store:
        try:
            return store.update(rebuild=rebuild)
        except OSError as error:
            raise InputError(f"The knowledge store in {store.root} cannot be written: {error}.") from error
        except StoreError as error:
            hint = "Make it anew with: automl-agent knowledge build"
            raise InputError(f"The knowledge store in {store.root} is damaged ({error}).", hint=hint) from error
