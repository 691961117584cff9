"""Reads delimited text (CSV, TSV): cell by cell where it must, many times faster where lines and quotes are plain.

This file travels with a bundle. `options` says what was found out about the user's file: `delimiter`, `encoding`,
`header`, `quoting`, `row_names`; and `plain`, whether the fast way is tried (`NotPlainError` where it cannot be gone).
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from column_names import clean_names, renamed

CHUNK = 20_000
"""Rows that are taken apart together."""
BLOCK = 8 * 2**20
"""Bytes of a text file that are looked at together where its lines are plain."""
MAX_CELL = 64 * 2**20
"""Letters."""
SPARSE_CELLS, SPARSE = 20_000_000, 100
"""A table of more cells must hold one of so many."""

Loaded = tuple[pd.DataFrame, dict[str, list[int]]]
"""A frame, and positions of what was odd, as `table_files.load` tells it."""
_FIELD_LIMIT = threading.Lock()


def records(stream: BinaryIO, options: dict[str, Any]) -> Iterator[list[str]]:
    """The non-blank records of a delimited text file.

    Raises:
        UnicodeDecodeError: the encoding is wrong.
        csv.Error: a quote is out of place (`quoting="strict"`, the default) or never closed.
    """
    encoding = options.get("encoding") or "utf-8"
    text = io.TextIOWrapper(stream, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")
    lines = (line.replace("\0", "") if "\0" in line else line for line in text)
    try:
        for position, row in enumerate(_cells(lines, options)):
            if row and not (position == 0 and row[0].lower().startswith("sep=") and len(row) <= 2):
                yield row
    finally:
        text.detach()  # the stream is its owner's to close


def _cells(lines: Iterable[str], options: dict[str, Any]) -> Iterator[list[str]]:
    quoting = options.get("quoting") or "strict"
    return csv.reader(
        lines,
        delimiter=options.get("delimiter") or ",",
        quoting=csv.QUOTE_NONE if quoting == "none" else csv.QUOTE_MINIMAL,
        strict=quoting == "strict",
        skipinitialspace=quoting != "none",
    )


@contextmanager
def _long_cells() -> Iterator[None]:
    """The limit of a cell is a setting of the whole process: it is raised for the time of reading only."""
    with _FIELD_LIMIT:
        before = csv.field_size_limit(MAX_CELL)
        try:
            yield
        except csv.Error as error:
            raise ValueError(f"quotes or cells are broken ({error})") from error
        finally:
            csv.field_size_limit(before)


def read_csv(
    stream: BinaryIO, options: dict[str, Any], limit: int | None, wanted: np.ndarray[Any, Any] | None
) -> Loaded:
    with _long_cells():
        if options["plain"] and limit is None:
            texts = _plain_texts(stream, options, wanted)
            first = _records_in(next(texts, (b"", 0))[0], options)
            return _parse_csv(first[0], texts, options) if first else (pd.DataFrame(), {})
        rows = records(stream, options)
        head = next(rows, None)
        if head is None:
            return pd.DataFrame(), {}
        if not options.get("header", True):
            rows = itertools.chain([head], rows)
        if wanted is not None:
            rows = _only(rows, wanted)
        rows = itertools.islice(rows, limit)
        return _parse_csv(head, iter(lambda: list(itertools.islice(rows, CHUNK)), []), options)


def count_csv(stream: BinaryIO, options: dict[str, Any]) -> int:
    with _long_cells():
        if options["plain"]:
            found = sum(len(starts) for _, starts, _ in _plain_lines(stream, options))
        else:
            found = sum(1 for _ in records(stream, options))
    return max(0, found - bool(options.get("header", True)))


def _only(rows: Iterator[list[str]], wanted: np.ndarray[Any, Any]) -> Iterator[list[str]]:
    """The rows at these positions (ascending)."""
    left = iter(wanted.tolist())
    following = next(left, None)
    for position, row in enumerate(rows):
        if position == following:
            following = next(left, None)
            yield row
        if following is None:
            return


def csv_column(stream: BinaryIO, options: dict[str, Any], name: str) -> pd.Series[Any]:
    import pyarrow as pa

    with _long_cells():
        rows = records(stream, options)
        first = next(rows, [])
        names = clean_names(["row_names"] * bool(options.get("row_names")) + first)
        if not options.get("header", True):
            names, rows = [f"column_{place}" for place in range(1, len(first) + 1)], itertools.chain([first], rows)
        if name not in names:
            raise KeyError(name)
        place = names.index(name)
        cells = (row[place] if place < len(row) else "" for row in rows)
        parts = iter(lambda: pa.array(itertools.islice(cells, CHUNK), pa.string()), pa.array([], pa.string()))
        values = pa.chunked_array(list(parts), pa.string())
    found: pd.Series[Any] = values.to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get).rename(name)
    return found


class NotPlainError(Exception):
    """The records of a text file cannot be told apart by their lines and quotes alone."""


def _plain_texts(
    stream: BinaryIO, options: dict[str, Any], wanted: np.ndarray[Any, Any] | None
) -> Iterator[tuple[bytes, int]]:
    """The text of the first record, then that of the (wanted) rows, block by block; with the number of records in it.

    Raises:
        NotPlainError: the lines do not show where records end.
    """
    before, first = 0, True
    for data, starts, ends in _plain_lines(stream, options):
        ends = ends + 1
        if first and len(starts):
            yield data[starts[0] : ends[0]], 1
            first, header = False, int(bool(options.get("header", True)))
            starts, ends = starts[header:], ends[header:]
        if not len(starts):
            continue
        if wanted is None:
            yield data[starts[0] : ends[-1]], len(starts)
        else:
            low, high = np.searchsorted(wanted, [before, before + len(starts)])
            here = wanted[low:high] - before
            lines = [data[start:end] for start, end in zip(starts[here].tolist(), ends[here].tolist(), strict=True)]
            yield b"".join(lines), len(lines)
        before += len(starts)


def _records_in(text: bytes, options: dict[str, Any]) -> list[list[str]]:
    lines = io.StringIO(text.decode(options.get("encoding") or "utf-8"), newline="")
    return [row for row in _cells(lines, options) if row]


def _plain_columns(text: bytes, options: dict[str, Any], width: int) -> list[Any] | None:
    """The columns of plain records, many times faster than cell by cell; `None` where that would not give the same:
    not every record has so many cells, or blanks come before a cell, which are to be skipped."""
    import pyarrow as pa
    import pyarrow.csv

    quoted, delimiter = options.get("quoting") != "none", options.get("delimiter") or ","
    if quoted and (text.startswith(b" ") or b"\n " in text or delimiter.encode() + b" " in text):
        return None
    names = [str(place) for place in range(width)]
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(text.decode(options.get("encoding") or "utf-8").encode()),
            pa.csv.ReadOptions(column_names=names, block_size=2 * len(text) + 1024),
            pa.csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted),
            pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    return [column.combine_chunks() for column in table.columns]


def _plain_lines(
    stream: BinaryIO, options: dict[str, Any]
) -> Iterator[tuple[bytes, np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Blocks of a text file, with the positions where each record that is not blank starts, and of its line end.

    A line end with an even number of quotes before it ends a record: sure where every quote stands where it must.

    Raises:
        NotPlainError: that is not so, or line ends and characters are not single bytes.
        UnicodeDecodeError: the encoding is wrong.
    """
    encoding = options.get("encoding") or "utf-8"
    if encoding not in ("utf-8", "cp1252", "latin-1") or options.get("quoting") == "lenient":
        raise NotPlainError
    quoted, delimiter = options.get("quoting") != "none", ord(options.get("delimiter") or ",")
    data, begun, block = b"", False, b" "
    while block:
        block = stream.read(BLOCK)
        data += block
        if not begun:
            data, begun = data.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8" else data, True
            if data[:4].lower() == b"sep=":
                raise NotPlainError
        if not block and data and not data.endswith(b"\n"):
            data += b"\n"
        marks = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(marks == ord("\n"))
        if quoted:
            quotes = np.flatnonzero(marks == ord('"'))
            ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        if not len(ends):
            if data and (not block or len(data) > MAX_CELL):
                raise NotPlainError
            continue
        cut = int(ends[-1]) + 1
        if quoted:
            _check_quotes(marks, quotes[: np.searchsorted(quotes, cut)], delimiter)
        whole, data = data[:cut], data[cut:]
        if b"\0" in whole or (b"\r" in whole and whole.count(b"\r") != whole.count(b"\r\n")):
            raise NotPlainError
        if not whole.isascii():
            whole.decode(encoding)
        starts = np.concatenate([[0], ends[:-1] + 1])
        kept = (ends - starts > 1) | ((ends > starts) & (marks[starts] != ord("\r")))
        yield whole, starts[kept], ends[kept]
    if data:  # a quote is never closed
        raise NotPlainError


def _check_quotes(marks: np.ndarray[Any, Any], quotes: np.ndarray[Any, Any], delimiter: int) -> None:
    """Every quote must open a cell, close one, or be one of two that stand for a quote inside of a cell."""
    opening, closing = quotes[0::2], quotes[1::2]
    before, after = marks[opening[opening > 0] - 1], marks[closing + 1]
    if not (np.isin(before, [delimiter, 10, 34]).all() and np.isin(after, [delimiter, 10, 13, 34]).all()):
        raise NotPlainError


def _parse_csv(
    first: list[str], chunks: Iterator[list[list[str]]] | Iterator[tuple[bytes, int]], options: dict[str, Any]
) -> Loaded:
    """A frame of rows, which come as cells or as plain text with its number of records.

    Args:
        first: the first record: the header where there is one, and otherwise only as wide as it.
    """
    import pyarrow as pa

    if not options.get("header", True):
        first = [f"column_{position}" for position in range(1, len(first) + 1)]
    elif options.get("row_names"):
        first = ["row_names", *first]
    width, start = len(first), 0
    odd: dict[str, list[int]] = {"short": [], "long": []}
    parts: list[list[pa.Array]] = []
    given = 0
    for chunk in chunks:
        columns = None
        if isinstance(chunk, tuple):
            text, count = chunk
            columns = _plain_columns(text, options, width)
            chunk = [] if columns else _records_in(text, options)
            if count != (len(columns[0]) if columns else len(chunk)):
                raise NotPlainError
        if columns is None:
            given += sum(map(len, chunk))
            check_filled(given + width, start + len(chunk), width)
            columns = _cut(chunk, width, start, odd)
        else:
            given += width * len(columns[0])
        parts.append(columns)
        start += len(columns[0])
    names = clean_names(first)
    odd["repeated"] = renamed(first, names)
    table = pa.table([pa.chunked_array([part[i] for part in parts], pa.string()) for i in range(width)], names=names)
    return table.to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get), odd


def check_filled(given: int, rows: int, columns: int) -> None:
    """Refuse a table that is nearly empty and would be huge: a small file can claim any number of cells.

    Args:
        given: cells that the file holds.

    Raises:
        ValueError: says how many there would be.
    """
    if rows * columns > max(SPARSE_CELLS, SPARSE * given):
        raise ValueError(f"as a table it would have {rows * columns:,} cells or more, and it holds {given:,} values")


def _cut(rows: list[list[str]], width: int, start: int, odd: dict[str, list[int]]) -> list[Any]:
    """The columns of rows with any number of cells; those with too few or too many are added to `odd`."""
    import pyarrow as pa

    for position, row in enumerate(rows, start):
        if len(row) < width:
            odd["short"].append(position)
            row.extend([""] * (width - len(row)))
        elif len(row) > width:
            if any(cell.strip() for cell in row[width:]):
                odd["long"].append(position)
            del row[width:]
    return [pa.array([row[place] for row in rows], pa.string()) for place in range(width)]
