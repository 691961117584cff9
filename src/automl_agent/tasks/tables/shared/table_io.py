"""Reads a table and gives its columns their types: one code for training, prediction and serving.

This file travels with a bundle, so it imports public libraries only. What was found out about the user's file
(delimiter, encoding, kinds of columns, spellings) comes in as plain data: `options` for reading, `schema` for typing.
Everything that is wrong with a file is a `ValueError` (or `OSError`) with one line of text.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import json
import math
import re
import threading
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

MISSING = frozenset(
    ["", "?", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "Null", "<NA>", "NaT", "-", "--", "."]
)
"""Words for a missing value. "None" is not among them: in tables it is mostly a level ("no fence")."""
SMALL = 64
"""Up to so many rows, looking for equal values costs more than it saves."""
CHUNK = 20_000
LARGEST_WEIGHT = 1e100
"""Sums of larger ones could overflow."""
BLOCK = 8 * 2**20
"""Bytes of a text file that are looked at together where only some of its rows are wanted."""
MAX_CELL = 64 * 2**20
MAX_CELLS = 10**9

# ---------------------------------------------------------------- reading


def read(path: str | Path, options: dict[str, Any] | None = None, limit: int | None = None,
         rows: np.ndarray[Any, Any] | None = None) -> pd.DataFrame:  # fmt: skip
    """Read a table as it stands: strings from text files, the library's own values from Parquet, Excel and JSON.

    Args:
        path: CSV, TSV, Parquet, Excel, JSON or JSON Lines; also `.gz` or `.zip` of one. Content decides, not the name.
        options: `delimiter`, `encoding`, `header`, `quoting`, `row_names`, `sheet`, `member`, as in `schema["read"]`.
        limit: rows to read at most.
        rows: ascending positions of the rows that are wanted; by default all. The index holds them.

    Returns:
        The rows in the order of the file (blank lines apart), with unique, stripped column names.

    Raises:
        ValueError: the content is not a table that can be read.
        OSError: the file cannot be opened.
    """
    return load(path, options, limit, rows)[0]


def load(path: str | Path, options: dict[str, Any] | None = None, limit: int | None = None,
         rows: np.ndarray[Any, Any] | None = None) -> tuple[pd.DataFrame, dict[str, list[int]]]:  # fmt: skip
    """Like `read`; also tells what was repaired on the way.

    Returns:
        The frame, and positions: of rows with too few (`short`) or too many cells (`long`), of rows that are no JSON
        objects (`bad`, all missing), and of columns that were renamed because their name was taken (`repeated`).
    """
    options = options or {}
    with _opening(Path(path), options) as (kind, passes):
        read = _READERS[kind]
        frame, odd = passes(lambda stream, plain: read(stream, {**options, "plain": plain}, limit, rows))
    if rows is None:
        return frame, odd
    frame.index = pd.Index(rows[: len(frame)])
    return frame, {what: found if what == "repeated" else rows[found].tolist() for what, found in odd.items()}


def count(path: str | Path, options: dict[str, Any] | None = None) -> int | None:
    """How many rows `read` would return, without keeping any; `None` where that must read all (Excel, JSON).

    Raises:
        ValueError, OSError: as `read`; most of the content of single cells is not looked at.
    """
    options = options or {}
    with _opening(Path(path), options) as (kind, passes):
        counter = _COUNTERS.get(kind)
        return None if counter is None else passes(lambda stream, plain: counter(stream, {**options, "plain": plain}))


def column(path: str | Path, name: str, options: dict[str, Any] | None = None) -> pd.Series[Any]:
    """One column of all rows, as `read` would return it.

    Raises:
        ValueError, OSError: as `read`.
        KeyError: there is none of this name.
    """
    options = options or {}
    with _opening(Path(path), options) as (kind, passes):
        alone = _COLUMNS.get(kind)
        if alone is not None:
            found: pd.Series[Any] = passes(lambda stream, _: alone(stream, options, name))
            return found
    return read(path, options)[name]


@contextmanager
def _opening(path: Path, options: dict[str, Any]) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """The format of a file, and what runs a function on its content: taken as plain lines at first, and where it is
    not that plain, once more. Damaged archives become a `ValueError`."""

    def passes(work: Callable[[BinaryIO, bool], Any]) -> Any:
        try:
            with open_content(path, options.get("member")) as stream:
                return work(stream, True)
        except _NotPlainError:
            with open_content(path, options.get("member")) as stream:
                return work(stream, False)

    try:
        with open_content(path, options.get("member")) as stream:
            head = stream.read(4096)
        yield content_format(head, inner_name(path, options.get("member"))), passes
    except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"the archive is damaged ({error})") from error


def inner_name(path: Path, member: str | None) -> str:
    """Name of the table itself, without what it is packed in."""
    name = member or path.name
    return name[: -len(".gz")] if name.lower().endswith(".gz") else name


def content_format(head: bytes, name: str) -> str:
    """`parquet`, `excel`, `json`, `jsonl` or `csv`, from the first bytes and, where they leave it open, the name."""
    suffix = PurePosixPath(name.lower()).suffix
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "excel"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if suffix in (".json", ".jsonl", ".ndjson") or (
        start[:1] in (b"{", b"[") and suffix not in (".csv", ".tsv", ".txt")
    ):
        lines = start.splitlines()
        return "jsonl" if start[:1] == b"{" and len(lines) > 1 and lines[0].rstrip().endswith(b"}") else "json"
    return "csv"


def open_content(path: Path, member: str | None = None) -> BinaryIO:
    """Open a file, unpacking `.gz` and `.zip` on the way, with a bound on what comes out."""
    with path.open("rb") as file:
        magic = file.read(4)
    packed = path.stat().st_size
    if magic.startswith(b"\x1f\x8b"):
        return io.BufferedReader(_Bounded(gzip.open(path, "rb"), packed))
    if magic == b"PK\x03\x04" or magic == b"PK\x05\x06":
        with zipfile.ZipFile(path) as archive:  # what was opened in it stays open
            if "xl/workbook.xml" not in archive.namelist():
                name = _member(archive, member)
                if archive.getinfo(name).file_size <= _limit(packed):
                    return io.BufferedReader(_Bounded(archive.open(name), packed))
            if sum(info.file_size for info in archive.infolist()) > _limit(packed):
                raise ValueError("it would unpack to far more than a table of its size holds")
    return path.open("rb")


def table_members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files in an archive that may be tables."""
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    return [name for name in names if "__MACOSX" not in name and not PurePosixPath(name).name.startswith(".")]


def _member(archive: zipfile.ZipFile, member: str | None) -> str:
    names = table_members(archive)
    if member in names:
        return str(member)
    if len(names) != 1:
        raise ValueError(f"the zip archive holds {len(names)} files, not one table")
    return names[0]


def _limit(packed: int) -> int:
    return min(max(256 * 2**20, 200 * packed), 8 * 2**30)


class _Bounded(io.RawIOBase):
    """Stops an archive that unpacks to far more than a table of its size holds."""

    def __init__(self, inner: Any, packed: int) -> None:
        self._inner, self._left = inner, _limit(packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._inner.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("it would unpack to far more than a table of its size holds")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


def clean_names(names: Iterable[Any]) -> list[str]:
    """Column names as text: stripped, unnamed ones counted, repeated ones numbered (`a`, `a.1`)."""
    result: list[str] = []
    seen: set[str] = set()
    for position, raw in enumerate(names, 1):
        text = "" if raw is None or (isinstance(raw, float) and math.isnan(raw)) else sound(str(raw)).strip()
        name = text = text or f"column_{position}"
        for number in itertools.count(1):
            if name not in seen:
                break
            name = f"{text}.{number}"
        seen.add(name)
        result.append(name)
    return result


def _renamed(raw: Iterable[Any], names: list[str]) -> list[int]:
    """Positions of the columns whose name was taken."""
    return [i for i, (old, new) in enumerate(zip(raw, names, strict=True)) if str(old).strip() not in ("", "None", new)]


_INDEX = re.compile(r"__index_level_\d+__")
"""Name of a column in which pandas keeps the index of a frame."""
Loaded = tuple[pd.DataFrame, dict[str, list[int]]]
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


def _read_csv(
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


def _count_csv(stream: BinaryIO, options: dict[str, Any]) -> int:
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


def _csv_column(stream: BinaryIO, options: dict[str, Any], name: str) -> pd.Series[Any]:
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


class _NotPlainError(Exception):
    """The records of a text file cannot be told apart by their lines and quotes alone."""


def _plain_texts(
    stream: BinaryIO, options: dict[str, Any], wanted: np.ndarray[Any, Any] | None
) -> Iterator[tuple[bytes, int]]:
    """The text of the first record, then that of the (wanted) rows, block by block; with the number of records in it.

    Raises:
        _NotPlainError: the lines do not show where records end.
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
        _NotPlainError: that is not so, or line ends and characters are not single bytes.
        UnicodeDecodeError: the encoding is wrong.
    """
    encoding = options.get("encoding") or "utf-8"
    if encoding not in ("utf-8", "cp1252", "latin-1") or options.get("quoting") == "lenient":
        raise _NotPlainError
    quoted, delimiter = options.get("quoting") != "none", ord(options.get("delimiter") or ",")
    data, begun, block = b"", False, b" "
    while block:
        block = stream.read(BLOCK)
        data += block
        if not begun:
            data, begun = data.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8" else data, True
            if data[:4].lower() == b"sep=":
                raise _NotPlainError
        if not block and data and not data.endswith(b"\n"):
            data += b"\n"
        marks = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(marks == ord("\n"))
        if quoted:
            quotes = np.flatnonzero(marks == ord('"'))
            ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        if not len(ends):
            if data and (not block or len(data) > MAX_CELL):
                raise _NotPlainError
            continue
        cut = int(ends[-1]) + 1
        if quoted:
            _check_quotes(marks, quotes[: np.searchsorted(quotes, cut)], delimiter)
        whole, data = data[:cut], data[cut:]
        if b"\0" in whole or (b"\r" in whole and whole.count(b"\r") != whole.count(b"\r\n")):
            raise _NotPlainError
        if not whole.isascii():
            whole.decode(encoding)
        starts = np.concatenate([[0], ends[:-1] + 1])
        kept = (ends - starts > 1) | ((ends > starts) & (marks[starts] != ord("\r")))
        yield whole, starts[kept], ends[kept]
    if data:  # a quote is never closed
        raise _NotPlainError


def _check_quotes(marks: np.ndarray[Any, Any], quotes: np.ndarray[Any, Any], delimiter: int) -> None:
    """Every quote must open a cell, close one, or be one of two that stand for a quote inside of a cell."""
    opening, closing = quotes[0::2], quotes[1::2]
    before, after = marks[opening[opening > 0] - 1], marks[closing + 1]
    if not (np.isin(before, [delimiter, 10, 34]).all() and np.isin(after, [delimiter, 10, 13, 34]).all()):
        raise _NotPlainError


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
    for chunk in chunks:
        columns = None
        if isinstance(chunk, tuple):
            text, count = chunk
            columns = _plain_columns(text, options, width)
            chunk = [] if columns else _records_in(text, options)
            if count != (len(columns[0]) if columns else len(chunk)):
                raise _NotPlainError
        if columns is None:
            columns = _cut(chunk, width, start, odd)
        parts.append(columns)
        start += len(columns[0])
    names = clean_names(first)
    odd["repeated"] = _renamed(first, names)
    table = pa.table([pa.chunked_array([part[i] for part in parts], pa.string()) for i in range(width)], names=names)
    return table.to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get), odd


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


def _read_parquet(
    stream: BinaryIO, _options: dict[str, Any], limit: int | None, wanted: np.ndarray[Any, Any] | None
) -> Loaded:
    import pyarrow as pa

    with _parquet(stream) as file:
        rows = file.metadata.num_rows if wanted is None else len(wanted)
        if rows * file.metadata.num_columns > MAX_CELLS:
            raise ValueError("it claims more than a billion cells")
        if wanted is not None:
            table = _some_rows(file, wanted).slice(0, limit)
        elif limit is None or rows <= limit:
            table = file.read()
        else:
            table = pa.Table.from_batches(itertools.islice(file.iter_batches(batch_size=limit), 1))
    table = table.select([name for name in table.column_names if not _INDEX.fullmatch(name)])
    frame = table.to_pandas(ignore_metadata=True)
    names = clean_names(frame.columns)
    repeated = _renamed(frame.columns, names)
    frame.columns = pd.Index(names, dtype=object)
    return frame, {"repeated": repeated}


@contextmanager
def _parquet(stream: BinaryIO) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield pq.ParquetFile(stream if stream.seekable() else io.BytesIO(stream.read()))
    except pa.ArrowException as error:
        raise ValueError(f"the Parquet file is damaged ({str(error).splitlines()[0]})") from error


def _count_parquet(stream: BinaryIO, _options: dict[str, Any]) -> int:
    with _parquet(stream) as file:
        return int(file.metadata.num_rows)


def _parquet_column(stream: BinaryIO, _options: dict[str, Any], name: str) -> pd.Series[Any]:
    with _parquet(stream) as file:
        names = [each for each in file.schema_arrow.names if not _INDEX.fullmatch(each)]
        place = dict(zip(clean_names(names), names, strict=True))[name]
        found: pd.Series[Any] = file.read(columns=[place]).column(0).to_pandas().rename(name)
    return found


def _some_rows(file: Any, wanted: np.ndarray[Any, Any]) -> Any:
    """The rows at ascending positions, read a part of the file at a time."""
    import pyarrow as pa

    parts, before = [], 0
    for batch in file.iter_batches(batch_size=CHUNK):
        low, high = np.searchsorted(wanted, [before, before + batch.num_rows])
        parts.append(batch.take(pa.array(wanted[low:high] - before)))
        before += batch.num_rows
    return pa.Table.from_batches(parts, parts[0].schema if parts else file.schema_arrow).unify_dictionaries()


def _read_excel(
    stream: BinaryIO, options: dict[str, Any], limit: int | None, wanted: np.ndarray[Any, Any] | None
) -> Loaded:
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and filters that it does not know
            book = openpyxl.load_workbook(io.BytesIO(stream.read()), read_only=True, data_only=True)
            names = [options["sheet"]] if options.get("sheet") in book.sheetnames else book.sheetnames
            rows: list[tuple[Any, ...]] = []
            for name in names:
                every = (row for row in book[name].iter_rows(values_only=True) if any(cell is not None for cell in row))
                rows = list(itertools.islice(every, limit + 1 if limit else None))
                if rows:
                    break
    except (KeyError, TypeError, AttributeError, zipfile.BadZipFile, SyntaxError) as error:
        raise ValueError(f"the Excel file is damaged ({error})") from error
    width = max((len(row) for row in rows), default=0)
    keep = [i for i in range(width) if any(i < len(row) and row[i] is not None for row in rows)]
    cells = [[row[i] if i < len(row) else None for i in keep] for row in rows]
    header = cells.pop(0) if cells and options.get("header", True) else [None] * len(keep)
    names = clean_names(header)
    columns = [list(column) for column in zip(*cells, strict=True)]
    return _wanted(_from_columns(names, columns), wanted), {"repeated": _renamed(header, names)}


def _wanted(frame: pd.DataFrame, wanted: np.ndarray[Any, Any] | None) -> pd.DataFrame:
    """The wanted rows of a table that had to be read whole."""
    return frame if wanted is None else frame.iloc[wanted[wanted < len(frame)]]


def _read_json(
    stream: BinaryIO, options: dict[str, Any], limit: int | None, wanted: np.ndarray[Any, Any] | None
) -> Loaded:
    frame, odd = _parse_json(stream, options, limit)
    return _wanted(frame, wanted), odd


def _parse_json(stream: BinaryIO, _options: dict[str, Any], limit: int | None) -> Loaded:
    try:
        found = json.loads(stream.read())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not valid JSON ({error})") from error
    if isinstance(found, dict):
        if isinstance(found.get("data"), list) and isinstance(found.get("columns"), list):  # pandas' "split"
            columns = found["columns"]
            rows = [row for row in found["data"] if isinstance(row, list) and len(row) == len(columns)]
            return _from_records([dict(zip(columns, row, strict=True)) for row in rows][:limit]), {}
        lists = [value for value in found.values() if isinstance(value, list)]
        if len(lists) == len(found) and len({len(value) for value in lists}) == 1:  # a list for each column
            return _from_columns(clean_names(found), [value[:limit] for value in lists]), {}
        if len(found) and all(isinstance(value, dict) for value in found.values()):  # pandas' "columns"
            keys = list(dict.fromkeys(key for value in found.values() for key in value))[:limit]
            return _from_columns(clean_names(found), [[value.get(key) for key in keys] for value in found.values()]), {}
        found = lists[0] if len(lists) == 1 else [found]
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError("its JSON is not a list of objects")
    return _from_records(found[:limit]), {}


def _json_lines(stream: BinaryIO) -> Iterator[bytes]:
    return (line for line in stream if line.strip(b"\xef\xbb\xbf \t\r\n"))


def _count_jsonl(stream: BinaryIO, _options: dict[str, Any]) -> int:
    return sum(1 for _ in _json_lines(stream))


def _read_jsonl(
    stream: BinaryIO, _options: dict[str, Any], limit: int | None, wanted: np.ndarray[Any, Any] | None
) -> Loaded:
    rows: list[dict[str, Any]] = []
    bad: list[int] = []
    lines: Iterator[bytes] = _json_lines(stream)
    if wanted is not None:
        chosen = set(wanted.tolist())
        lines = (line for number, line in enumerate(lines) if number in chosen)
    for position, line in enumerate(itertools.islice(lines, limit)):
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            bad.append(position)
            row = {}
        rows.append(row)
    if len(bad) == len(rows):
        raise ValueError("none of its lines is a JSON object")
    return _from_records(rows), {"bad": bad}


def _from_records(rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _from_columns(clean_names(names), [[row.get(name) for row in rows] for name in names])


def _from_columns(names: list[str], columns: list[list[Any]]) -> pd.DataFrame:
    columns = columns or [[] for _ in names]
    data = {name: pd.Series(_objects(column), dtype=object) for name, column in zip(names, columns, strict=True)}
    return pd.DataFrame(data)


_COUNTERS: dict[str, Callable[[BinaryIO, dict[str, Any]], int]] = {
    "csv": _count_csv,
    "parquet": _count_parquet,
    "jsonl": _count_jsonl,
}
COUNTED = frozenset(_COUNTERS)
"""Formats whose rows can be counted, and some of them read, without keeping the others."""
_COLUMNS: dict[str, Callable[[BinaryIO, dict[str, Any], str], Any]] = {"csv": _csv_column, "parquet": _parquet_column}
_READERS: dict[str, Callable[[BinaryIO, dict[str, Any], int | None, Any], Loaded]] = {
    "csv": _read_csv,
    "parquet": _read_parquet,
    "excel": _read_excel,
    "json": _read_json,
    "jsonl": _read_jsonl,
}

# ---------------------------------------------------------------- single values

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?((?i:inf)((?i:inity))?|(?i:nan))", re.ASCII)
_SIGNS = re.compile(r"[$€£¥%\s'’\u00a0\u202f]|USD|EUR|GBP|CHF|JPY")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_GROUPED_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?")
_WHOLE = re.compile(r"([+-]?\d+)\.0+")


def sound(text: str) -> str:
    """Text without lone surrogates, which no file format takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def number(value: Any, decimal: str = ".") -> float | None:
    """A value as a number: NaN when it is missing, `None` when it is something else ("$1,000" is a number)."""
    if isinstance(value, str):
        text = value.strip()
        if text in MISSING:
            return math.nan
        if decimal == "," and _GROUPED_COMMA.fullmatch(text):
            text = text.replace(".", "")
        if decimal == ",":
            text = text.replace(",", ".", 1)
        if _PLAIN.fullmatch(text):
            return float(text)
        negative = text.startswith("(") and text.endswith(")")
        text = _SIGNS.sub("", text[1:-1] if negative else text)
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        return (-1 if negative else 1) * float(text) if _PLAIN.fullmatch(text) and text[-1].isdigit() else None
    if isinstance(value, (int, float, np.number, np.bool_, Decimal)):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return math.nan if value is None or value is pd.NA or value is pd.NaT else None


def label(value: Any) -> str | None:
    """A value as a label: stripped, whole numbers without ".0"; `None` when it is missing."""
    if isinstance(value, str):
        text = sound(value).strip()
        if text in MISSING:
            return None
        whole = _WHOLE.fullmatch(text) if text.endswith("0") else None
        return whole.group(1) if whole else text
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (float, np.floating)):
        if math.isnan(value):
            return None
        value = float(value)
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return sound(str(value)).strip()


def moment(value: Any, form: str | None = None) -> datetime | None:
    """A value as a moment in time (UTC, without zone), or `None`. `form` is a strptime format; by default ISO 8601."""
    if form and isinstance(value, int):  # days written as 20240131
        value = str(value)
    if isinstance(value, str):
        try:
            value = datetime.strptime(value.strip(), form) if form else datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime) and value is not pd.NaT:
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None)
    return datetime(value.year, value.month, value.day) if type(value) is date else None


def fold(text: str) -> str:
    """What spellings of one label have in common: case and spaces do not count."""
    return " ".join(text.split()).casefold()


# ---------------------------------------------------------------- whole columns


def factor(series: pd.Series[Any]) -> tuple[np.ndarray[Any, Any], list[Any]]:
    """Codes and the values that they stand for; missing values may have the code -1. Work on values, not on rows."""
    if len(series) > SMALL:
        try:
            codes, values = pd.factorize(series)
            return codes, values.tolist()
        except TypeError:  # lists and the like cannot be hashed
            pass
    return np.arange(len(series)), series.tolist()


def numbers(series: pd.Series[Any], decimal: str = ".") -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """float64 values (NaN missing, infinities kept), and which rows hold something that is not a number."""
    if series.dtype.kind in "iufb":
        values = series.to_numpy(np.float64, na_value=np.nan)
        return values, np.zeros(len(values), bool)
    codes, found = factor(series)
    values, bad = parse_numbers([*found, None], decimal)
    return values[codes], bad[codes]


def parse_numbers(values: list[Any], decimal: str = ".") -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """`number` of many values, as float64 (NaN missing) and which are something else."""
    if len(values) > SMALL and decimal == ".":
        import pyarrow as pa

        try:  # plain numbers, the usual case, at once
            words = pa.array([None if value in MISSING else value for value in values], pa.string())
            plain: np.ndarray[Any, Any] = words.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
            return plain, np.zeros(len(values), bool)
        except (pa.ArrowException, TypeError, ValueError):
            pass
    parsed = [number(value, decimal) for value in values]
    floats = np.array([math.nan if value is None else value for value in parsed], np.float64)
    return floats, np.array([value is None for value in parsed], bool)


def labels(series: pd.Series[Any], known: Iterable[str] = ()) -> np.ndarray[Any, Any]:
    """Labels (object, `None` missing). Spellings that differ from a known label in case or spaces only become it."""
    codes, found = factor(series)
    exact = set(known)
    spellings: dict[str, str] | None = None
    result: list[str | None] = []
    for value in found:
        text = label(value)
        if text is not None and exact and text not in exact:
            if spellings is None:
                spellings = _spellings(exact)
            text = spellings.get(fold(text), text)
        result.append(text)
    spelled: np.ndarray[Any, Any] = _objects([*result, None])[codes]
    return spelled


def _spellings(known: Iterable[str]) -> dict[str, str]:
    """Known labels by what their spellings have in common; ambiguous ones are left out."""
    found: dict[str, str | None] = {}
    for value in known:
        found[fold(value)] = None if fold(value) in found else value
    return {key: value for key, value in found.items() if value is not None}


def moments(series: pd.Series[Any], form: str | None = None) -> np.ndarray[Any, Any]:
    """datetime64[ns] values (NaT missing); years that nanoseconds cannot hold (before 1678, after 2261) are clipped."""
    if series.dtype.kind == "M":
        zoned = getattr(series.dtype, "tz", None) is not None
        values = (series.dt.tz_convert(None) if zoned else series).to_numpy().astype("datetime64[us]")
    else:
        codes, found = factor(series)
        values = np.array([*(moment(value, form) for value in found), None], "datetime64[us]")[codes]
    low, high = np.datetime64("1678-01-01", "us"), np.datetime64("2261-12-31", "us")
    result: np.ndarray[Any, Any] = np.clip(values, low, high).astype("datetime64[ns]")
    return result


def texts(series: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Texts (object of str, "" missing)."""
    codes, found = factor(series)
    result: np.ndarray[Any, Any] = _objects([*(label(value) or "" for value in found), ""])[codes]
    return result


def _objects(values: list[Any]) -> np.ndarray[Any, Any]:
    return np.fromiter(values, dtype=object, count=len(values))


def typed(frame: pd.DataFrame, schema: dict[str, Any]) -> pd.DataFrame:
    """The schema's columns with their types: number float64, category and boolean object (`None` missing), date
    datetime64[ns], text object ("" missing).

    Columns that the frame lacks are all missing, others are ignored; what is no number where one is due is missing.
    """
    decimal = schema["read"].get("decimal") or "."
    data = {column["name"]: _typed_column(frame, column, decimal) for column in schema["columns"]}
    return pd.DataFrame(data, index=pd.RangeIndex(len(frame)))


def _typed_column(frame: pd.DataFrame, column: dict[str, Any], decimal: str) -> Any:
    kind, series = column["kind"], _column(frame, column["name"])
    if kind == "number":
        values = numbers(series, decimal)[0]
        return np.where(np.isfinite(values), values, np.nan)
    if kind == "date":
        return moments(series, column.get("format"))
    result = texts(series) if kind == "text" else labels(series, column["values"])
    return pd.Series(result, dtype=object, copy=False)


def _column(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame.columns:
        return pd.Series([None] * len(frame), dtype=object)
    found: Any = frame[name]
    first: pd.Series[Any] = found if found.ndim == 1 else found.iloc[:, 0]
    return first


def encode_target(series: pd.Series[Any], schema: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Class codes (int64, -1 for missing and unknown labels), or values (float64, NaN for missing ones)."""
    if schema["kind"] == "regression":
        values = numbers(series, schema["read"].get("decimal") or ".")[0]
        return np.where(np.isfinite(values), values, np.nan)
    codes = {name: code for code, name in enumerate(schema["classes"])}
    return np.array([codes.get(value, -1) for value in labels(series, schema["classes"])], np.int64)


def encode_weights(series: pd.Series[Any], schema: dict[str, Any]) -> np.ndarray[Any, Any]:
    """What each row counts (float64, not negative).

    Raises:
        ValueError: a row has no weight, or one that is no number, too large or negative; says how many.
    """
    values, bad = numbers(series, schema["read"].get("decimal") or ".")
    large, missing = np.abs(values) > LARGEST_WEIGHT, np.isnan(values) & ~bad
    wrong = {"no number": bad, "infinite or too large": large, "negative": values < 0, "missing": missing}
    for what, rows in wrong.items():
        if count := int(rows.sum()):
            shown = ", ".join(dict.fromkeys(repr(str(value)[:40]) for value in series[rows].head(20)))
            such = f" (such as {shown[:80]})" if what != "missing" else ""
            raise ValueError(f"the weight {schema['weight']!r} is {what} in {count} of {len(values)} rows{such}")
    return values


def bounds(_frame: pd.DataFrame, scores: np.ndarray[Any, Any], spread: Any, _schema: dict[str, Any]
           ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:  # fmt: skip
    """Ends of prediction intervals around values; `spread` is half the width."""
    return scores - spread, scores + spread


def inspect(frame: pd.DataFrame, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What in these rows differs from the training data, as `{"column", "problem", "count", "examples"}`.

    Problems: `missing_column`, `unseen_category`, `out_of_range`, `not_a_number`, `extra_column`.
    """
    decimal = schema["read"].get("decimal") or "."
    found: list[dict[str, Any]] = []
    for column in schema["columns"]:
        name = column["name"]
        if name not in frame.columns:
            found.append({"column": name, "problem": "missing_column", "count": len(frame), "examples": []})
            continue
        series = _column(frame, name)
        for problem, rows in _oddities(series, column, decimal).items():
            if count := int(rows.sum()):
                examples = list(dict.fromkeys(str(value)[:80] for value in series[rows].head(50)))[:3]
                found.append({"column": name, "problem": problem, "count": count, "examples": examples})
    used = {column["name"] for column in [*schema["columns"], *schema.get("dropped", [])]} | {schema.get("target")}
    extra = [str(name) for name in frame.columns if name not in used]
    return found + [{"column": name, "problem": "extra_column", "count": len(frame), "examples": []} for name in extra]


def _oddities(series: pd.Series[Any], column: dict[str, Any], decimal: str) -> dict[str, Any]:
    kind = column["kind"]
    if kind == "number":
        values, bad = numbers(series, decimal)
        if column.get("min") is None:
            return {"not_a_number": bad}
        return {"not_a_number": bad, "out_of_range": (values < column["min"]) | (values > column["max"])}
    if kind == "date" and column.get("min") is not None:
        times = moments(series, column.get("format"))
        return {"out_of_range": (times < np.datetime64(column["min"])) | (times > np.datetime64(column["max"]))}
    if kind in ("category", "boolean") and column["distinct"] <= len(column["values"]):
        known = {*column["values"], None}
        return {"unseen_category": np.array([value not in known for value in labels(series, column["values"])], bool)}
    return {}
