"""Reads texts with their labels, checks them, locks the test, fixes the folds: `TaskFamily.acquire`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import DataProfile, Finding, Request, Scalar, TaskSpec
from automl_agent.tasks.tables import acquiring as tables
from automl_agent.tasks.tables.kinds import ColumnKind, find_kind
from automl_agent.tasks.tables.reading import Table, read_table
from automl_agent.tasks.tables.sampling import Sample
from automl_agent.tasks.tables.selecting import Roles, Selection, select_columns
from automl_agent.tasks.tables.sources import Source
from automl_agent.tasks.text_classification.columns import named_texts
from automl_agent.tasks.text_classification.peeking import find_texts

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = {
    **tables.OF_CLASSES,
    "text": "text=COLUMN, the column of texts, or two with a comma between",
    "embedding": "embedding=FOLDER, your own weights for embeddings (tokenizer.json and one .onnx or .safetensors)",
}
LONGEST = 100_000
"""Characters of one text that models read (`text_terms.py`)."""


def acquire(task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
            ) -> DataProfile:  # fmt: skip
    """Make the data folder of a task, as for tables (`tables/acquiring.py`), rows without any text left out.

    The profile's meta-features hold besides those of tables: `texts` (columns), `characters` (of a text on average),
    `embeddings` (1 where weights for sentence embeddings are there).

    Raises:
        InputError: the data cannot be used; nothing is written then.
    """
    embedding = _embedding(task.options)
    ways = tables.Ways(
        what="texts",
        options=OPTIONS,
        find=find_texts,
        read=partial(_read, task),
        select=partial(_select, task),
        schema={"embedding": embedding},
    )
    profile = tables.acquire(task, request, folder, private, seed=seed, test_share=test_share, kind="classification",
                             ways=ways)  # fmt: skip
    return _completed(profile, folder, embedding)


def _embedding(options: dict[str, Scalar]) -> str | None:
    """The folder of the user's weights.

    Raises:
        InputError: it does not hold any.
    """
    from automl_agent.tasks.text_classification.shared.text_vectors import in_folder

    given = options.get("embedding")
    if not given:
        return None
    try:
        in_folder(str(given))
    except (ValueError, OSError) as error:
        raise InputError(f"The option embedding cannot be used: {error}.", hint=OPTIONS["embedding"] + ".") from error
    return str(Path(str(given)).expanduser().resolve())


# ---------------------------------------------------------------- reading


def _read(task: TaskSpec, source: Source, *, sample: Sample | None = None) -> Table:
    """The table of a file or folder, without rows that have no text.

    Raises:
        InputError: it cannot be read, or no row has a text.
    """
    from automl_agent.tasks.tables.shared.table_values import texts

    table = _read_folder(source) if source.path.is_dir() else read_table(source, sample=sample)
    names = _texts(task, table.frame, table.options["decimal"], source.name)
    columns = [texts(table.frame[name]) for name in names]
    empty = sum(column == "" for column in columns) == len(names)
    if empty.all():
        raise InputError(f"No row of {source.name!r} has a text in {', '.join(map(repr, names))}.")
    findings = list(table.findings)
    if count := int(empty.sum()):
        text = f"{count} rows have no text in {', '.join(map(repr, names))}"
        findings.append(Finding(kind="no_text", columns=names, count=count, text=text, action="dropped"))
    if count := sum(len(text) > LONGEST for column in columns for text in column):
        text = f"{count} texts are longer than {LONGEST:,} characters; models read no further"
        findings.append(Finding(kind="long_text", columns=names, count=count, text=text, action="kept"))
    return replace(table, frame=table.frame[~empty], findings=tuple(findings))


def _read_folder(source: Source) -> Table:
    from automl_agent.tasks.text_classification.shared import text_files as files

    try:
        frame, odd = files.read_folder(source.path)
    except (ValueError, OSError) as error:
        raise InputError(f"Folder {source.name!r} cannot be read: {error}.") from error
    findings = []
    if count := len(odd["binary"]):
        text = f"{count} files in {source.name!r} are no texts"
        findings.append(Finding(kind="binary", columns=(files.TEXT,), count=count, text=text, action="dropped"))
    if count := len(odd["long"]):
        text = f"{count} files in {source.name!r} are longer than {files.MAX_BYTES:,} bytes; the rest was not read"
        findings.append(Finding(kind="long_text", columns=(files.TEXT,), count=count, text=text, action="kept"))
    options = {"format": "folder", "delimiter": None, "encoding": None, "header": True, "decimal": ".",
               "thousands": None, "sheet": None, "member": None, "quoting": None, "row_names": False}  # fmt: skip
    return Table(frame.drop(index=odd["binary"]), options, tuple(findings))


def _texts(task: TaskSpec, frame: pd.DataFrame, decimal: str, source: str) -> tuple[str, ...]:
    """The columns of texts: named by the user, or found by their kind.

    Raises:
        InputError: there is none.
    """
    names = [str(name) for name in frame.columns]
    used = {task.target, task.group, task.time, *task.ignore}
    named = named_texts(task.options, names, source)
    if wrong := [name for name in named if name in used]:
        raise InputError(f"Column {wrong[0]!r} cannot be both a text to read and something else.")
    found = named or tuple(
        name for name in names if name not in used and find_kind(frame[name], decimal, name).kind == "text"
    )
    if not found:
        text = f"No column of {source!r} looks like texts." if len(names) > 1 else f"{source!r} has one column only."
        raise InputError(text, hint=f"Name the column: {OPTIONS['text']} (--set on the command line).")
    return found


# ---------------------------------------------------------------- columns


def _select(task: TaskSpec, frame: pd.DataFrame, roles: Roles, decimal: str) -> Selection:
    """As for tables, but texts that the user named are texts whatever they look like; names of files are left out."""
    from automl_agent.tasks.text_classification.shared.text_files import FILE, LABEL, TEXT

    names = [str(name) for name in frame.columns]
    texts = _texts(task, frame, decimal, "the data")
    own = [*texts, *([FILE] if names == [TEXT, LABEL, FILE] else [])]
    others = [name for name in names if name not in own]
    if set(others) > {roles.target, roles.group, *roles.ignore} - {None}:
        try:
            rest = select_columns(frame[others], roles, decimal)
        except InputError:  # none that could tell anything: the texts are enough
            rest = Selection({}, dict.fromkeys((n for n in others if n != roles.target), "uninformative"), ())
    else:
        rest = Selection({}, dict.fromkeys((n for n in others if n != roles.target), "ignored"), ())
    more = [name for name, kind in rest.kept.items() if kind.kind == "text"]  # the user named others
    rest = replace(rest, kept={name: kind for name, kind in rest.kept.items() if name not in more})
    kinds = {name: _as_text(find_kind(frame[name], decimal, name)) for name in texts}
    order = [name for name in names if name in kinds or name in rest.kept]
    dropped = {**rest.dropped, **dict.fromkeys(more, "ignored"), **({FILE: "id"} if FILE in own else {})}
    return Selection({name: kinds.get(name) or rest.kept[name] for name in order}, dropped, rest.findings)


def _as_text(kind: ColumnKind) -> ColumnKind:
    """A column of texts. Spellings that differ in case only stay different texts.

    Raises:
        InputError: it holds something else than texts.
    """
    if kind.nested or kind.kind in ("empty", "constant"):
        what = {"empty": "is empty", "constant": "has the same text in all rows"}.get(kind.kind, f"holds {kind.nested}")
        raise InputError(f"Column {kind.name!r}, a text to read, {what}.")
    return ColumnKind(kind.name, "text", kind.rows, kind.missing, kind.distinct)


# ---------------------------------------------------------------- profile


def _completed(profile: DataProfile, folder: Path, embedding: str | None) -> DataProfile:
    """The profile with what candidates and notes put conditions on, and what the trials depend on besides."""
    from automl_agent.tasks.text_classification.shared.text_vectors import installed

    facts: list[dict[str, Any]] = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
    lengths = [float(fact["mean_length"]) for fact in facts if fact["kind"] == "text"]
    if not lengths:
        raise InputError("No column of texts differs between the training rows.")
    there = embedding is not None or installed() is not None
    meta = {"characters": sum(lengths) / len(lengths), "embeddings": float(there)}
    findings = list(profile.findings)
    if not there:
        text = "there are no weights for sentence embeddings: models compare words and letters, not meanings"
        findings.append(Finding(kind="no_embeddings", text=f"{text} (pip install 'automl-agent[text]')", action=""))
    fingerprint = profile.fingerprint
    if embedding is not None:
        fingerprint = hashlib.sha256(f"{fingerprint} {embedding}".encode()).hexdigest()
    return profile.model_copy(
        update={"meta": {**profile.meta, **meta}, "findings": tuple(findings), "fingerprint": fingerprint}
    )
