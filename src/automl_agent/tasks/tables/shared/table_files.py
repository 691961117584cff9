"""Reads table files as they stand: CSV, Parquet, Excel, JSON and JSON Lines, packed or not, whole or in part.

This file travels with a bundle, so it imports public libraries only. What was found out about the user's file
(delimiter, encoding, sheet) comes in as plain data, `options`. Everything that is wrong with a file is a `ValueError`
(or `OSError`) with one line of text.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from column_names import clean_names, renamed
from delimited_text import CHUNK, Loaded, NotPlainError, check_filled, count_csv, csv_column, read_csv

MAX_CELLS = 10**9


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
        except NotPlainError:
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
                if archive.getinfo(name).flag_bits & 1:
                    raise ValueError("the archive is encrypted")
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


_INDEX = re.compile(r"__index_level_\d+__")
"""Name of a column in which pandas keeps the index of a frame."""


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
    repeated = renamed(frame.columns, names)
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
                rows = _filled_rows(itertools.islice(every, limit + 1 if limit else None))
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
    return _wanted(_from_columns(names, columns), wanted), {"repeated": renamed(header, names)}


def _filled_rows(every: Iterator[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """All rows; openpyxl fills each up to its last cell, wherever that is."""
    rows: list[tuple[Any, ...]] = []
    given = claimed = 0
    for row in every:
        rows.append(row)
        given += sum(cell is not None for cell in row)
        claimed += len(row)
        check_filled(given, 1, claimed)
    return rows


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
            check_filled(sum(map(len, found.values())), len(keys), len(found))
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
    check_filled(sum(map(len, rows)), len(rows), len(names))
    return _from_columns(clean_names(names), [[row.get(name) for row in rows] for name in names])


def _from_columns(names: list[str], columns: list[list[Any]]) -> pd.DataFrame:
    columns = columns or [[] for _ in names]
    data = {
        name: pd.Series(np.fromiter(column, dtype=object, count=len(column)), dtype=object)
        for name, column in zip(names, columns, strict=True)
    }
    return pd.DataFrame(data)


_COUNTERS: dict[str, Callable[[BinaryIO, dict[str, Any]], int]] = {
    "csv": count_csv,
    "parquet": _count_parquet,
    "jsonl": _count_jsonl,
}
COUNTED = frozenset(_COUNTERS)
"""Formats whose rows can be counted, and some of them read, without keeping the others."""
_COLUMNS: dict[str, Callable[[BinaryIO, dict[str, Any], str], Any]] = {"csv": csv_column, "parquet": _parquet_column}
_READERS: dict[str, Callable[[BinaryIO, dict[str, Any], int | None, Any], Loaded]] = {
    "csv": read_csv,
    "parquet": _read_parquet,
    "excel": _read_excel,
    "json": _read_json,
    "jsonl": _read_jsonl,
}
