"""Python source as trees, also where several threads want one.

CPython 3.11 gives up in the middle of a tree when another thread makes one meanwhile, as `numpy.load` does to read a
header ("AST constructor recursion depth mismatch").
"""

from __future__ import annotations

import ast
from threading import Lock

_PARSING = Lock()
_ATTEMPTS = 20


def parsed(source: str) -> ast.Module:
    """The tree of a module. Long sources are worth a cache of what is read from their trees.

    Raises:
        SyntaxError, ValueError: it is not Python.
    """
    with _PARSING:
        for _ in range(_ATTEMPTS):
            try:
                return ast.parse(source)
            except SystemError:
                continue
        return ast.parse(source)
