"""Finds the sources that are installed, and takes apart what a user gave."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path

from automl_agent.errors import ConfigurationError, InputError
from automl_agent.fetching.protocol import Source

GROUP = "automl_agent.sources"
_NAMED = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<rest>.*)", re.DOTALL)
"""At least two letters before the colon: one is the drive of a Windows path."""


@lru_cache(maxsize=1)
def sources() -> dict[str, Source]:
    """All installed sources by scheme, ours and those of other packages.

    Raises:
        ConfigurationError: when two packages offer the same scheme, or one cannot be imported.
    """
    found: dict[str, Source] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            source: Source = point.load()
        except Exception as error:
            raise ConfigurationError(f"Data source {point.name!r} ({point.value}) cannot be loaded: {error}") from error
        if source.scheme in found:
            raise ConfigurationError(f"Two installed packages offer the data source {source.scheme!r}.")
        found[source.scheme] = source
    return found


def source_of(given: str) -> tuple[Source, str] | None:
    """The source that is meant and the name that it knows (links whole); `None` for a path.

    Raises:
        InputError: for a link of a kind that no source serves.
    """
    match = _NAMED.fullmatch(given.strip())
    if match is None or _is_path(given):
        return None
    scheme, rest = match["scheme"].lower(), match["rest"]
    source = sources().get(scheme)
    if source is None and rest.startswith("//"):
        known = ", ".join(f"{name}:" for name in sources())
        raise InputError(f"{scheme}:// links are not fetched.", hint=f"Accepted are paths and what begins with {known}")
    if source is None:
        return None
    return source, given.strip() if rest.startswith("//") else rest.strip()


def _is_path(given: str) -> bool:
    try:
        return Path(given).expanduser().exists()
    except (OSError, ValueError):
        return False
