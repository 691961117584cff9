"""Writes one file without end, and does not mind errors."""

import contextlib
from pathlib import Path

with Path("big").open("wb") as file:
    while True:
        with contextlib.suppress(OSError):
            file.write(bytes(1 << 20))
