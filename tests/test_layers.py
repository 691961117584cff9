"""The layers of the library: imports point downwards only."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import automl_agent

ROOT = Path(automl_agent.__file__).parent
LAYERS = (
    ("cli", "integrations"),
    ("graph",),
    ("nodes",),
    ("agents", "verifiers"),
    ("tasks", "search", "knowledge", "fetching", "execution", "delivery", "llm"),
    ("records", "settings", "events", "errors", "frames"),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FREE = ("__init__", "testing")
"""The public names, and the doubles for users' tests: these may look anywhere."""
TRAVELLING = re.compile(r"tasks/\w+/(shared|candidates)/|delivery/runtime/|tasks/measures\.py")
"""Files that go into a bundle: they must work where this library is not installed."""


def modules() -> Iterator[Path]:
    yield from sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """All imported modules, those inside functions and under TYPE_CHECKING too, with their lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base]).rstrip(".")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def rooms_of(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """The rooms of this library that a file imports; `from automl_agent import build_graph` counts as `__init__`."""
    package = ".".join(("automl_agent", *path.parts[:-1]))
    for line, name in imports(source, package):
        top, *rest = name.split(".")
        if top == "automl_agent":
            inner = rest[0] if rest else "__init__"
            yield line, inner if inner in LEVEL or inner in FREE else "__init__"


def upward(path: Path, source: str) -> list[str]:
    """Imports of a file that point upwards, or into another part of the top layer."""
    here = room(path)
    found = []
    for line, there in rooms_of(path, source):
        # The public names stand above all layers but the top one.
        if LEVEL[here] > (0 if there == "__init__" else -1 if there in FREE else LEVEL[there]):
            found.append(f"{path}:{line} imports {there}")
    return found


def test_every_room_has_its_layer() -> None:
    unknown = {room(path) for path in modules()} - set(LEVEL) - set(FREE)
    assert not unknown, f"rooms without a layer: {unknown}"


def test_imports_point_downwards_only() -> None:
    wrong = [
        text
        for path in modules()
        if room(path) not in FREE
        for text in upward(path, (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_vocabulary_knows_neither_langgraph_nor_pandas() -> None:
    foreign = {
        name.split(".")[0]
        for path in modules()
        if room(path) in LAYERS[-1]
        for _, name in imports((ROOT / path).read_text(encoding="utf-8"), "automl_agent")
    }
    assert foreign - sys.stdlib_module_names == {"pydantic", "automl_agent"}


def test_travelling_files_do_not_import_the_library() -> None:
    wrong = [
        f"{path}:{line}"
        for path in modules()
        if TRAVELLING.match(path.as_posix())
        for line, _ in rooms_of(path, (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert not wrong, wrong


def test_families_are_found_and_never_named() -> None:
    """Neither an import nor the name of a job leads from outside `tasks` into the folder of a family."""
    folder = re.compile(r"tasks[./](tables|tabular_|texts?|images?|forecasting|clustering|nodes?|graphs?)\b")
    wrong = [
        str(path)
        for path in modules()
        if room(path) != "tasks" and folder.search((ROOT / path).read_text(encoding="utf-8"))
    ]
    assert not wrong, wrong


def test_an_upward_import_would_be_found() -> None:
    assert upward(Path("search/x.py"), "def f():\n    from automl_agent.nodes import state\n")
    assert upward(Path("search/deep/x.py"), "from ...agents import base\n")
    assert upward(Path("nodes/x.py"), "from automl_agent import build_graph\n")
    assert upward(Path("records.py"), "import automl_agent.tasks.family\n")
    assert not upward(Path("search/x.py"), "from automl_agent.execution.protocol import Job\nfrom .other import y\n")
    assert not upward(Path("cli/x.py"), "from automl_agent import __version__\n")
