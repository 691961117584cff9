"""Names of sources of knowledge become sources."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from automl_agent.errors import ConfigurationError, InputError
from automl_agent.knowledge.sources import arxiv, hugging_face, kaggle, openml
from automl_agent.knowledge.sources.protocol import KnowledgeSource

GROUP = "automl_agent.knowledge_sources"
OURS: tuple[KnowledgeSource, ...] = (arxiv.SOURCE, kaggle.SOURCE, hugging_face.SOURCE, openml.SOURCE)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")


def known_sources() -> dict[str, KnowledgeSource]:
    """All installed sources by name, ours and those of other packages.

    Raises:
        ConfigurationError: when two have the same name, or one cannot be imported or is none.
    """
    found = {source.name: source for source in OURS}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            source = _checked(point.load(), point.value)
        except InputError as error:
            raise ConfigurationError(str(error)) from error
        except Exception as error:
            raise ConfigurationError(
                f"Knowledge source {point.name!r} ({point.value}) cannot be loaded: {error}"
            ) from error
        if source.name in found:
            raise ConfigurationError(f"Two installed packages offer the knowledge source {source.name!r}.")
        found[source.name] = source
    return found


def named_sources(names: Sequence[str]) -> dict[str, KnowledgeSource]:
    """The sources that a user names, by their own names: those that are installed, or `package.module:Class`.

    Raises:
        InputError: for a name that means nothing, a class that is no source, or two sources of one name.
    """
    known = known_sources() if names else {}
    found: dict[str, KnowledgeSource] = {}
    for name in dict.fromkeys(each.strip() for each in names):
        if name not in known and ":" not in name:
            accepted = f"Accepted: {', '.join(known)}, or package.module:Class."
            raise InputError(f"{name!r} is no source of knowledge.", hint=accepted)
        source = known[name] if name in known else _own(name)
        if source.name in found:
            raise InputError(f"Two sources of knowledge are called {source.name!r}.")
        found[source.name] = source
    return found


def _own(place: str) -> KnowledgeSource:
    """A user's source, made and looked at before anything depends on it."""
    module, _, name = place.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise InputError(f"The source {place!r} cannot be imported: {type(error).__name__}: {error}.") from error
    return _checked(made, place)


def _checked(made: Any, place: str) -> KnowledgeSource:
    """An object of the protocol; a class is called for it.

    Raises:
        InputError: it cannot be made, or lacks something.
    """
    try:
        source: KnowledgeSource = made() if isinstance(made, type) else made
    except Exception as error:
        raise InputError(f"The source {place!r} cannot be made: {type(error).__name__}: {error}.") from error
    if not _NAME.fullmatch(str(getattr(source, "name", ""))) or not isinstance(getattr(source, "title", None), str):
        hint = "A name is of small letters, digits, '-' and '_', and begins with a letter."
        raise InputError(f"The source {place!r} lacks a `name` or a `title`.", hint=hint)
    if not callable(getattr(source, "search", None)):
        raise InputError(f"The source {place!r} has no method search.")
    return source
