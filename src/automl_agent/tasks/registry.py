"""Finds the task families that are installed."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points

from automl_agent.errors import ConfigurationError
from automl_agent.tasks.family import TaskFamily

GROUP = "automl_agent.families"


@lru_cache(maxsize=1)
def families() -> dict[str, TaskFamily]:
    """All installed families by name, ours and those of other packages.

    Raises:
        ConfigurationError: when two packages offer a family of the same name, or one cannot be imported.
    """
    found: dict[str, TaskFamily] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            family: TaskFamily = point.load()
        except Exception as error:
            raise ConfigurationError(f"Task family {point.name!r} ({point.value}) cannot be loaded: {error}") from error
        if family.name in found:
            raise ConfigurationError(f"Two installed packages offer the task family {family.name!r}.")
        found[family.name] = family
    return found


def get_family(name: str) -> TaskFamily:
    """The family of this name.

    Raises:
        ConfigurationError: when there is none; lists those that there are.
    """
    known = families()
    if name not in known:
        raise ConfigurationError(f"No task family {name!r} is installed; there are: {', '.join(known)}.")
    return known[name]
