"""The knowledge store: notes in, the useful ones out.

It keeps itself up to date: a note that was edited is embedded anew on the next use. A store that is damaged, locked or
not writable does not cost the run: the notes are then ranked in memory, with a warning in the log.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from automl_agent.errors import InputError
from automl_agent.knowledge.embedding import Embedding, Fused, HashedWords, embedding_name, scaled
from automl_agent.knowledge.index import Changes, ChromaIndex, Index, MemoryIndex, StoreError
from automl_agent.knowledge.lock import exclusive
from automl_agent.knowledge.notes import default_folder, load_notes, note_files, read_note
from automl_agent.knowledge.ranking import document, facts, ranked
from automl_agent.knowledge.sentences import Sentences
from automl_agent.records import Note

FACTS_WEIGHT = 0.2
"""Weight of the measured facts beside the words of a query."""
DENSE_WEIGHT = 0.35
"""Weight of the sentence embedding's likeness beside that of words."""
RELEARN = 0.25
"""Share of notes that may be new before the weights of terms are learned anew and everything is embedded again."""
LOCK_SECONDS = 10.0

_log = logging.getLogger(__name__)


class KnowledgeStore:
    """Notes of the library (or of `folder`) and the user's own, found by meaning and by measured facts.

    `home` is the folder of the library's working files; the store lies in `home/knowledge`, the user's own notes in
    `home/knowledge/notes`, where a note of the same name replaces one of the library. `embedding` is any object with
    `embed_documents` and `embed_query`; by default a sentence embedding (extra `knowledge`) beside hashed words, which
    alone need no model file. Neither needs a network.
    """

    def __init__(self, home: Path, folder: Path | None = None, embedding: Embedding | None = None) -> None:
        self.root = Path(home) / "knowledge"
        self.own = self.root / "notes"
        self.folder = folder
        self._given = embedding
        self._index: Index | None = None
        self._embedding: Embedding | None = None
        self._opening = threading.Lock()

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
                hits = index.nearest(_query_vector(embedding, query, facts(meta)), family)
            except Exception as error:
                if last:
                    raise
                self._fall_back(error)
            else:
                return ranked(hits, meta, k)
        raise AssertionError("unreachable")

    def notes(self) -> tuple[Note, ...]:
        """All notes, those of the user included.

        Raises:
            InputError: when `folder` is missing or one of its notes is not valid.
        """
        shipped = {note.id: note for note in load_notes(self.folder or default_folder())}
        own = {note.id: note for note in self._own_notes()}
        return tuple(note for _, note in sorted((shipped | own).items()))

    def update(self, *, rebuild: bool = False) -> dict[str, Any]:
        """Bring the store up to date now, or with `rebuild` make it anew; says what was done.

        Raises:
            InputError: when a note is not valid.
            OSError: when the store cannot be written, or (`TimeoutError`) is held by another process.
            StoreError: when its files are damaged; `rebuild` makes them anew.
        """
        start = time.monotonic()
        with self._opening:
            self._drop()
            changes = self._open(rebuild)
            assert self._embedding is not None
            return {
                "notes": changes.added + changes.changed + changes.kept,
                "added": changes.added,
                "changed": changes.changed,
                "removed": changes.removed,
                "embedding": embedding_name(self._embedding),
                "folder": str(self.root),
                "seconds": round(time.monotonic() - start, 3),
            }

    def close(self) -> None:
        """Release the store's files. It opens again on the next use."""
        with self._opening:
            self._drop()

    def _opened(self) -> tuple[Index, Embedding]:
        with self._opening:
            if self._index is None:
                try:
                    self._open(rebuild=False)
                except InputError:
                    raise
                except Exception as error:  # whatever a damaged file makes Chroma raise
                    self._in_memory(error)
            assert self._index is not None
            assert self._embedding is not None
            return self._index, self._embedding

    def _open(self, rebuild: bool) -> Changes:
        notes = self.notes()
        self.root.mkdir(parents=True, exist_ok=True)
        with exclusive(self.root / "lock", LOCK_SECONDS):
            embedding = self._given or self._usual(notes, rebuild)
            try:
                index, changes = self._filled(notes, embedding, rebuild)
            except StoreError:
                if not rebuild:
                    raise
                shutil.rmtree(self.root / "chroma", ignore_errors=True)
                index, changes = self._filled(notes, embedding, rebuild)
        self._index, self._embedding = index, embedding
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

    def _usual(self, notes: tuple[Note, ...], rebuild: bool) -> Embedding:
        """Meaning and words side by side; words alone where the package of the sentence embedding is not installed."""
        words = self._lexicon(notes, rebuild)
        sentences = Sentences.installed()
        return words if sentences is None else Fused(sentences, words, DENSE_WEIGHT)

    def _lexicon(self, notes: tuple[Note, ...], rebuild: bool) -> HashedWords:
        """The saved weights of terms, learned anew when too many notes were not there at the time."""
        path, listed = self.root / "words.json", self.root / "words.txt"
        names = {note.id for note in notes}
        if not rebuild:
            with suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
                known = set(listed.read_text(encoding="utf-8").split())
                if len(names ^ known) <= RELEARN * max(1, len(known)):
                    return HashedWords.load(path)
        words = HashedWords.learn([document(note) for note in notes])
        words.save(path)
        listed.write_text("\n".join(sorted(names)), encoding="utf-8")
        return words

    def _own_notes(self) -> Iterator[Note]:
        """The user's notes; one that was broken by hand is left out with a warning, since a run must not fail of it."""
        for path in note_files(self.own) if self.own.is_dir() else ():
            try:
                yield read_note(path)
            except InputError as error:
                _log.warning("A note is left out: %s", error)

    def _fall_back(self, error: Exception) -> None:
        with self._opening:
            if isinstance(self._index, MemoryIndex) and self._given is None:
                raise error
            self._drop()
            self._in_memory(error)

    def _in_memory(self, error: Exception) -> None:
        _log.warning(
            "The knowledge store in %s cannot be used (%s: %s); notes are ranked in memory. "
            "If this stays so: automl-agent knowledge build", self.root, type(error).__name__, error,
        )  # fmt: skip
        notes = self.notes()
        self._embedding = HashedWords.learn([document(note) for note in notes])
        self._index = MemoryIndex(self._embedding)
        self._index.update(notes)

    def _drop(self) -> None:
        if self._index is not None:
            with suppress(Exception):
                self._index.close()
        self._index = self._embedding = None


def _query_vector(embedding: Embedding, words: str, measured: str) -> list[float]:
    """Direction of the words, bent towards what was measured."""
    vector = scaled(embedding.embed_query(words))
    if not measured:
        return vector
    other = scaled(embedding.embed_query(measured))
    return scaled([a + FACTS_WEIGHT * b for a, b in zip(vector, other, strict=True)])
