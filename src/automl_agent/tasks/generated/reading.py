"""Finds the columns that a generated module reads and that do not exist."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator, Sequence


class Columns:
    """Finds columns of the frame that do not exist."""

    def __init__(self, columns: Sequence[str], target: str, module: ast.Module) -> None:
        self.columns, self.target = list(columns), target
        self.known = {*columns, *_stored_names(module)}

    def check(self, function: ast.FunctionDef) -> Iterator[str]:
        """What is wrong with the columns that a function reads from its first argument."""
        arguments = [*function.args.posonlyargs, *function.args.args]
        if not arguments:
            return
        frames = _frames(function, arguments[0].arg)
        guarded = {text for node in ast.walk(function) if isinstance(node, ast.Compare) for text in _texts(node.left)}
        for node in ast.walk(function):
            for name in _names_read(node, frames):
                line = f"line {getattr(node, 'lineno', 0)}"
                if name == self.target and name not in self.columns:
                    hint = "; fit gets it as its second argument" if function.name == "fit" else ""
                    yield f"{line}: {name!r} is the target, no column of the frame in {function.name}{hint}"
                elif name not in self.known and name not in guarded:
                    near = difflib.get_close_matches(name, self.columns, 1)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    yield f"{line}: the frame has no column {name!r}{hint}"


def _stored_names(tree: ast.Module) -> set[str]:
    """Texts that the module makes columns of, anywhere: they may be read afterwards."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            names |= set(_texts(node.slice))
        elif isinstance(node, ast.Call):
            names |= {keyword.arg for keyword in node.keywords if keyword.arg}
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("rename", "DataFrame", "join", "merge"):
                names |= {text for part in ast.walk(node) for text in _texts(part)}
    return names


def _frames(function: ast.FunctionDef, name: str) -> set[str]:
    """Names in a function that stand for its frame or a copy of it."""
    frames = {name}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "copy":
                value = value.func.value
            if isinstance(value, ast.Name) and value.id in frames:
                frames.add(node.targets[0].id)
    return frames


def _names_read(node: ast.AST, frames: set[str]) -> Iterable[str]:
    """Columns that an expression reads from one of the frames."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if isinstance(node.value, ast.Name) and node.value.id in frames:
            return _texts(node.slice)
        by_place = isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2
        if isinstance(node.value, ast.Attribute) and node.value.attr == "loc" and _of(node.value, frames) and by_place:
            return _texts(node.slice.elts[1])  # type: ignore[attr-defined]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _of(node.func, frames):
        return _texts(node.args[0]) if node.func.attr == "groupby" and node.args else ()
    return ()


def _of(attribute: ast.Attribute, frames: set[str]) -> bool:
    return isinstance(attribute.value, ast.Name) and attribute.value.id in frames


def _texts(node: ast.AST) -> Iterable[str]:
    """The text, or the texts of a list, that an expression is."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str))
    return ()
