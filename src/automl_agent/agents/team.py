"""The team of a graph: who understands, plans, solves sub-tasks and revises. Chosen here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from automl_agent.agents.base import Agent, roster
from automl_agent.agents.data import DATA_AGENT
from automl_agent.agents.model import MODEL_AGENT
from automl_agent.agents.planner import Briefing, make_plans
from automl_agent.agents.reviser import gather_evidence
from automl_agent.agents.understanding.prompt import understand
from automl_agent.llm.models import ModelBook
from automl_agent.records import Evidence, Plan, Question, Request, TaskSpec
from automl_agent.tasks.family import TaskFamily


@dataclass(frozen=True)
class Team:
    """The agents of a graph by role. The stages know the roles, not who fills them."""

    models: ModelBook
    """Language models by role; empty where all work by rules."""
    agents: Mapping[str, Agent]
    """Sub-task agents by name."""
    prompt: Callable[[Request, Mapping[str, TaskFamily]], TaskSpec | Question] = understand
    """Turns words and a look at the data into a task, or a question."""
    planner: Callable[[Briefing], tuple[Plan, ...]] = make_plans
    reviser: Callable[..., Evidence] = gather_evidence
    """Takes the arguments of `agents.reviser.gather_evidence`."""


def assemble(models: ModelBook, custom: Sequence[Agent]) -> Team:
    """The rule-based team with the caller's own sub-task agents.

    Raises:
        ConfigurationError: for custom agents that cannot be (see `roster`).
    """
    return Team(models=models, agents=roster((DATA_AGENT, MODEL_AGENT), custom))
