"""Names of columns as they are used: text, stripped, none missing and none twice. Travels with a bundle."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

from table_values import sound


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


def renamed(raw: Iterable[Any], names: list[str]) -> list[int]:
    """Positions of the columns whose name was taken."""
    return [i for i, (old, new) in enumerate(zip(raw, names, strict=True)) if str(old).strip() not in ("", "None", new)]
