"""ARFF, the format that OpenML keeps tables in (https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_ATTRIBUTE = re.compile(r"@attribute\s+('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)\s+(.+)", re.IGNORECASE)
_NUMBERS = ("numeric", "real", "integer")
_CELL = re.compile(r"\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^,]*)\s*(?:,|$)")


def read_arff(path: Path) -> pa.Table:
    """A dense ARFF file: numeric columns as float64, all others as text, `?` as missing.

    Raises:
        ValueError: it is none, is sparse, or a row does not fit; names the line.
    """
    import pyarrow as pa

    with path.open(encoding="utf-8", errors="replace") as file:
        lines = enumerate(file, 1)
        attributes = list(_attributes(lines))
        names = [name for name, _ in attributes]
        columns: list[list[Any]] = [[] for _ in names]
        for number, line in lines:
            text = line.strip()
            if not text or text.startswith("%"):
                continue
            if text.startswith("{"):
                raise ValueError("it is a sparse ARFF file")
            cells = _cells(text)
            if len(cells) != len(names):
                raise ValueError(f"line {number} has {len(cells)} cells for {len(names)} columns")
            for column, cell in zip(columns, cells, strict=True):
                column.append(cell)
    arrays = [_array(values, kind) for values, (_, kind) in zip(columns, attributes, strict=True)]
    return pa.table(arrays, names=names)


def _attributes(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """Name and type of each column, up to the line `@data`."""
    for _, line in lines:
        text = line.strip()
        if text.lower().startswith("@data"):
            return
        if match := _ATTRIBUTE.fullmatch(text):
            yield _plain(match[1]) or "", match[2].strip().lower()
    raise ValueError("it has no line '@data'")


def _array(values: list[str | None], kind: str) -> pa.Array:
    import pyarrow as pa

    if kind in _NUMBERS:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array(values, pa.string())


def _cells(text: str) -> list[str | None]:
    found = []
    for match in _CELL.finditer(text):
        found.append(_plain(match[1]))
        if not match[0].endswith(","):  # the last cell; at the very end an empty match would follow
            break
    return found


def _plain(cell: str) -> str | None:
    """A cell without its quotes; `None` for a missing one."""
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", cell[1:-1])
    return None if cell in ("?", "") else cell
