"""Notes as files: YAML front matter between two lines of dashes, then the text.

`knowledge_base/README.md` describes the form for people who write notes; `Front` is the same as a schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from automl_agent.errors import ConfigurationError, InputError
from automl_agent.records import Note
from automl_agent.tasks.candidate import holds

_FILE = re.compile(r"\A\ufeff?---[ \t]*\r?\n(?P<front>.*?)\r?\n---[ \t]*\r?\n(?P<body>.*)\Z", re.DOTALL)

Kind = Literal["paper", "kaggle", "practice"]


class Source(BaseModel):
    """Where the knowledge comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=3)
    authors: str = Field(min_length=2)
    year: int = Field(ge=1950, le=2100)
    address: str = ""
    """An http(s) link or a DOI; empty for house rules."""

    def __str__(self) -> str:
        cited = f"{self.authors} ({self.year}): {self.title}"
        return f"{cited}, {self.address}" if self.address else cited


class Front(BaseModel):
    """The front matter of a note."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=10, max_length=200)
    kind: Kind
    source: Source
    checked: bool
    """Whether the source was looked up; `false` for what was written from memory or second hand."""
    families: tuple[str, ...] = Field(min_length=1)
    when: dict[str, str] = Field(default_factory=dict)
    """Conditions on meta-features, all of which must hold: `{"rows": ">= 1000, <= 50000"}`."""
    models: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    """What users might say who need this note, in their words: it is found by these, too."""
    cautions: tuple[str, ...] = ()
    evidence: str = ""
    """One sentence with the figures that the source gives."""

    @field_validator("when")
    @classmethod
    def _conditions_are_readable(cls, when: dict[str, str]) -> dict[str, str]:
        check_conditions(when)
        return when


def check_conditions(when: Mapping[str, str]) -> None:
    """
    Raises:
        ValueError: when a condition cannot be read.
    """
    for name, condition in when.items():
        try:
            holds(condition, 0.0)
        except (ConfigurationError, ValueError) as error:
            raise ValueError(f"{name}: {condition!r} is no condition such as '>= 10' or '>= 10, < 50'") from error


def read_note(path: Path) -> Note:
    """Read one file; the note's id is the file's name without its ending.

    Raises:
        InputError: when the file cannot be read or breaks the schema; names the file and the field.
    """
    front, body = _parts(path)
    if not body:
        raise InputError(f"Note {path} has no text after its front matter.")
    return Note(
        id=path.stem,
        title=front.title,
        kind=front.kind,
        source=str(front.source),
        families=front.families,
        when=front.when,
        models=front.models,
        steps=front.steps,
        questions=front.questions,
        text="\n\n".join([body, *_remarks(front)]),
    )


LONGEST = 50_000
"""Characters that the content of a note from elsewhere may have."""


def received_note(content: object) -> Note:
    """A note that came as JSON from elsewhere, held to what files must fulfil.

    Raises:
        ValueError: when it is no note, too long, or its name, families or conditions are not valid.
    """
    if not isinstance(content, str) or len(content) > LONGEST:
        raise ValueError("no text, or too long")
    note = Note.model_validate_json(content, strict=True)
    if not re.fullmatch(r"[\w .-]{1,120}", note.id) or not note.families or not note.text.strip():
        raise ValueError("no name, family or text")
    if not 10 <= len(note.title) <= 200 or note.kind not in get_args(Kind) or not note.source:
        raise ValueError("no title, kind or source")
    check_conditions(note.when)
    return note.model_copy(update={"relevance": 0.0, "applies": True})


def read_front(path: Path) -> Front:
    """The front matter of one file, with what a `Note` does not carry (`checked`, the parts of the source).

    Raises:
        InputError: as `read_note`.
    """
    return _parts(path)[0]


def _parts(path: Path) -> tuple[Front, str]:
    """Front matter and body of one file."""
    try:
        match = _FILE.match(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Note {path} cannot be read: {error}.") from error
    if match is None:
        raise InputError(f"Note {path} has no front matter.", hint="It must start with YAML between two lines '---'.")
    return _front(path, match["front"]), match["body"].strip()


def load_notes(folder: Path) -> tuple[Note, ...]:
    """All notes under a folder, subfolders included, sorted by id. README files are skipped.

    Raises:
        InputError: when the folder is missing, a note is not valid, or two notes have the same name.
    """
    notes: dict[str, Note] = {}
    for path in note_files(folder):
        note = read_note(path)
        if note.id in notes:
            raise InputError(f"Two notes under {folder} are named {note.id!r}.", hint="The file name is the note's id.")
        notes[note.id] = note
    return tuple(notes[name] for name in sorted(notes))


def note_files(folder: Path) -> tuple[Path, ...]:
    """The files under a folder that are notes, in a fixed order.

    Raises:
        InputError: when the folder is missing.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder of notes {folder}.")
    return tuple(path for path in sorted(folder.rglob("*.md")) if path.stem.lower() != "readme")


def default_folder() -> Path:
    """The notes that ship with the library: inside the installed package, or `knowledge_base/` of a source checkout.

    Raises:
        ConfigurationError: when neither is there.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "notes", package.parents[2] / "knowledge_base"):
        if folder.is_dir():
            return folder
    raise ConfigurationError("The notes of the library are not installed (automl_agent/knowledge/notes is missing).")


def _front(path: Path, text: str) -> Front:
    import yaml

    try:
        data: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"Note {path}: the front matter is not YAML: {reason}") from error
    if not isinstance(data, dict):
        raise InputError(f"Note {path}: the front matter must be a mapping of fields.")
    try:
        return Front.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(_fault(fault["loc"], fault["msg"]) for fault in error.errors()[:3])
        raise InputError(f"Note {path}: {faults}.", hint="See knowledge_base/README.md for the fields.") from error


def _fault(place: tuple[int | str, ...], message: str) -> str:
    return f"field {'.'.join(map(str, place))!r}: {message.removeprefix('Value error, ')}"


def _remarks(front: Front) -> list[str]:
    cautions = ["Cautions: " + " ".join(front.cautions)] if front.cautions else []
    evidence = [f"Evidence: {front.evidence}"] if front.evidence else []
    return cautions + evidence
