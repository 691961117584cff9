"""Agents: who judges what to do. A record with a name, a description and a function.

The same name replaces a built-in agent, a new name joins it, and an agent without a function takes the role out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from automl_agent.agents.bench import Bench
from automl_agent.errors import ConfigurationError
from automl_agent.records import DataRecipe, Shortlist, SubTask, Suggestions

AgentOutput = DataRecipe | Shortlist | Suggestions

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


@dataclass(frozen=True)
class Agent:
    """A sub-task agent: gets one part of each plan, answers what to try, and runs in parallel with the others.

    Example:
        >>> def run(subtask: SubTask, bench: Bench) -> Suggestions:
        ...     return Suggestions(choices=(CandidateChoice(candidate="nearest_neighbours"),))
        >>> graph = build_graph(agents=[Agent("neighbours", "Adds nearest neighbours.", run)])
    """

    name: str
    """Role; the graph node is called `agent_<name>`."""
    description: str
    """What it is good for: the planner reads it when it hands out sub-tasks."""
    run: Callable[[SubTask, Bench], AgentOutput] | None
    """`None` removes the role of this name."""


def roster(builtin: Iterable[Agent], custom: Iterable[Agent]) -> Mapping[str, Agent]:
    """Merge the built-in agents with the caller's.

    Raises:
        ConfigurationError: for two custom agents of one name, a name that cannot be a node, or no `Agent`.
    """
    merged = {agent.name: agent for agent in builtin}
    seen: set[str] = set()
    for agent in custom:
        if not isinstance(agent, Agent):
            raise ConfigurationError(f"agents= takes automl_agent.Agent objects, not {type(agent).__name__}.")
        if agent.name in seen:
            raise ConfigurationError(f"Two agents are called {agent.name!r}.")
        if not _NAME.match(agent.name):
            raise ConfigurationError(f"Agent name {agent.name!r} must be lower-case letters, digits and underscores.")
        if agent.run is None and agent.name not in merged:
            raise ConfigurationError(f"There is no built-in agent {agent.name!r} to take out: {', '.join(merged)}.")
        seen.add(agent.name)
        merged[agent.name] = agent
    return {name: agent for name, agent in merged.items() if agent.run is not None}
