"""The knowledge store: notes in, the useful ones out.

It keeps itself up to date: a note that was edited is embedded anew on the next use. A store that is damaged, locked or
not writable does not cost the run: the notes are then ranked in memory. Nor does a team's server: notes of others are
then missing. Both are told in `warnings` and in the log.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from automl_agent.errors import InputError
from automl_agent.execution.home import write_durably
from automl_agent.knowledge.embedding import Embedding, Fused, HashedWords, embedding_name, scaled
from automl_agent.knowledge.index import Changes, ChromaIndex, Index, MemoryIndex, StoreError
from automl_agent.knowledge.lock import exclusive
from automl_agent.knowledge.notes import default_folder, load_notes, note_files, read_note
from automl_agent.knowledge.ranking import Hit, document, facts, ranked
from automl_agent.knowledge.sentences import Sentences
from automl_agent.knowledge.server import Access, ServerError, ServerIndex
from automl_agent.knowledge.words import terms
from automl_agent.records import Note
from automl_agent.settings import Settings

FACTS_WEIGHT = 0.2
"""Weight of the measured facts beside the words of a query."""
DENSE_WEIGHT = 0.35
"""Weight of the sentence embedding's likeness beside that of words."""
RELEARN = 0.25
"""Share of the library's notes that may be new before the weights of terms are learned anew and all is embedded again.
Notes of users have no part in it: they come and go without touching the vectors of others."""
LOCK_SECONDS = 10.0

_log = logging.getLogger(__name__)


class KnowledgeStore:
    """Notes of the library (or of `folder`), the user's own and a team's, found by meaning and by measured facts.

    `home` is the folder of the library's working files; the store lies in `home/knowledge`, the user's own notes in
    `home/knowledge/notes`. `notes` is a team's folder, `server` the address of a Chroma server that a team shares: own
    notes and those of the folder are put there, those of others are found there. Of notes of one name the folder's
    counts, then the user's own, then the server's, then the library's. `embedding` is any object with
    `embed_documents` and `embed_query`; by default a sentence embedding (extra `knowledge`) beside hashed words, which
    alone need no model file. Neither needs a network.
    """

    def __init__(self, home: Path, folder: Path | None = None, embedding: Embedding | None = None, *,
                 notes: Path | None = None, server: str | None = None) -> None:  # fmt: skip
        self.root = Path(home) / "knowledge"
        self.own = self.root / "notes"
        self.folder = folder
        self.team = notes
        self.server = server
        self.warnings: list[str] = []
        """What did not work so far, and was made up for."""
        self._given = embedding
        self._index: Index | None = None
        self._embedding: Embedding | None = None
        self._shared: ServerIndex | None = None
        self._ours: dict[str, Note] = {}
        """The notes that are not the library's, by name."""
        self._opening = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> KnowledgeStore:
        """The store of a run."""
        team = Path(settings.notes).expanduser() if settings.notes else None
        return cls(settings.home_path, notes=team, server=settings.knowledge_server)

    def check(self) -> None:
        """Find out before any work whether what was named can be used; the server is not asked.

        Raises:
            InputError: when the team's folder is missing or has no notes, one of them is not valid (names the file and
                the field), or the address of the server or its token is not valid.
        """
        if self.team is not None and not load_notes(self.team):
            raise InputError(f"The folder {self.team} has no notes.", hint="Notes are files that end in .md.")
        if self.server is not None:
            Access.of(self.server)

    def __enter__(self) -> KnowledgeStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:  # fmt: skip
        self.close()

    def retrieve(self, query: str, *, family: str, meta: Mapping[str, float], k: int = 8) -> tuple[Note, ...]:
        """The `k` most useful notes for a task of this family, most relevant first.

        `meta` holds the measured meta-features. Notes whose conditions fail are returned with `applies=False` and
        ranked behind those that hold. An empty `meta` means that nothing was measured: all apply.
        """
        return self.search(query, family=family, meta=meta, k=k)

    def search(self, query: str, *, family: str | None = None, meta: Mapping[str, float] | None = None, k: int = 8
               ) -> tuple[Note, ...]:  # fmt: skip
        """As `retrieve`, for one family or for all."""
        if k < 1:
            return ()
        meta = meta or {}
        for last in (False, True):
            index, embedding = self._opened()
            try:
                vector = _query_vector(embedding, query, facts(meta))
                hits = index.nearest(vector, family)
            except Exception as error:
                if last:
                    raise
                self._fall_back(error)
            else:
                return ranked(self._joined(hits, vector, family), meta, k)
        raise AssertionError("unreachable")

    def notes(self) -> tuple[Note, ...]:
        """All notes that lie here, those of the user and of the team's folder included.

        Raises:
            InputError: when a folder is missing or one of its notes is not valid.
        """
        return _merged(self._library(), self._users())

    def update(self, *, rebuild: bool = False) -> dict[str, Any]:
        """Bring the store up to date now, or with `rebuild` make it anew; says what was done.

        What others put on the server stays as it is.

        Raises:
            InputError: when a note is not valid.
            OSError: when the store cannot be written, or (`TimeoutError`) is held by another process.
            StoreError: when its files are damaged; `rebuild` makes them anew.
            ServerError: when the server cannot be used.
        """
        start = time.monotonic()
        with self._opening:
            self._drop()
            changes = self._open(rebuild)
            assert self._embedding is not None
            done: dict[str, Any] = {
                "notes": changes.added + changes.changed + changes.kept,
                "added": changes.added,
                "changed": changes.changed,
                "removed": changes.removed,
                "embedding": embedding_name(self._embedding),
                "folder": str(self.root),
            }
            if self.server is not None:
                try:
                    done |= {"server": self.server, "shared": self._share()}
                except ServerError:
                    self._drop()  # so that the next search asks anew, and tells
                    raise
            return {**done, "seconds": round(time.monotonic() - start, 3)}

    def remove(self, name: str) -> dict[str, Any]:
        """Take a note of the user's own out, and out of the server what this home put there under its name.

        Returns what `update` does, besides the numbers of `files` and of notes of the server (`withdrawn`).

        Raises:
            InputError: when there is no such note.
            OSError, StoreError, ServerError: as `update`.
        """
        files = [path for path in note_files(self.own) if path.stem == name] if self.own.is_dir() else []
        withdrawn = 0
        with self._opening:
            self._drop()
            if self.server is not None:
                self._open(rebuild=False)
                withdrawn = self._connected().remove(name)
        if not files and not withdrawn:
            hint = "Notes of the library, and those that others put on a server, stay."
            raise InputError(f"There is no note of your own named {name!r}.", hint=hint)
        for path in files:
            path.unlink()
        return {"files": len(files), "withdrawn": withdrawn, **self.update()}

    def close(self) -> None:
        """Release the store's files and connections. It opens again on the next use."""
        with self._opening:
            self._drop()

    def _opened(self) -> tuple[Index, Embedding]:
        with self._opening:
            if self._index is None:
                try:
                    self._open(rebuild=False)
                    self._try_to_share()
                except InputError:
                    raise
                except Exception as error:  # whatever a damaged file makes Chroma raise
                    self._in_memory(error)
            assert self._index is not None
            assert self._embedding is not None
            return self._index, self._embedding

    def _open(self, rebuild: bool) -> Changes:
        library, users = self._library(), self._users()
        notes = _merged(library, users)
        self.root.mkdir(parents=True, exist_ok=True)
        with exclusive(self.root / "lock", LOCK_SECONDS):
            embedding = self._given or self._usual(library, users, rebuild)
            try:
                index, changes = self._filled(notes, embedding, rebuild)
            except StoreError:
                if not rebuild:
                    raise
                shutil.rmtree(self.root / "chroma", ignore_errors=True)
                index, changes = self._filled(notes, embedding, rebuild)
        self._index, self._embedding = index, embedding
        self._ours = {note.id: note for note in users}
        return changes

    def _filled(self, notes: tuple[Note, ...], embedding: Embedding, rebuild: bool) -> tuple[Index, Changes]:
        """The store on disk, holding these notes; emptied first when it is to be rebuilt."""
        kind = getattr(embedding, "kind", None) or embedding_name(embedding)
        index = ChromaIndex(self.root / "chroma", embedding, kind)
        try:
            if rebuild:
                index.update(())
            return index, index.update(notes)
        except BaseException:
            with suppress(Exception):
                index.close()
            raise

    # ---------------------------------------------------------------- the server of a team

    def _connected(self) -> ServerIndex:
        if self._shared is None:
            assert self.server is not None and self._embedding is not None
            self._shared = ServerIndex(self.server, self._embedding, self._owner())
        return self._shared

    def _share(self) -> int:
        """Put the notes that are not the library's on the server; how many were new there."""
        return self._connected().share(list(self._ours.values()))

    def _try_to_share(self) -> None:
        if self.server is not None:
            try:
                self._share()
            except ServerError as error:
                self._without_server(error)

    def _joined(self, hits: list[Hit], vector: list[float], family: str | None) -> list[Hit]:
        """What was found here and on the server, one note of each name."""
        shared = self._shared
        if shared is None:
            return hits
        try:
            theirs = [hit for hit in shared.nearest(vector, family) if hit.note.id not in self._ours]
        except ServerError as error:
            with self._opening:
                self._without_server(error)
            return hits
        if shared.left_out:
            self._warn(f"Of the notes on the knowledge server {self.server}, some are not valid and are left out.")
        names = {hit.note.id for hit in theirs}
        return [*theirs, *(hit for hit in hits if hit.note.id not in names)]

    def _without_server(self, error: ServerError) -> None:
        """Go on with what lies here; the server is asked again when the store is opened anew."""
        self._warn(f"The knowledge server {self.server} cannot be used ({error}); notes of others are left out.")
        if self._shared is not None:
            self._shared.close()
        self._shared = None

    def _owner(self) -> str:
        """What this home is called on servers: a name made up once, which says nothing of its user."""
        path = self.root / "owner.txt"
        with exclusive(self.root / "lock", LOCK_SECONDS):
            if not path.exists():
                write_durably(path, uuid.uuid4().hex)
            return path.read_text(encoding="utf-8").strip()

    # ---------------------------------------------------------------- embeddings

    def _usual(self, library: tuple[Note, ...], users: tuple[Note, ...], rebuild: bool) -> Embedding:
        """Meaning and words side by side; words alone where the package of the sentence embedding is not installed."""
        words = self._lexicon(library, anew=rebuild or self.server is not None)
        words.heard.update(term for note in users for term in terms(document(note)))
        words.hears_all = self.server is not None
        sentences = Sentences.installed()
        return words if sentences is None else Fused(sentences, words, DENSE_WEIGHT)

    def _lexicon(self, library: tuple[Note, ...], anew: bool) -> HashedWords:
        """The saved weights of terms, learned anew when too many notes were not there at the time.

        For a server always `anew`, so that all users of a version of the library have the same.
        """
        path, listed = self.root / "words.json", self.root / "words.txt"
        names = {note.id for note in library}
        if not anew:
            with suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
                known = set(listed.read_text(encoding="utf-8").split())
                if len(names ^ known) <= RELEARN * max(1, len(known)):
                    return HashedWords.load(path)
        words = HashedWords.learn([document(note) for note in library])
        words.save(path)
        listed.write_text("\n".join(sorted(names)), encoding="utf-8")
        return words

    # ---------------------------------------------------------------- notes

    def _library(self) -> tuple[Note, ...]:
        return load_notes(self.folder or default_folder())

    def _users(self) -> tuple[Note, ...]:
        """The user's own notes and those of the team's folder."""
        team = load_notes(self.team) if self.team is not None else ()
        return _merged(tuple(self._own_notes()), team)

    def _own_notes(self) -> Iterator[Note]:
        """The user's notes; one that was broken by hand is left out with a warning, since a run must not fail of it."""
        for path in note_files(self.own) if self.own.is_dir() else ():
            try:
                yield read_note(path)
            except InputError as error:
                self._warn(f"A note is left out: {error}")

    # ---------------------------------------------------------------- when something does not work

    def _fall_back(self, error: Exception) -> None:
        with self._opening:
            if isinstance(self._index, MemoryIndex) and self._given is None:
                raise error
            self._in_memory(error)

    def _in_memory(self, error: Exception) -> None:
        self._drop()
        self._warn(
            f"The knowledge store in {self.root} cannot be used ({type(error).__name__}: {error}); notes are ranked in "
            "memory. If this stays so: automl-agent knowledge build"
        )
        notes = self.notes()
        self._embedding = HashedWords.learn([document(note) for note in notes])
        self._index = MemoryIndex(self._embedding)
        self._index.update(notes)

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)
            _log.warning("%s", text)

    def _drop(self) -> None:
        for index in (self._index, self._shared):
            if index is not None:
                with suppress(Exception):
                    index.close()
        self._index = self._embedding = self._shared = None


def _merged(first: tuple[Note, ...], second: tuple[Note, ...]) -> tuple[Note, ...]:
    """The notes of both, sorted; of two with one name the second."""
    notes = {note.id: note for note in (*first, *second)}
    return tuple(notes[name] for name in sorted(notes))


def _query_vector(embedding: Embedding, words: str, measured: str) -> list[float]:
    """Direction of the words, bent towards what was measured."""
    vector = scaled(embedding.embed_query(words))
    if not measured:
        return vector
    other = scaled(embedding.embed_query(measured))
    return scaled([a + FACTS_WEIGHT * b for a, b in zip(vector, other, strict=True)])
