"""The knowledge base by hand: what the command line calls.

`notes` is a team's folder of notes, `server` the address of a team's Chroma server, as for `KnowledgeStore`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from automl_agent.errors import InputError
from automl_agent.knowledge.adding import checked_family, files_of
from automl_agent.knowledge.index import StoreError
from automl_agent.knowledge.notes import note_files, read_note
from automl_agent.knowledge.quoting import harmless
from automl_agent.knowledge.server import TOKEN, ServerError
from automl_agent.knowledge.sources.asking import Asked, ask
from automl_agent.knowledge.sources.registry import named_sources
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
        return [harmless(note) for note in store.search(query, family=family, meta=meta, k=k)]


def search_live(home: Path, query: str, sources: Sequence[str], family: str | None = None) -> Asked:
    """Notes that live sources bring for a query, and what went wrong with some.

    Args:
        sources: names of sources, or `package.module:Class`.

    Raises:
        InputError: when a source or the family is not known.
    """
    return ask(named_sources(sources), query, checked_family(family), home=home)


def listed(home: Path, family: str | None = None, *, notes: Path | None = None) -> list[tuple[Note, bool]]:
    """All notes (of a family) by id, each with whether it is one of the user's own.

    Args:
        notes: a folder of a team's notes, which are listed, too.

    Raises:
        InputError: when the family is not known, or the folder or one of its notes is not valid.
    """
    checked_family(family)
    with KnowledgeStore(home, notes=notes) as store:
        store.check()
        own = {path.stem for path in note_files(store.own)} if store.own.is_dir() else set()
        found = [harmless(note) for note in store.notes() if family is None or family in note.families]
    return [(note, note.id in own) for note in found]


def add(home: Path, given: Path | str, family: str | None = None, *, server: str | None = None) -> dict[str, Any]:
    """Copy a note, or all notes of a folder, to the user's own and index them.

    All are checked before any is copied. A note of the same name is replaced.

    Args:
        given: a file or folder; or the address of a note, or a paper at arXiv (id or address), which are loaded.
        family: for a paper, the only task family that it is for; all of them otherwise.

    Raises:
        InputError: when there is nothing or a note is not valid (names the file and the field); as `build`.
    """
    with tempfile.TemporaryDirectory() as scratch, KnowledgeStore(home, server=server) as store:
        files = files_of(str(given), family, Path(scratch))
        notes = [read_note(file) for file in files]
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
