"""`from skops_io import io`: `skops.io` without PyTorch.

Its import walks through all modules of scikit-learn, and one of them imports PyTorch where it is installed: a second,
and 100 MB that nothing here needs.
"""

from __future__ import annotations

import sys

_hidden = "torch" not in sys.modules
if _hidden:
    sys.modules["torch"] = None  # type: ignore[assignment]  # makes its import fail, which the walk passes over
try:
    import skops.io as io
finally:
    if _hidden:
        del sys.modules["torch"]

__all__ = ["io"]
