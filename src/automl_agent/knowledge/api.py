"""The knowledge base by hand: what the command line calls."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl_agent.errors import InputError
from automl_agent.knowledge.index import StoreError
from automl_agent.knowledge.notes import note_files, read_note
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
        return list(store.search(query, family=family, meta=meta, k=k))


def add(home: Path, path: Path) -> dict[str, Any]:
    """Copy a note, or all notes of a folder, to the user's own and index them.

    All are checked before any is copied. A note of the same name is replaced.

    Raises:
        InputError: when the path is missing or a note is not valid; names the file and the field.
    """
    files = note_files(path) if path.is_dir() else (path,)
    if not path.exists():
        raise InputError(f"There is no note or folder {path}.")
    if not files:
        raise InputError(f"The folder {path} has no notes.", hint="Notes are files that end in .md.")
    notes = [read_note(file) for file in files]
    store = KnowledgeStore(home)
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
