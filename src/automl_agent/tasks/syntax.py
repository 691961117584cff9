"""Python source as trees, one at a time: CPython 3.11 does not parse in several threads at once ("AST constructor
recursion depth mismatch")."""

from __future__ import annotations

import ast
from threading import Lock

_PARSING = Lock()


def parsed(source: str) -> ast.Module:
    """The tree of a module.

    Raises:
        SyntaxError, ValueError: it is not Python.
    """
    with _PARSING:
        return ast.parse(source)
