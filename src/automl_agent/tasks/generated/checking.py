"""Looks at code that a language model wrote, before it is run: what its author could have seen by reading it again.

These are hints that save a run, not walls: whatever gets past them runs in the sandbox only.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Literal

from automl_agent.tasks.generated.reading import Columns
from automl_agent.tasks.syntax import parsed

Kind = Literal["features", "model", "program"]

FUNCTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "features": {"fit": ("frame", "target"), "transform": ("frame", "state")},
    "model": {"fit": ("frame", "target", "params", "task"), "predict": ("frame", "state")},
    "program": {"train": ("inputs", "out"), "predict": ("model", "rows", "out")},
}
PACKAGES = frozenset(["numpy", "pandas", "scipy", "sklearn", "lightgbm", "catboost"])
STANDARD = frozenset([
    "__future__", "abc", "base64", "bisect", "calendar", "cmath", "collections", "contextlib", "copy", "csv",
    "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "io",
    "itertools", "json", "logging", "math", "numbers", "operator", "pathlib", "random", "re", "statistics",
    "string", "textwrap", "time", "types", "typing", "unicodedata", "warnings", "zlib", "zoneinfo",
])  # fmt: skip
CALLS = frozenset([
    "eval", "exec", "compile", "open", "input", "breakpoint", "__import__", "globals", "vars", "exit", "quit",
])  # fmt: skip
FILES = frozenset([
    "read_csv", "read_parquet", "read_json", "read_excel", "read_table", "to_csv", "to_parquet", "to_json",
    "to_excel", "load", "save", "savez", "savez_compressed", "fromfile", "tofile", "loadtxt", "savetxt",
    "genfromtxt", "memmap", "read_text", "read_bytes", "write_text", "write_bytes",
])  # fmt: skip
PICKLES = frozenset(["read_pickle", "to_pickle"])
TYPES = {"float": ("low", "high"), "int": ("low", "high"), "categorical": ("choices",)}


def check_source(source: str, kind: Kind, columns: Sequence[str], target: str) -> tuple[str, ...]:
    """What is wrong with a module, one line each; empty when nothing is to be seen.

    Args:
        columns: names of the columns, as the module may use them.
        target: name of the target, which is not among them.
    """
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
        return (f"{where}the module cannot be parsed: {getattr(error, 'msg', error)}",)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    problems = [
        *_functions(functions, kind),
        *_imports(tree),
        *_calls(tree, files=kind == "program"),
        *(_literals(tree) if kind == "model" else ()),
    ]
    if kind != "program":
        known = Columns(columns, target, tree)
        for name in FUNCTIONS[kind]:
            if name in functions:
                problems += known.check(functions[name])
    return tuple(dict.fromkeys(problems))


def _functions(functions: dict[str, ast.FunctionDef], kind: Kind) -> Iterator[str]:
    for name, expected in FUNCTIONS[kind].items():
        node = functions.get(name)
        if node is None:
            yield f"the module must define {name}({', '.join(expected)})"
            continue
        given = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        most = len(given) if node.args.vararg is None else 99
        required = [a.arg for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is None]
        if not len(given) - len(node.args.defaults) <= len(expected) <= most or required:
            wanted, found = ", ".join(expected), ", ".join(given + required)
            yield f"line {node.lineno}: {name} must take ({wanted}), it takes ({found})"


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.level:
                yield f"line {node.lineno}: relative imports lead nowhere: the module stands alone"
                continue
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            if top in PACKAGES and find_spec(top) is None:
                yield f"line {node.lineno}: {top} is not installed; use {', '.join(_installed())}"
            elif top in sys.stdlib_module_names and top not in STANDARD:
                yield f"line {node.lineno}: {top} is not allowed"
            elif top not in PACKAGES and top not in STANDARD:
                yield f"line {node.lineno}: {top} cannot be imported; use {', '.join(_installed())}"


def _installed() -> list[str]:
    return sorted(name for name in PACKAGES if find_spec(name) is not None)


def _calls(tree: ast.Module, *, files: bool) -> Iterator[str]:
    """Calls that cannot be meant: of files where there are none, of code in texts, of pickles."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("__") and node.attr not in ("__name__", "__init__"):
            yield f"line {node.lineno}: {node.attr} is not allowed"
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in CALLS and not (files and node.func.id == "open"):
            yield f"line {node.lineno}: {node.func.id}() is not allowed"
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in PICKLES or any(k.arg == "allow_pickle" and _true(k.value) for k in node.keywords):
                yield f"line {node.lineno}: {name}() reads or writes pickles, which are not allowed"
            elif name in FILES and not files and _reads_files(node.func):
                yield f"line {node.lineno}: {name}() is not allowed: all that is needed comes as arguments"


def _reads_files(call: ast.Attribute) -> bool:
    """`np.load(...)` and `frame.to_csv(...)` do; `model.save(...)` of a plain object may be anything."""
    owner = call.value
    if call.attr in ("load", "save"):
        return isinstance(owner, ast.Name) and owner.id in ("np", "numpy")
    return True


def _true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _literals(tree: ast.Module) -> Iterator[str]:
    """PARAMS and SPACE, if they are there, as the search needs them."""
    for node in tree.body:
        names = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
        if not isinstance(node, ast.Assign) or not set(names) & {"PARAMS", "SPACE"}:
            continue
        try:
            found = ast.literal_eval(node.value)
        except (ValueError, TypeError):
            yield f"line {node.lineno}: {names[0]} must be a literal dict"
            continue
        if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
            yield f"line {node.lineno}: {names[0]} must be a dict with names as keys"
        elif names[0] == "PARAMS":
            bad = [k for k, v in found.items() if not (v is None or isinstance(v, str | int | float | bool))]
            yield from (
                f"line {node.lineno}: PARAMS[{key!r}] must be a number, text, True, False or None" for key in bad
            )
        else:
            yield from (f"line {node.lineno}: {text}" for key, entry in found.items() for text in _entry(key, entry))


def _entry(key: str, entry: object) -> Iterator[str]:
    """What is wrong with one entry of a search space."""
    kind = entry.get("type") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or kind not in TYPES:
        yield f'SPACE[{key!r}] must be a dict with "type": "float", "int" or "categorical"'
        return
    lacking = [name for name in TYPES[str(kind)] if name not in entry]
    if lacking:
        yield f"SPACE[{key!r}] lacks {' and '.join(map(repr, lacking))}"
    elif kind == "categorical":
        choices = entry["choices"]
        if not isinstance(choices, list | tuple) or not choices:
            yield f"SPACE[{key!r}]: choices must be a list that is not empty"
    elif not all(isinstance(entry[end], int | float) for end in ("low", "high")) or not entry["low"] < entry["high"]:
        yield f"SPACE[{key!r}]: low and high must be numbers, low below high"
    elif entry.get("log") and entry["low"] <= 0:
        yield f"SPACE[{key!r}]: low must be greater than 0 where log is True"
