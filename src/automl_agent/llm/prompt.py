"""Prompts: one file each, rendered with facts. What comes from data is quoted, capped and fenced."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST_TEXT = 400
"""Characters of one text from the data or the user's files that a prompt holds."""
MOST_ITEMS = 200
"""Entries of one list or mapping that a prompt holds."""


@dataclass(frozen=True)
class Prompt:
    """What is said to a model: who it is and the rules of the house, and the question with its facts."""

    system: str
    user: str


def rendered(folder: Path, name: str, **facts: Any) -> Prompt:
    """The prompt of a role: `system.md` and `NAME.md` of a folder, as Jinja templates.

    In a template `{{ fact | data }}` writes a value as JSON between `<data>` and `</data>`: text of cells, column names
    and notes cannot end the fence, since `<` is escaped in it. A fact that a template names must be given.
    """
    environment = _environment(str(folder))
    known = {**facts, "prompt": name}
    system = environment.get_template("system.md").render(known).strip()
    return Prompt(system=system, user=environment.get_template(f"{name}.md").render(known).strip())


def quoted(value: Any, longest: int = LONGEST_TEXT) -> str:
    """A value as JSON in which no text is long and no `<` stands."""
    text = json.dumps(_capped(value, longest), ensure_ascii=False, default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def fenced(value: Any, longest: int = LONGEST_TEXT) -> str:
    return f"<data>{quoted(value, longest)}</data>"


def as_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Records as a heading and rows, a third of the words that their keys repeated would take."""
    heading = list(dict.fromkeys(name for row in rows for name in row))
    return {"heading": heading, "rows": [[row.get(name) for name in heading] for row in rows]}


def _capped(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[:longest]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {
            str(_capped(str(key), longest)): _capped(item, longest) for key, item in list(value.items())[:MOST_ITEMS]
        }
    if isinstance(value, Sequence):
        return [_capped(item, longest) for item in value[:MOST_ITEMS]]
    return value


@lru_cache(maxsize=4)
def _environment(folder: str) -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters["data"] = fenced
    return environment
