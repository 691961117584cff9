"""Ways of asking for an answer of a given shape: by the server's own means, as a tool call, or in words."""

from __future__ import annotations

import json
import weakref
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import Runnable

Form = Literal["json_schema", "function_calling", "prompt"]
FORMS: tuple[Form, ...] = ("json_schema", "function_calling", "prompt")
"""From the best to the one that every model can do."""

_CLOSED = ("anthropic",)
"""Providers whose own form allows no keys that the schema does not name, so that a mapping would come back empty."""
_LONGEST_CHOICES = 200
_DEEPEST = 6


class FormBook:
    """Which form worked for which model, as far as this process knows."""

    def __init__(self) -> None:
        self._known: dict[str, Form] = {}

    def to_try(self, model: str, provider: str, shape: dict[str, Any]) -> tuple[Form, ...]:
        first = FORMS.index(self._known.get(model, FORMS[0]))
        return FORMS[max(first, int(provider in _CLOSED and _has_mapping(shape))) :]

    def note(self, model: str, form: Form, owner: object) -> None:
        """
        Args:
            owner: The object that the knowledge is about, which ends with it.
        """
        if model not in self._known:
            weakref.finalize(owner, self._known.pop, model, None).atexit = False
        self._known[model] = form


def shaped(model: BaseChatModel, shape: dict[str, Any] | None, form: Form) -> Runnable[Any, Any]:
    """The model, told to answer in a form; it still gives its whole message, since we parse it ourselves.

    Raises:
        NotImplementedError: when the model cannot be told so.
    """
    if form == "prompt" or shape is None:
        return model
    try:
        chain = model.with_structured_output(shape, method=form)
    except (AttributeError, TypeError, ValueError) as error:
        raise NotImplementedError(f"{type(model).__name__} has no structured output by {form}: {error}") from error
    # Of the chain of model and parser only the model: `include_raw` would run it in a pool whose threads, where a
    # server keeps silent, hold up the end of the program.
    first = getattr(chain, "first", None)
    if first is None:
        raise NotImplementedError(f"{type(model).__name__} has no structured output by {form} that we know.")
    return first  # type: ignore[no-any-return]


def _has_mapping(shape: object) -> bool:
    """Whether a schema has, at any depth, an object with names of the model's choice."""
    if isinstance(shape, dict):
        return isinstance(shape.get("additionalProperties"), dict) or any(map(_has_mapping, shape.values()))
    return isinstance(shape, list) and any(map(_has_mapping, shape))


def described(schema: type[BaseModel]) -> str:
    """The shape of an answer in words: servers need not show the schema to the model."""
    shape = schema.model_json_schema()
    lines = _object(shape, shape.get("$defs", {}), 0)
    rule = "Keep texts short; what does not apply may be left out."
    return f"Answer with one JSON object and nothing else. {rule} Its fields:\n" + "\n".join(lines)


def _object(shape: dict[str, Any], named: dict[str, Any], depth: int) -> list[str]:
    """One line for each field, between braces."""
    required = set(shape.get("required", ()))
    lines = ["{"]
    for name, field in shape.get("properties", {}).items():
        about = ["needed"] if name in required else []
        told = _resolved(field, named)
        text = field.get("description") or told.get("description", "")
        comment = "; ".join(part for part in (" ".join(text.split()), *about, *_bounds(told)) if part)
        lines.append(f'  "{name}": {_kind(field, named, depth)},' + (f"  // {comment}" if comment else ""))
    lines.append("}")
    return [("  " * depth) + line if number else line for number, line in enumerate(lines)]


def _kind(field: dict[str, Any], named: dict[str, Any], depth: int) -> str:
    """The type of a field, nested objects written out."""
    field = _resolved(field, named)
    if "const" in field:
        return json.dumps(field["const"], ensure_ascii=False)
    if "enum" in field:
        return " | ".join(json.dumps(choice, ensure_ascii=False) for choice in field["enum"][:_LONGEST_CHOICES])
    for union in ("anyOf", "oneOf", "allOf"):
        if union in field:
            return " | ".join(dict.fromkeys(_kind(option, named, depth) for option in field[union]))
    if field.get("type") == "array":
        return f"[{_kind(field.get('items', {}), named, depth)}, ...]"
    if "properties" in field and depth < _DEEPEST:
        return "\n".join(_object(field, named, depth + 1))
    if field.get("type") == "object":
        values = field.get("additionalProperties")
        return "{name: " + (_kind(values, named, depth) if isinstance(values, dict) else "any value") + ", ...}"
    kind = field.get("type", "any value")
    return " | ".join(kind) if isinstance(kind, list) else str(kind)


def _bounds(field: dict[str, Any]) -> list[str]:
    names = {"minItems": "at least {}", "maxItems": "at most {}",
             "minimum": "at least {}", "maximum": "at most {}", "exclusiveMinimum": "above {}",
             "exclusiveMaximum": "below {}"}  # fmt: skip
    return [words.format(field[name]) for name, words in names.items() if name in field]


def _resolved(field: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    reference = str(field.get("$ref", "")).rpartition("/")[2]
    return {**named.get(reference, {}), **{key: value for key, value in field.items() if key != "$ref"}}
