"""Memory of this machine, and giving back what is not used."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys


def give_back() -> None:
    """Hand freed memory back to the system: glibc keeps it, and for a stage that loads much and ends that is the
    memory of the rest of the run."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
