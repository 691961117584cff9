"""Keys are cut out of every text that leaves a model or its server: servers echo them in their errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache

_HIDDEN = "[key]"
_KEY_LIKE = re.compile(
    r"\bsk-[\w-]{12,}|\bAIza[\w-]{30,}|\b(?:gsk|hf|ghp|xai)[_-]\w{30,}|(?<=Bearer )[^\s'\",}]+", re.IGNORECASE
)
_SECRET_NAME = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD)S?$")
_SHORTEST = 12
"""Characters of a value that is taken for a key: shorter ones are words that an answer may hold."""


def redacted(text: str, model: object = None) -> str:
    """The text without what looks like a key, and without the keys of the environment and of a chat model."""
    for value in sorted({*_of_environment(), *_of_model(model)}, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    return _KEY_LIKE.sub(_HIDDEN, text)


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _is_secret(name):
            yield value


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name.upper()) is not None


def _of_model(model: object) -> Iterator[str]:
    """Values that a chat model holds as pydantic secrets."""
    fields = getattr(getattr(model, "bound", model), "__dict__", {})
    for value in fields.values():
        reveal = getattr(value, "get_secret_value", None)
        secret = reveal() if callable(reveal) else None
        if isinstance(secret, str) and len(secret) >= _SHORTEST:
            yield secret
