"""Candidate files: the contract, and how they are read and loaded.

A candidate is one Python source file that imports only public libraries and, by plain name, shared files of its family
(they travel with it, and so do those that they import). It defines, as literals (they are read without importing the
file):

    TITLE: str                     what it is, for people
    TAGS: tuple[str, ...]          what people call it and its kind
    PORTFOLIO: list[dict]          configurations worth trying first
    SPACE: dict[str, dict]         search space: {"type": "float"|"int"|"categorical", "low", "high", "log", "choices"}
    REQUIRES: tuple[str, ...]      importable packages it needs            (optional)
    CONDITIONS: dict[str, str]     on meta-features, {"rows": "<= 20000"}  (optional)
    GENERATED: bool                whether a language model wrote part     (optional)
    SETTLES: bool                  whether a fit tells what others of the same configuration need not find out again:
                                   `self.settled`, parameters by name      (optional)

and one class:

    class Model:
        def __init__(self, task: dict, params: dict, steps: list[str], seed: int, threads: int = 1,
                     time_limit: float | None = None): ...
        def fit(self, frame, target, weight=None): ...  # typed raw rows; class codes (int64) or values (float64)
        def predict(self, frame): ...                   # (rows, classes) probabilities, or (rows,) values
        def save(self, folder): ...                     # only formats that run no code when loaded
        @classmethod
        def load(cls, folder): ...
        def follow(self, frame, target): ...            # optional: answer from a longer history, without learning of it

`weight` (rows,), float64 above 0, is given only where rows count differently (`TaskSpec.weight`); a candidate whose
`fit` lacks it fails then, with that as the reason.

`task` is `{"kind": "classification"|"regression"|"clustering", "classes": [...], "metric": "f1", "positive": 1}` and
what a family adds: with side files (`TaskFamily.files`) `"files"`, the folder where they lie while `fit` runs.
Predictions of "clustering" have shape (rows, clusters): the degree to which a row belongs to each.

What a language model wrote lies beside the candidate (`tasks/generated`), which then says `GENERATED = True` and is run
in the sandbox only.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from automl_agent.errors import ConfigurationError
from automl_agent.tasks.family import Candidate
from automl_agent.tasks.syntax import parsed

_IMPORTING = threading.Lock()
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?=[^\n]*[ \t]import\b)|import[ \t]+)(\w[\w., \t]*?)(?=[ \t]import\b|[;#]|$)", re.MULTILINE
)
_REQUIRED = ("TITLE", "TAGS", "PORTFOLIO", "SPACE")


def read_candidate(path: Path, shared: Sequence[Path] = ()) -> Candidate:
    """Read a candidate's description from its source, without importing it.

    `shared` are the folders of the family's shared files.

    Raises:
        ConfigurationError: when the file does not follow the contract.
    """
    try:
        tree = parsed(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigurationError(f"Candidate file {path} cannot be read: {error}") from error
    constants: dict[str, Any] = {}
    for node in tree.body:
        names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        if isinstance(node, ast.Assign) and len(names) == 1 and names[0].isupper():
            try:
                constants[names[0]] = ast.literal_eval(node.value)
            except ValueError:
                continue  # a computed constant is the file's own business
    missing = [name for name in _REQUIRED if name not in constants]
    if not any(isinstance(node, ast.ClassDef) and node.name == "Model" for node in tree.body):
        missing.append("class Model")
    if missing:
        raise ConfigurationError(
            f"Candidate file {path} lacks {', '.join(missing)} (see automl_agent.tasks.candidate)."
        )
    generated = constants.get("GENERATED", False) is True
    return Candidate(
        name=path.stem,
        path=path,
        title=constants["TITLE"],
        tags=tuple(constants["TAGS"]),
        portfolio=tuple(constants["PORTFOLIO"]),
        space=constants["SPACE"],
        requires=tuple(constants.get("REQUIRES", ())),
        conditions=constants.get("CONDITIONS", {}),
        shared=travelling(path, (path.parent, *shared) if generated else shared),
        generated=generated,
        settles=constants.get("SETTLES", False) is True and not generated,
    )


def travelling(path: Path, folders: Sequence[Path]) -> tuple[Path, ...]:
    """The files of these folders, the first ones first, that a file imports by plain name, and that those import."""
    found: dict[Path, None] = {}
    left = [path]
    while left:
        for name in _imported(left.pop()):
            file = next((folder / f"{name}.py" for folder in folders if (folder / f"{name}.py").is_file()), None)
            if file is not None and file != path and file not in found:
                found[file] = None
                left.append(file)
    return tuple(sorted(found))


def _imported(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports, wherever it does.

    Read line by line: what a language model wrote need not be Python, and CPython 3.11 does not parse into trees in
    several threads at once ("AST constructor recursion depth mismatch").
    """
    found = _IMPORT.findall(path.read_text(encoding="utf-8"))
    return {name.strip().partition(" ")[0].partition(".")[0] for line in found for name in line.split(",")}


def load_candidate(path: Path, shared: Sequence[Path] = ()) -> ModuleType:
    """Import a candidate file under a name of its own; its shared files are importable by plain name.

    For workers: the folders of the shared files stay on `sys.path` of the process. The candidate's own folder does not
    go there: a file named like the package that it wraps would hide it.
    """
    sys.path[:0] = [str(folder) for folder in shared if str(folder) not in sys.path]
    name = f"_candidate_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"Candidate file {path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_shared(path: Path, shared: Sequence[Path]) -> ModuleType:
    """Import a shared file for our own use; afterwards this process imports as if nothing had happened.

    What the file imports by plain name is looked for in the folders `shared`.
    """
    name = f"_shared_{path.stem}"
    with _IMPORTING:
        if name in sys.modules:
            return sys.modules[name]
        paths, before = list(sys.path), set(sys.modules)
        try:
            load_candidate(path, shared)
            sys.modules[name] = sys.modules.pop(f"_candidate_{path.stem}")
        finally:
            sys.path[:] = paths
            for other in set(sys.modules) - before - {name}:
                file = getattr(sys.modules[other], "__file__", None)
                if file and Path(file).parent in shared:
                    del sys.modules[other]
        return sys.modules[name]


def installed(candidate: Candidate) -> bool:
    """Whether all packages that the candidate needs can be imported (they are not imported here)."""
    return all(find_spec(package) is not None for package in candidate.requires)


def holds(condition: str, value: float | None) -> bool:
    """Whether a condition such as `"<= 3000"` or `">= 10, < 50"` holds on a meta-feature; an unknown value fails."""
    if value is None:
        return False
    tests = {
        "<=": lambda bound: value <= bound,
        ">=": lambda bound: value >= bound,
        "==": lambda bound: value == bound,
        "<": lambda bound: value < bound,
        ">": lambda bound: value > bound,
    }
    for part in condition.split(","):
        part = part.strip()
        operator = next((name for name in tests if part.startswith(name)), None)
        if operator is None:
            raise ConfigurationError(f"Condition {condition!r} must start with one of <=, >=, ==, <, >.")
        if not tests[operator](float(part[len(operator) :])):
            return False
    return True
