"""Where the vectors of the notes lie: in Chroma on disk, or, when that fails, in memory."""

from __future__ import annotations

import hashlib
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from automl_agent.knowledge.embedding import Embedding, embedding_name, scaled, slug
from automl_agent.knowledge.ranking import Hit, document
from automl_agent.records import Note

AT_ONCE = 32
"""Notes that are embedded and added at once: thousands of numbers each, as Python objects."""
REACH = 64
"""Notes that a query takes from Chroma before they are ranked."""


class StoreError(Exception):
    """Chroma cannot open, read or write its files."""


@dataclass(frozen=True)
class Changes:
    """What bringing an index up to date did, in numbers of notes."""

    added: int
    changed: int
    removed: int
    kept: int


class Index(Protocol):
    def update(self, notes: Sequence[Note]) -> Changes:
        """Make the index hold exactly these notes; only new and changed ones are embedded."""
        ...

    def nearest(self, vector: Sequence[float], family: str | None) -> list[Hit]:
        """Notes of a family (or of all), most similar first."""
        ...

    def close(self) -> None: ...


class MemoryIndex:
    """All vectors in a list: enough for some thousand notes, gone with the process."""

    def __init__(self, embedding: Embedding) -> None:
        self.embedding = embedding
        self._rows: list[tuple[Note, list[float]]] = []

    def update(self, notes: Sequence[Note]) -> Changes:
        vectors = self.embedding.embed_documents([document(note) for note in notes])
        self._rows = [(note, scaled(vector)) for note, vector in zip(notes, vectors, strict=True)]
        return Changes(added=len(notes), changed=0, removed=0, kept=0)

    def nearest(self, vector: Sequence[float], family: str | None) -> list[Hit]:
        hits = [
            Hit(note, row, sum(a * b for a, b in zip(vector, row, strict=True)))
            for note, row in self._rows
            if family is None or family in note.families
        ]
        return sorted(hits, key=lambda hit: (-hit.similarity, hit.note.id))[:REACH]

    def close(self) -> None:
        self._rows = []


class ChromaFiles:
    """A collection of an embedded Chroma store.

    Vectors are always handed over; Chroma's own embedding function, which would download a model, is never in reach.
    """

    def __init__(self, folder: Path, name: str, *, space: str = "cosine") -> None:
        """Open or make it. The caller holds the lock of the folder.

        Raises:
            StoreError: when Chroma cannot open its files.
        """
        _check(folder / "chroma.sqlite3")
        chromadb, function = chroma()
        settings = chromadb.config.Settings(_env_file=None, anonymized_telemetry=False)
        with translated(folder):
            self._client = chromadb.PersistentClient(path=str(folder), settings=settings)
            self.collection = self._client.get_or_create_collection(
                name, embedding_function=function(_not_given), configuration={"hnsw": {"space": space}}
            )

    def close(self) -> None:
        self._client.close()


class ChromaIndex:
    """Notes in an embedded Chroma store: a collection for each kind of embedding, so that versions do not mix."""

    def __init__(self, folder: Path, embedding: Embedding, kind: str) -> None:
        """Open or make the store. The caller holds the lock of the folder.

        Raises:
            StoreError: when Chroma cannot open its files.
        """
        self.embedding = embedding
        self._notes: dict[str, Note] = {}
        self._vectors: dict[str, Sequence[float]] = {}
        self._files = ChromaFiles(folder, f"notes-{slug(kind)}")
        self._collection = self._files.collection

    def update(self, notes: Sequence[Note]) -> Changes:
        name = embedding_name(self.embedding)
        with translated():
            found = self._collection.get(include=["metadatas"])
        have = {key: (meta or {}).get("digest") for key, meta in zip(found["ids"], found["metadatas"], strict=True)}
        want = {note.id: digest(note, name) for note in notes}
        fresh = [note for note in notes if have.get(note.id) != want[note.id]]
        gone = [key for key in have if key not in want]
        changed = [note.id for note in fresh if note.id in have]
        with translated():
            if gone or changed:  # deleted first: writing over a note would keep its old metadata
                self._collection.delete(ids=[*gone, *changed])
        for start in range(0, len(fresh), AT_ONCE):
            part = fresh[start : start + AT_ONCE]
            vectors = self.embedding.embed_documents([document(note) for note in part])
            with translated():
                self._add(part, vectors, want)
        self._notes = {note.id: note for note in notes}
        self._vectors = {}
        return Changes(len(fresh) - len(changed), len(changed), len(gone), len(notes) - len(fresh))

    def nearest(self, vector: Sequence[float], family: str | None) -> list[Hit]:
        with translated():
            found = self._collection.query(
                query_embeddings=[list(vector)],
                n_results=min(REACH, max(1, len(self._notes))),
                where={"families": {"$contains": family}} if family else None,
                include=["distances"],
            )
            if not self._vectors:  # once: handing vectors over with every answer would cost more than the search
                stored = self._collection.get(include=["embeddings"])
                self._vectors = dict(zip(stored["ids"], stored["embeddings"], strict=True))
        rows = zip(found["ids"][0], found["distances"][0], strict=True)
        known = self._notes.keys() & self._vectors.keys()
        hits = [Hit(self._notes[key], self._vectors[key], 1.0 - float(far)) for key, far in rows if key in known]
        return sorted(hits, key=lambda hit: (-hit.similarity, hit.note.id))

    def close(self) -> None:
        self._files.close()

    def _add(self, notes: Sequence[Note], vectors: Sequence[Sequence[float]], digests: dict[str, str]) -> None:
        self._collection.add(
            ids=[note.id for note in notes],
            embeddings=[scaled(vector) for vector in vectors],
            documents=[note.title for note in notes],
            metadatas=[
                {"digest": digests[note.id], "kind": note.kind, "families": list(note.families)} for note in notes
            ],
        )


def digest(note: Note, embedding: str) -> str:
    return hashlib.sha256(f"{embedding}\n{note.model_dump_json()}".encode()).hexdigest()


@contextmanager
def translated(folder: Path | None = None) -> Iterator[None]:
    """What goes wrong inside Chroma (its own errors, SQLite's, half-made objects) becomes a `StoreError`.

    With a folder, what Chroma keeps in this process of a store that failed to open is dropped: the next try starts
    afresh.
    """
    try:
        yield
    except Exception as error:
        if folder is not None:
            with suppress(Exception):
                from chromadb.api.shared_system_client import SharedSystemClient

                SharedSystemClient._identifier_to_system.pop(str(folder), None)
        raise StoreError(f"{type(error).__name__}: {error}") from error


def _check(file: Path) -> None:
    """Look for damage before Chroma does: a damaged file can make it abort the whole process.

    Raises:
        StoreError: when the file is not a sound database.
    """
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(file, timeout=5.0)) as database:
            verdict = str(database.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except (sqlite3.Error, ValueError) as error:  # a message may not even be text
        raise StoreError(f"{type(error).__name__}: {error}") from error
    if verdict != "ok":
        raise StoreError(" ".join(verdict.split()))


def _not_given(_: list[str]) -> list[list[float]]:
    raise RuntimeError("open the collection through KnowledgeStore: its embedding is not stored with it")


def chroma() -> tuple[Any, Callable[[Callable[[list[str]], list[list[float]]]], Any]]:
    """Chroma, imported when it is needed, and a wrapper of an embedding that it accepts.

    Warnings of the import (third parties' deprecations) are kept from the host, and only those.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import chromadb
        import chromadb.config

    class Function(chromadb.EmbeddingFunction[list[str]]):
        def __init__(self, embed: Callable[[list[str]], list[list[float]]]) -> None:
            self._embed = embed

        def __call__(self, input: list[str]) -> Any:
            import numpy as np

            return [np.asarray(vector, dtype=np.float32) for vector in self._embed(list(input))]

        @staticmethod
        def name() -> str:
            return "automl_agent"

        def get_config(self) -> dict[str, Any]:
            return {}

        @staticmethod
        def build_from_config(config: dict[str, Any]) -> Any:  # noqa: ARG004 - Chroma's signature
            return Function(_not_given)

    return chromadb, Function
