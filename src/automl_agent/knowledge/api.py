"""The knowledge base by hand: what the command line calls.

`notes` is a team's folder of notes, `server` the address of a team's Chroma server, as for `KnowledgeStore`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from automl_agent.errors import InputError
from automl_agent.knowledge.index import StoreError
from automl_agent.knowledge.notes import note_files, read_note
from automl_agent.knowledge.server import TOKEN, ServerError
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.records import Note


def build(home: Path, folder: Path | None = None, *, server: str | None = None) -> dict[str, Any]:
    """Make the store anew, from the notes of a folder (those of the library by default) and the user's own.

    Returns what was done: numbers of `notes`, `added`, `changed` and `removed`, `embedding`, `folder`, `seconds`; with
    a server also its address and the number of notes that were `shared` with it.

    Raises:
        InputError: when a note or the folder is not valid, the store cannot be written, or the server cannot be used.
    """
    with KnowledgeStore(home, folder, server=server) as store:
        return _done(store, lambda: store.update(rebuild=True))


def sync(home: Path, folder: Path | None = None, *, notes: Path | None = None, server: str | None = None
         ) -> dict[str, Any]:  # fmt: skip
    """Bring the store up to date: only new and changed notes are embedded.

    Raises:
        InputError: as `build`.
    """
    with KnowledgeStore(home, folder, notes=notes, server=server) as store:
        return _done(store, store.update)


def search(home: Path, query: str, family: str | None = None, k: int = 5, *, meta: Mapping[str, float] | None = None,
           folder: Path | None = None, notes: Path | None = None, server: str | None = None) -> list[Note]:  # fmt: skip
    """The `k` notes that fit a query best, most relevant first. A server that cannot be used costs its notes only.

    Raises:
        InputError: when the query is empty, a note is not valid, or the address of the server is none.
    """
    if not query.strip():
        raise InputError("The query is empty.", hint="Describe the data and the task in a few words.")
    with KnowledgeStore(home, folder, notes=notes, server=server) as store:
        store.check()
        return list(store.search(query, family=family, meta=meta, k=k))


def add(home: Path, path: Path, *, server: str | None = None) -> dict[str, Any]:
    """Copy a note, or all notes of a folder, to the user's own and index them.

    All are checked before any is copied. A note of the same name is replaced.

    Raises:
        InputError: when the path is missing or a note is not valid (names the file and the field); as `build`.
    """
    files = note_files(path) if path.is_dir() else (path,)
    if not path.exists():
        raise InputError(f"There is no note or folder {path}.")
    if not files:
        raise InputError(f"The folder {path} has no notes.", hint="Notes are files that end in .md.")
    notes = [read_note(file) for file in files]
    with KnowledgeStore(home, server=server) as store:
        store.check()
        try:
            store.own.mkdir(parents=True, exist_ok=True)
            for file, note in zip(files, notes, strict=True):
                if file.resolve().parent != store.own.resolve():
                    shutil.copyfile(file, store.own / f"{note.id}.md")
        except OSError as error:
            raise InputError(f"Notes cannot be written to {store.own}: {error}.") from error
        return _done(store, store.update)


def remove(home: Path, name: str, *, server: str | None = None) -> dict[str, Any]:
    """Take a note of the user's own out, here and from the server.

    Raises:
        InputError: when there is none of that name; as `build`.
    """
    with KnowledgeStore(home, server=server) as store:
        return _done(store, lambda: store.remove(name))


def _done(store: KnowledgeStore, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the work says was done; what went wrong becomes an `InputError`."""
    store.check()
    try:
        return work()
    except OSError as error:
        raise InputError(f"The knowledge store in {store.root} cannot be written: {error}.") from error
    except StoreError as error:
        hint = "Make it anew with: automl-agent knowledge build"
        raise InputError(f"The knowledge store in {store.root} is damaged ({error}).", hint=hint) from error
    except ServerError as error:
        hint = f"Check the address, that it is up, and {TOKEN}."
        raise InputError(f"The knowledge server {store.server} cannot be used ({error}).", hint=hint) from error
