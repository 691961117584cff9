"""The team of a graph: who understands, plans, solves sub-tasks and revises. Chosen here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from automl_agent.agents.base import Agent, roster
from automl_agent.agents.data import DATA_AGENT
from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.model import MODEL_AGENT
from automl_agent.agents.planner import Briefing, make_plans
from automl_agent.agents.understanding.prompt import read, understand
from automl_agent.agents.understanding.varying import look_again, varied
from automl_agent.agents.understanding.with_model import read_with, understand_with
from automl_agent.agents.with_model.data import DATA_AGENT_WITH_MODEL
from automl_agent.agents.with_model.model import MODEL_AGENT_WITH_MODEL
from automl_agent.agents.with_model.planner import make_plans_with_model
from automl_agent.execution.finished import FinishedRun
from automl_agent.llm.models import ModelBook
from automl_agent.records import Plan, Question, Request, TaskSpec
from automl_agent.tasks.family import TaskFamily


@dataclass(frozen=True)
class Team:
    """The agents of a graph by role. The stages know the roles, not who fills them."""

    models: ModelBook
    """Language models by role; empty where all work by rules."""
    agents: Mapping[str, Agent]
    """Sub-task agents by name."""
    planner: Callable[[Briefing], tuple[Plan, ...]] = make_plans

    def understand(
        self,
        request: Request,
        families: Mapping[str, TaskFamily],
        model: LanguageModel | None,
        patience: float | None = None,
    ) -> TaskSpec | Question:
        """The Prompt Agent: words and a look at the data become a task, or a question.

        Args:
            patience: Seconds that a language model may take.
        """
        if model is None or not model.speaks("prompt"):
            return understand(request, families)
        return understand_with(
            model.client,
            request,
            families,
            share_names=model.share_names,
            share_rows=model.share_rows,
            write_code=model.write_code,
            patience=patience,
        )

    def vary(
        self,
        request: Request,
        earlier: FinishedRun,
        families: Mapping[str, TaskFamily],
        model: LanguageModel | None,
        patience: float | None = None,
    ) -> TaskSpec | Question:
        """The Prompt Agent where an earlier run is varied: its task, changed by the words and what is given."""
        look = look_again(request, earlier, families)
        if isinstance(look, Question):
            return look
        if model is None or not model.speaks("prompt"):
            now = read(look)
        else:
            now = read_with(
                model.client,
                look,
                share_names=model.share_names,
                share_rows=model.share_rows,
                write_code=model.write_code,
                patience=patience,
            )
        return now if isinstance(now, Question) else varied(look, now, request, earlier)


def assemble(models: ModelBook, custom: Sequence[Agent]) -> Team:
    """The team, with the caller's own sub-task agents: rule-based, or on top of the rules with language models.

    Raises:
        ConfigurationError: for custom agents that cannot be (see `roster`).
    """
    if not models.by_role:
        return Team(models=models, agents=roster((DATA_AGENT, MODEL_AGENT), custom))
    agents = roster((DATA_AGENT_WITH_MODEL, MODEL_AGENT_WITH_MODEL), custom)
    return Team(models=models, agents=agents, planner=make_plans_with_model)
