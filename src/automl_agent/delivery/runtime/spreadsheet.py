"""Keeps a table of predictions from being run as a program by the spreadsheet that opens it."""

from __future__ import annotations

from typing import Any


def escaped(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula, made harmless; numbers stay as they are."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value
