"""What `automl-agent doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    check: str
    level: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""
