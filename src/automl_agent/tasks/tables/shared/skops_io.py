"""`from skops_io import io`: `skops.io` without PyTorch.

Its import walks through all modules of scikit-learn, and one of them imports PyTorch where it is installed: a second,
and 100 MB that nothing here needs.
"""

from __future__ import annotations

import sys
from typing import Any


class _NoTorch:
    """A finder that does not find PyTorch, which the walk passes over."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "torch":
            raise ModuleNotFoundError(name, name=name)


sys.meta_path.insert(0, _NoTorch)
try:
    import skops.io as io
finally:
    sys.meta_path.remove(_NoTorch)

__all__ = ["io"]
