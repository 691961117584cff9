"""Folders that are being written: each names the process at work, so that what a killed one left is told apart."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from uuid import uuid4
from zlib import crc32

from automl_agent.execution.lease import machine, start_of


def unfinished(target: Path) -> Path:
    """Where to write what will be `target`: beside it, under a name that no other attempt has. It is not made here."""
    return target.with_name(f"{target.name}.{_here()}-{os.getpid()}-{uuid4().hex[:8]}.part")


def clear_dead(place: Path, below: str = "") -> None:
    """Remove what processes of this machine left that were killed in the middle.

    Args:
        below: a pattern of folders in `place` to look into, as `*/`; by default `place` itself.
    """
    for folder in place.glob(f"{below}*.{_here()}-*.part"):
        if start_of(int(folder.name.split("-")[1])) is None:
            shutil.rmtree(folder, ignore_errors=True)


def _here() -> str:
    """The machine in eight letters, for the name of a file."""
    return f"{crc32(machine().encode()):08x}"
