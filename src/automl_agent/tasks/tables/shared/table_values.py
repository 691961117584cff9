"""What the values of a table mean: numbers, labels, moments and texts, one by one and column by column.

This file travels with a bundle, so it imports public libraries only. The kinds of the columns and the spellings that
were found in the user's file come in as plain data, `schema`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

MISSING = frozenset(
    ["", "?", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "Null", "<NA>", "NaT", "-", "--", "."]
)
"""Words for a missing value. "None" is not among them: in tables it is mostly a level ("no fence")."""
SMALL = 64
"""Up to so many rows, looking for equal values costs more than it saves."""
LARGEST_WEIGHT = 1e100
"""Sums of larger ones could overflow."""

# ---------------------------------------------------------------- single values

_PLAIN = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?((?i:inf)((?i:inity))?|(?i:nan))", re.ASCII)
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
