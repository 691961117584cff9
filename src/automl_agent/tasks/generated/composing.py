"""Turns code that a language model wrote into candidates: files like all others, with a module beside them.

Equal code has equal names, so that a trial of it is found again.
"""

from __future__ import annotations

import ast
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from automl_agent.errors import ConfigurationError
from automl_agent.tasks.family import Candidate, TaskFamily
from automl_agent.tasks.syntax import parsed

COLUMNS = ("added_columns.py", "module_calls.py", "stored_state.py")
MODEL = ("generated_model.py", "module_calls.py", "stored_state.py")
PROGRAM = ("generated_program.py", *MODEL)

_WRAPPED = '''


# What follows adds the columns of {module}.py, which a language model wrote, to those of the table.
import {module}  # noqa: E402
from added_columns import with_columns  # noqa: E402

TITLE = {title!r}
GENERATED = True
NAMES = {names!r}
"""Names that {module}.py knows columns by, where these are not their own."""
Model = with_columns(Model, {module}, NAMES)
'''

_ALONE = '''"""{what} of {module}.py, which a language model wrote, as a candidate."""

import {module}
from {shared} import {base}

TITLE = {title!r}
TAGS = ("generated", "language model")
PORTFOLIO = [{params!r}]
SPACE = {space!r}
REQUIRES = ()
GENERATED = True


class Model({base}):
    module = {module}
    names = {names!r}  # that {module}.py knows columns by, where these are not their own
'''


def add_features(
    base: Candidate, source: str, folder: Path, family: TaskFamily, names: Mapping[str, str] | None = None
) -> Path:
    """Write a candidate that is `base` with the columns of a feature module added; returns its file.

    Portfolio and search space stay those of the base; `params["without"]`, a list of names, leaves added columns out.

    Args:
        source: the module: `fit(frame, target) -> dict` and `transform(frame, state) -> DataFrame` of new columns.
        folder: receives the candidate file and the module.
        names: stand-in name of a column, as the module knows it, -> its name.

    Raises:
        ConfigurationError: the family has no shared files for added columns.
    """
    _require_shared(family, COLUMNS)
    module = _write_module(folder, "features", source)
    for path in base.modules:
        if path.parent != folder:
            shutil.copyfile(path, folder / path.name)
    title = base.title if base.generated else f"{base.title} with added columns"
    tail = _WRAPPED.format(module=module, title=title, names=dict(names or {}))
    path = folder / f"{base.name}_{module}.py"
    path.write_text(base.path.read_text(encoding="utf-8").rstrip() + tail, encoding="utf-8")
    return path


def model_candidate(
    source: str, folder: Path, family: TaskFamily, title: str, names: Mapping[str, str] | None = None
) -> Path:
    """Write a candidate that is a model module (`fit`, `predict`, optional `PARAMS` and `SPACE`); returns its file."""
    params, space = _literal(source, "PARAMS"), _literal(source, "SPACE")
    return _alone(source, folder, family, title, names, "model", MODEL, "GeneratedModel", params, space)


def program_candidate(
    source: str, folder: Path, family: TaskFamily, title: str, names: Mapping[str, str] | None = None
) -> Path:
    """Write a candidate that is a whole program (`train`, `predict` with files); returns its file."""
    return _alone(source, folder, family, title, names, "program", PROGRAM, "GeneratedProgram", {}, {})


def _alone(source: str, folder: Path, family: TaskFamily, title: str, names: Mapping[str, str] | None, kind: str,
           needed: tuple[str, ...], base: str, params: dict[str, object], space: dict[str, object]
           ) -> Path:  # fmt: skip
    _require_shared(family, needed)
    module = _write_module(folder, kind, source)
    text = _ALONE.format(
        what=kind.capitalize(),
        module=module,
        shared=needed[0].removesuffix(".py"),
        base=base,
        title=" ".join(title.split()) or f"A {kind} of a language model",
        params=params,
        space=space,
        names=dict(names or {}),
    )
    path = folder / f"generated_{module}.py"
    path.write_text(text, encoding="utf-8")
    return path


def _write_module(folder: Path, kind: str, source: str) -> str:
    """Write the code as it is, under a name that tells nothing but what it is; returns that name."""
    folder.mkdir(parents=True, exist_ok=True)
    source = source.strip() + "\n"
    name = f"{kind}_{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return name


def _require_shared(family: TaskFamily, names: tuple[str, ...]) -> None:
    missing = [name for name in names if not any((folder / name).is_file() for folder in family.shared)]
    if missing or not family.code:
        lacks = f": it lacks {', '.join(missing)}" if missing else ""
        raise ConfigurationError(f"The family {family.name} takes no generated code{lacks}.")


def _literal(source: str, name: str) -> dict[str, object]:
    """A dictionary that a module defines as a literal; empty where it does not (`checking.py` complains)."""
    for node in parsed(source).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            try:
                found = ast.literal_eval(node.value)
            except ValueError:
                continue
            return found if isinstance(found, dict) else {}
    return {}
