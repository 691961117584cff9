"""Asks the sources of knowledge that a user named: side by side, under one deadline, with a memory of some days.

What comes back is data of strangers. It becomes notes here and nowhere else, by `admitted`.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from automl_agent.delivery.words import short
from automl_agent.errors import InputError
from automl_agent.execution.home import write_durably
from automl_agent.fetching.finding import keywords
from automl_agent.fetching.side_by_side import side_by_side
from automl_agent.fetching.web import Web, WebError
from automl_agent.knowledge.quoting import harmless
from automl_agent.knowledge.sources.protocol import KnowledgeSource
from automl_agent.knowledge.sources.suggesting import suggested
from automl_agent.records import Note
from automl_agent.tasks.registry import families, get_family

SECONDS = 8.0
"""For all sources together, which is what each of them has."""
PER_SOURCE = 3
LONGEST_ANSWER = 2 * 2**20
FRESH = 7 * 86_400.0
"""Seconds for which an answer is used again; after that it only stands in for a source that fails."""
KEPT = 90 * 86_400.0
"""Seconds after which an answer is deleted."""
_NOTES: TypeAdapter[tuple[Note, ...]] = TypeAdapter(tuple[Note, ...])


@dataclass(frozen=True)
class Asked:
    """What the sources brought."""

    notes: tuple[Note, ...]
    """The most relevant first; where two are equally so, in the order of the sources."""
    troubles: Mapping[str, str]
    """Source -> why it brought nothing, or only what it had brought before; one line for people."""


def ask(sources: Mapping[str, KnowledgeSource], query: str, family: str | None, *, home: Path,
        seconds: float = SECONDS, k: int = PER_SOURCE) -> Asked:  # fmt: skip
    """Notes for a query in the user's words. Never raises for what a source does.

    Args:
        query: of which at most five telling words go out.
        family: name of the task family; `None` for any.
        home: the home folder, in which answers are kept (`HOME/knowledge/live`).
        k: notes of each source.
    """
    words = subject(query)
    if not words:
        return Asked((), dict.fromkeys(sources, "The words do not say what to look for."))
    memory = {name: _Memory(home, name, words, family, k) for name in sources}
    notes = {name: kept for name in sources if (kept := memory[name].notes(FRESH)) is not None}
    end = time.monotonic() + seconds
    questions = {
        name: partial(
            source.search, words, family, Web(end, connect=seconds / 2, longest=LONGEST_ANSWER, patient=True), k
        )
        for name, source in sources.items()
        if name not in notes
    }
    troubles: dict[str, str] = {}
    for name, answer in side_by_side(questions, seconds).items():
        try:
            if isinstance(answer, Exception):
                raise answer
            notes[name] = tuple(admitted(note, name, family, words) for note in _NOTES.validate_python(answer)[:k])
        except Exception as error:  # the boundary to the network and to plug-ins: knowledge is a suggestion
            old = memory[name].notes(KEPT)
            notes[name] = old or ()
            what = "Only earlier notes" if old else "No notes"
            troubles[name] = f"{what} came from {short(sources[name].title, 60)}: {_reason(error)}"
        else:
            memory[name].keep(notes[name])
    found = [admitted(note, name, family, words) for name in sources for note in notes[name]]
    unique = {note.id: note for note in found}.values()
    return Asked(tuple(sorted(unique, key=lambda note: -note.relevance)), troubles)


def subject(query: str) -> tuple[str, ...]:
    """The words that are sent to the sources: those that say something about a subject, at most five."""
    return keywords(query) or tuple(dict.fromkeys(re.findall(r"[^\W\d_]{3,}", query.lower())))[:5]


def admitted(note: Note, source: str, family: str | None, words: Sequence[str]) -> Note:
    """A stranger's note as one of ours: harmless texts, its source's name in its id, names that there are, no rank.

    Models and steps are those that a fixed table reads out of title and text, and those that the source itself names,
    as far as the task family has them.
    """
    meant = (get_family(family),) if family else tuple(families().values())
    note = harmless(note)
    models, steps = suggested(f"{note.title}\n{note.text}", meant)
    own_models = [name for name in note.models if any(name in each.candidates() for each in meant)]
    own_steps = [name for name in note.steps if any(name in each.steps for each in meant)]
    said = f"{note.title} {note.text}".lower()
    plain = re.sub(r"[^\w./-]+", "-", note.id.removeprefix(f"{source}:")).strip("-") or "note"
    return note.model_copy(
        update={
            "id": f"{source}:{plain}",
            "families": tuple(each.name for each in meant),
            "when": {},
            "models": tuple(dict.fromkeys((*own_models, *models))),
            "steps": tuple(dict.fromkeys((*own_steps, *steps))),
            "relevance": round(sum(word in said for word in words) / len(words), 4),
            "applies": True,
        }
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "it did not return notes."
    if isinstance(error, InputError | TimeoutError):
        text = str(error)
        if isinstance(error, WebError):  # its hints are for data that could not be fetched
            text = text.removesuffix(error.hint)
        return f"{short(text, 300).rstrip('.')}."
    return f"{type(error).__name__}: {short(str(error), 200)}".rstrip(".: ") + "."


class _Memory:
    """What a source answered to a question, in a file."""

    def __init__(self, home: Path, source: str, words: Sequence[str], family: str | None, k: int) -> None:
        question = json.dumps([source, words, family, k])
        self._file = home / "knowledge" / "live" / f"{source}-{hashlib.sha256(question.encode()).hexdigest()[:16]}.json"

    def notes(self, age: float) -> tuple[Note, ...] | None:
        """The answer, if it is no older than so many seconds and can be read."""
        try:
            if not 0 <= time.time() - self._file.stat().st_mtime <= age:
                return None
            return _NOTES.validate_json(self._file.read_bytes())
        except (OSError, ValueError):
            return None

    def keep(self, notes: tuple[Note, ...]) -> None:
        """Store the answer, and delete those that are very old. A folder that cannot be written costs nothing."""
        folder = self._file.parent
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(self._file, _NOTES.dump_json(notes).decode())
            for file in folder.glob("*.json"):
                if time.time() - file.stat().st_mtime > KEPT:
                    file.unlink(missing_ok=True)
