"""What others wrote, made harmless before it goes on: to a terminal, a page, a prompt.

The texts of notes are data. Nothing in them is followed, and nothing in them can reach what shows them: here control
characters and invisible ones go (terminal escapes, text turned around, letters that only a machine reads) and lengths
are bounded; the page escapes HTML, and a prompt escapes the `<` that would end its fence (`llm/prompt.py`).
"""

from __future__ import annotations

from automl_agent.delivery.words import short
from automl_agent.records import Note

LONGEST = {"id": 120, "title": 300, "kind": 40, "source": 1000}
"""Characters of one field."""
LONGEST_TEXT = 12_000
MOST_NAMES = 50


def harmless(note: Note) -> Note:
    """The note with plain texts of bounded length; one that is so already stays as it is."""
    lines = [short(line, LONGEST_TEXT) for line in note.text.splitlines()]
    return note.model_copy(
        update={
            **{field: short(getattr(note, field), length) for field, length in LONGEST.items()},
            **{field: _names(getattr(note, field)) for field in ("families", "models", "steps")},
            "text": "\n".join(lines)[:LONGEST_TEXT],
        }
    )


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(short(name, LONGEST["id"]) for name in names[:MOST_NAMES])
