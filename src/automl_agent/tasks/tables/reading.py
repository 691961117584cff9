"""Reads a table of which nothing is known, and tells how it was read and what did not fit."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding
from automl_agent.tasks.tables.sampling import Drawn, Sample, draw, most, some
from automl_agent.tasks.tables.sniffing import HEAD, find_encodings, find_layout
from automl_agent.tasks.tables.sources import ACCEPTED, Source, table_files

if TYPE_CHECKING:
    import pandas as pd

MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an old Excel (.xls) or Word file: save it as .xlsx",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file",
    b"\x7fELF": "a program",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"\x1f\x8b": "an archive in an archive",
    b"Rar!": "a RAR archive",
    b"OggS": "a sound file",
}
_MARKUP = re.compile(rb"\s*(<!doctype|<html|<\?xml|%YAML|@relation)", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A table as read, and how."""

    frame: pd.DataFrame
    """Raw values; the index is the position in the file. Rows that do not fit are gone."""
    options: dict[str, Any]
    """What reads the file again in the same way (`schema["read"]`), `drawn` said where the frame holds a part."""
    findings: tuple[Finding, ...] = ()
    repeated: frozenset[str] = field(default_factory=frozenset)
    """Column names that stand in the file more than once."""
    drawn: Drawn | None = None
    """The rows that are in the frame, where these are not all of the file."""


def read_table(source: Source, *, limit: int | None = None, sample: Sample | None = None) -> Table:
    """Read a table.

    Args:
        limit: rows to read at most.
        sample: how many rows are used at most; of a larger table some are drawn, and only these are kept in memory.

    Raises:
        InputError: it cannot be read, is no table, or has no rows; one line names the file.
    """
    reader = table_files()
    try:
        with reader.open_content(source.path, source.member) as stream:
            head = stream.read(HEAD)
        form = reader.content_format(head, reader.inner_name(source.path, source.member))
        _refuse_other_files(source, head)
        if form != "csv":
            options = {"header": True, "member": source.member}
            return _finish(source, form, options, _load(source, form, options, limit, sample))
        return _read_text(source, head, limit, sample)
    except (ValueError, OSError, EOFError, NotImplementedError, csv.Error) as error:
        raise InputError(f"File {source.name!r} cannot be read: {_line(error)}.", hint=ACCEPTED) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("zlib", "zipfile", "lzma", "gzip"):
            raise InputError(f"File {source.name!r} is damaged: {_line(error)}.") from error
        raise


def _line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


def _refuse_other_files(source: Source, head: bytes) -> None:
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise InputError(f"File {source.name!r} is empty.", hint=ACCEPTED)
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            raise InputError(f"File {source.name!r} is not a table, but {what}.", hint=ACCEPTED)
    if _MARKUP.match(head.removeprefix(codecs.BOM_UTF8)):
        raise InputError(f"File {source.name!r} is a web page or markup, not a table.", hint=ACCEPTED)


# ---------------------------------------------------------------- text files


Loaded = tuple["pd.DataFrame", dict[str, list[int]], Drawn | None]


def _load(source: Source, form: str, options: dict[str, Any], limit: int | None, sample: Sample | None) -> Loaded:
    reader = table_files()
    drawn = draw(source, {**options, "format": form}, sample) if sample else None
    frame, odd = reader.load(source.path, options, limit, drawn.positions if drawn else None)
    if sample and drawn is None and len(frame) > (rows := most(sample, frame.shape[1])):  # Excel, JSON: read whole
        drawn = Drawn(some(len(frame), rows, sample.seed), len(frame), rows)
        frame = frame.iloc[drawn.positions]
    return frame, odd, drawn


def _read_text(source: Source, head: bytes, limit: int | None, sample: Sample | None) -> Table:
    encodings = find_encodings(head)
    for encoding in encodings:
        try:
            options = {"encoding": encoding, "member": source.member, **find_layout(head, encoding, source.path.suffix)}
            return _read_quoted(source, options, limit, sample)
        except UnicodeError:
            if encoding == encodings[-1]:
                raise
    raise AssertionError("unreachable")


def _read_quoted(source: Source, options: dict[str, Any], limit: int | None, sample: Sample | None) -> Table:
    for quoting in ("strict", "lenient"):
        options = {**options, "quoting": quoting}
        try:
            return _finish(source, "csv", options, _load(source, "csv", options, limit, sample))
        except ValueError as error:
            if not isinstance(error.__cause__, csv.Error):
                raise
            if "unexpected end of data" in str(error):
                return _read_unclosed(source, options, limit, sample)
    raise InputError(f"File {source.name!r} has broken quotes.", hint="Put quotes around whole cells only.")


def _read_unclosed(source: Source, options: dict[str, Any], limit: int | None, sample: Sample | None) -> Table:
    """A quote is opened and never closed: if the table is regular without quoting, they were ordinary characters."""
    options = {**options, "quoting": "none"}
    frame, odd, drawn = _load(source, "csv", options, limit, sample)
    if odd["short"] or odd["long"] or frame.shape[1] < 2:
        line = _open_quote(source, options)
        raise InputError(f"File {source.name!r} has a quote that is opened in line {line} and never closed.")
    text = f"a quote in line {_open_quote(source, options)} is never closed; quotes were taken as ordinary characters"
    return _finish(source, "csv", options, (frame, odd, drawn), Finding(kind="quotes", text=text, action="kept"))


def _open_quote(source: Source, options: dict[str, Any]) -> int:
    """Number of the last line (counted from 1) that opens a quote."""
    reader = table_files()
    inside, opened = False, 0
    with (
        reader.open_content(source.path, source.member) as stream,
        io.TextIOWrapper(stream, options["encoding"]) as text,
    ):
        for number, line in enumerate(text, 1):
            if line.count('"') % 2:
                inside = not inside
                opened = number if inside else opened
    return opened


# ---------------------------------------------------------------- after reading


def _finish(source: Source, form: str, options: dict[str, Any], loaded: Loaded, *findings: Finding) -> Table:
    frame, odd, drawn = loaded
    if not frame.shape[1]:
        raise InputError(f"File {source.name!r} holds no columns.")
    if not len(frame):
        raise InputError(f"File {source.name!r} has a header but no rows.")
    found = [*findings, *_reading_findings(frame, form, options, odd)]
    wrong = sorted({*odd.get("long", ()), *odd.get("bad", ())})
    if len(wrong) > len(frame) * 0.5:
        raise InputError(
            f"File {source.name!r}: {len(wrong)} of {len(frame)} rows do not fit the {frame.shape[1]} columns."
        )
    names = tuple(str(frame.columns[position]) for position in odd.get("repeated", ()))
    if names:
        text = f"{len(names)} column names stand in the file before; these were renamed ({', '.join(names[:5])})"
        found.append(Finding(kind="duplicate_columns", columns=names, count=len(names), text=text, action="renamed"))
    read = {
        "format": form,
        "delimiter": options.get("delimiter"),
        "encoding": options.get("encoding"),
        "header": options.get("header", True),
        "decimal": options.get("decimal", "."),
        "thousands": options.get("thousands"),
        "sheet": None,
        "member": source.member,
        "quoting": options.get("quoting"),
        "row_names": options.get("row_names", False),
    }
    if drawn is not None:
        read["drawn"] = True
    again = frozenset(name.rpartition(".")[0] for name in names)
    return Table(frame.drop(index=wrong), read, tuple(found), again, drawn)


def _reading_findings(
    frame: pd.DataFrame, form: str, options: dict[str, Any], odd: dict[str, list[int]]
) -> list[Finding]:
    found = []
    encoding = options.get("encoding") or "utf-8"
    if encoding in ("cp1252", "latin-1", "cp932", "utf-16-le", "utf-16-be"):
        text = f"the file does not say its encoding; it was read as {encoding}"
        found.append(Finding(kind="encoding", text=text, action="kept"))
    if form == "csv" and not options.get("header", True):
        text = f"the file has no header; its columns were named column_1 to column_{frame.shape[1]}"
        found.append(Finding(kind="no_header", text=text, action="renamed"))
    texts = {
        "short": ("have fewer cells than the header; the rest was taken as missing", "kept"),
        "long": ("have more cells than the header and were left out", "dropped"),
        "bad": ("are not valid JSON objects and were left out", "dropped"),
    }
    for kind, (text, action) in texts.items():
        if rows := odd.get(kind):
            found.append(Finding(kind="ragged", count=len(rows), text=f"{len(rows)} rows {text}", action=action))
    return found
