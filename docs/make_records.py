"""Writes `docs/records.md` from the JSON schemas of the records: `python docs/make_records.py`."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from automl_agent import events, records, settings

PAGE = Path(__file__).with_name("records.md")
HEAD = """\
# Records

What flows through the graph, and what a run reports. All are frozen pydantic models, and survive JSON and a checkpoint
under `LANGGRAPH_STRICT_MSGPACK=true` unchanged. `Class.model_json_schema()` gives the JSON schema that the tables show:
a field is required where no default stands. This page is made by `python docs/make_records.py`.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for module, title in ((records, "Records"), (settings, "Settings"), (events, "Events")):
        parts.append(f"## {title} (`{module.__name__}`)\n")
        parts += [section(kind, meanings) for kind, meanings in classes(module)]
    return "\n".join(parts)


def classes(module: ModuleType) -> list[tuple[Any, dict[str, str]]]:
    """The models that a module defines, in order, each with the first paragraph under each field."""
    found = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef) and node.name != "Record":
            found.append((getattr(module, node.name), said_under(node)))
    return found


def said_under(node: ast.ClassDef) -> dict[str, str]:
    meanings = {}
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            meanings[field.target.id] = " ".join(str(text).split())
    return meanings


def section(kind: Any, meanings: dict[str, str]) -> str:
    schema = kind.model_json_schema(mode="serialization")
    lines = [f"### {kind.__name__}\n"]
    if kind.__doc__ and kind.__doc__ != records.Record.__doc__:
        lines.append(f"{' '.join(inspect.cleandoc(kind.__doc__).split())}\n")
    lines += ["| field | JSON | default | meaning |", "|---|---|---|---|"]
    for name, field in schema["properties"].items():
        meaning = meanings.get(name) or field.get("description", "")
        cells = (f"`{name}`", shape(field), default(kind, name), meaning)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def shape(field: dict[str, Any]) -> str:
    """A JSON schema in a few words: `array of string`, `number or null`, `Plan`."""
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if "const" in field:
        return f'"{field["const"]}"'
    if "enum" in field:
        return ", ".join(f'"{value}"' for value in field["enum"])
    for union in ("anyOf", "oneOf"):
        if union in field:
            return " or ".join(shape(option) for option in field[union])
    if "prefixItems" in field:
        return f"array of {len(field['prefixItems'])} {shape(field['prefixItems'][0])}"
    if field.get("type") == "array":
        return f"array of {bracketed(shape(field['items']))}"
    if field.get("type") == "object":
        values = field.get("additionalProperties")
        return f"object of {bracketed(shape(values))}" if isinstance(values, dict) else "object"
    return str(field.get("type", "any"))


def bracketed(text: str) -> str:
    return f"({text})" if " or " in text else text


def default(kind: Any, name: str) -> str:
    field = kind.model_fields[name]
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    return f"`{json.dumps(value, default=lambda record: record.model_dump(mode='json'))}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
