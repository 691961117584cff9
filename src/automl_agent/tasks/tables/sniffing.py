"""Finds out how a text file is written: its encoding, delimiter, header and decimal sign."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from contextlib import suppress
from typing import Any

HEAD = 256 * 1024
"""Bytes looked at to find the options."""
SAMPLE = 200
"""Records looked at."""
DELIMITERS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_DECIMAL_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)?\.\d+([eE][+-]?\d+)?")
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+")


def find_encodings(head: bytes) -> list[str]:
    """Encodings to try on a text file, the likeliest first.

    Raises:
        ValueError: it is no text.
    """
    for bom, name in ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"),
                      (codecs.BOM_UTF16_BE, "utf-16")):  # fmt: skip
        if head.startswith(bom):
            return [name]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if even + odd > len(head) * 0.2:
        if min(even, odd) < max(even, odd) * 0.1:
            return ["utf-16-le" if odd > even else "utf-16-be"]
        raise ValueError("it is not text")
    control = len(re.findall(rb"[\x01-\x08\x0e-\x1f\x7f]", head))
    if control > max(2, len(head) * 0.01):
        raise ValueError("it is not text, but full of control characters")
    guess = ["cp932"] if _is_shift_jis(head) else []
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return ["utf-8", *guess, "cp1252", "latin-1"]
    except UnicodeDecodeError:
        return [*guess, "cp1252", "latin-1"]


def _is_shift_jis(head: bytes) -> bool:
    """Japanese in Shift-JIS: two-byte characters whose second byte is mostly high too, or kana."""
    try:
        text = codecs.getincrementaldecoder("cp932")().decode(head)
    except UnicodeDecodeError:
        return False
    wide = [char for char in text if ord(char) >= 0x3000 and ord(char) < 0xFF00]
    kana = sum(0x3040 <= ord(char) <= 0x30FF for char in wide)
    high = sum(char.encode("cp932", "ignore")[-1:] >= b"\x80" for char in wide)
    return len(wide) > 1 and (kana > len(wide) * 0.1 or high > len(wide) * 0.4)


def find_layout(head: bytes, encoding: str, suffix: str) -> dict[str, Any]:
    """Delimiter, header and decimal sign of a text file, from its first records."""
    text = (
        codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)().decode(head).replace("\0", "")
    )
    lines = text.splitlines(keepends=True)
    if len(head) == HEAD and len(lines) > 1:
        lines = lines[:-1]  # the last one is cut
    candidates = ("\t", *DELIMITERS) if suffix.lower() in (".tsv", ".tab") else DELIMITERS
    scored = [
        (_regularity(records), records, delimiter) for delimiter in candidates if (records := _sample(lines, delimiter))
    ]
    if not scored:
        return {"delimiter": ",", "header": True, "decimal": ".", "thousands": ",", "row_names": False}
    _, records, delimiter = max(scored, key=lambda item: item[0])
    width = Counter(len(row) for row in records[1:]).most_common(1)[0][0] if len(records) > 1 else len(records[0])
    row_names = width == len(records[0]) + 1 and all(len(row) == width for row in records[1:]) and len(records) > 3
    decimal = _decimal(records, delimiter)
    header = row_names or _has_header(records, decimal)
    thousands = "." if decimal == "," else ","
    return {
        "delimiter": delimiter,
        "header": header,
        "decimal": decimal,
        "thousands": thousands,
        "row_names": row_names,
    }


def _sample(lines: list[str], delimiter: str) -> list[list[str]]:
    if lines and lines[0].lower().startswith("sep="):
        lines = lines[1:]
    rows: list[list[str]] = []
    with suppress(csv.Error):  # a cell beyond the limit: what was read so far tells enough
        for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
            if row:
                rows.append(row)
            if len(rows) > SAMPLE:
                break
    return rows


def _regularity(records: list[list[str]]) -> tuple[float, int]:
    """How much a delimiter looks right: rows of one width, the header's width; then the number of columns."""
    widths = Counter(len(row) for row in records)
    width, count = widths.most_common(1)[0]
    if width < 2 and len(records[0]) < 2:
        return 0.0, 1
    fits = 1.0 if len(records[0]) in (width, width - 1) and len(records[0]) > 1 else 0.2
    return round(fits * count / len(records), 1), width


def _decimal(records: list[list[str]], delimiter: str) -> str:
    comma = point = unsure = 0
    for row in records[1:]:
        for cell in row:
            cell = cell.strip()
            if _AMBIGUOUS.fullmatch(cell):
                unsure += "," in cell and delimiter == ";"
            elif _DECIMAL_COMMA.fullmatch(cell):
                comma += 1
            elif _DECIMAL_POINT.fullmatch(cell):
                point += 1
    return "," if comma + unsure > point else "."


def _has_header(records: list[list[str]], decimal: str) -> bool:
    """Whether the first record holds names: words over numbers say yes, numbers over numbers no."""
    from automl_agent.tasks.tables.shared.table_values import MISSING, number

    first, rest = records[0], records[1:]
    votes = 0
    for position, cell in enumerate(first):
        below = [row[position].strip() for row in rest if position < len(row)]
        below = [value for value in below if value not in MISSING]
        numeric = below and sum(number(value, decimal) is not None for value in below) > len(below) * 0.8
        if cell.strip() in MISSING:
            votes -= bool(cell.strip())
        elif numeric:
            votes += 1 if number(cell, decimal) is None else -1
        elif number(cell, decimal) is not None or (len(below) > 5 and cell.strip() in below):
            votes -= 1
    years = [cell for cell in first if re.fullmatch(r"(19|20)\d\d", cell.strip())]
    return votes >= 0 or (len(years) > 1 and len(set(years)) == len(years) and len(years) >= -votes)
