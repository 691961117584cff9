"""Finds the JSON object or the code in what a model wrote. Half an answer is never taken for a whole one."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import Any

from automl_agent.tasks.syntax import parsed

_LONGEST_ANSWER = 400_000
"""Characters that are looked at: an answer is bounded by its tokens, a server's body is not."""
_MOST_OBJECTS = 50
_THOUGHT_END = "</think>"
_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})\s*([\w+.-]*)[^\n`]*$")


class Unfinished(ValueError):
    """The text ends within an object or a block of code."""


def json_objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects that stand in a text, the longest first.

    Prose and fences around them, comments, trailing commas and single quotes are forgiven.

    Raises:
        Unfinished: when the only object never closes.
    """
    text = _after_thought(text[:_LONGEST_ANSWER]).strip()
    whole = _strict(text)
    if whole is not None:
        return [whole]
    parts, unfinished = _balanced(text)
    found = [value for part in sorted(parts, key=len, reverse=True) if (value := _lenient(part)) is not None]
    if unfinished and not found:
        raise Unfinished("The answer ends within a JSON object.")
    return found


def _strict(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _lenient(text: str) -> dict[str, Any] | None:
    if (value := _strict(text)) is not None:
        return value
    import json_repair

    try:
        repaired = json_repair.loads(text)
    except (ValueError, RecursionError):
        return None
    return repaired if isinstance(repaired, dict) and repaired else None


def _balanced(text: str) -> tuple[list[str], bool]:
    """The outermost `{...}` of a text, and whether one is left open at its end."""
    parts: list[str] = []
    start, depth, quoted = 0, 0, False
    position = 0
    while position < len(text) and len(parts) < _MOST_OBJECTS:
        sign = text[position]
        if depth and quoted:
            position += sign == "\\"
            quoted = sign != '"'
        elif depth and sign == '"':
            quoted = True
        elif depth and text.startswith("//", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif sign == "{":
            start, depth = (position, 1) if not depth else (start, depth + 1)
        elif sign == "}" and depth:
            depth -= 1
            if not depth:
                parts.append(text[start : position + 1])
        position += 1
    return parts, depth > 0


@dataclass(frozen=True)
class _Block:
    language: str
    text: str


def code_in(text: str) -> str | None:
    """The code in a text: the longest block in a Python fence, or in one without a language, or the bare text.

    Raises:
        Unfinished: when a fence never closes.
    """
    text = _after_thought(text[:_LONGEST_ANSWER])
    blocks = [block for block in _blocks(text) if block.text.strip()]
    for languages in (("python", "py", "python3"), ("",)):
        fitting = [block.text for block in blocks if block.language in languages]
        if fitting:
            return max(fitting, key=len)
    return text.strip() + "\n" if not blocks and _is_code(text) else None


def _blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    fence, language, lines = "", "", list[str]()
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if not fence and mark:
            fence, language, lines = mark[1], mark[2].lower(), []
        elif fence and mark and mark[1].startswith(fence) and not mark[2]:
            blocks.append(_Block(language, "\n".join(lines) + "\n"))
            fence = ""
        else:
            lines.append(line)
    if fence:
        raise Unfinished("The answer ends within a block of code.")
    return blocks


def _is_code(text: str) -> bool:
    """Whether a text without fences is Python that does something: a word of prose is an expression too."""
    try:
        body = parsed(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(statement, ast.Expr | ast.AnnAssign) for statement in body)


def _after_thought(text: str) -> str:
    """The text after what a reasoning model thinks aloud."""
    if "<think>" not in text:
        return text
    _, closed, rest = text.rpartition(_THOUGHT_END)
    if not closed:
        raise Unfinished("The answer ends within the model's thoughts.")
    return rest
