"""The Data Agent with a language model: more data steps to measure, and features written as code."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from automl_agent.agents.allowed import useful_steps
from automl_agent.agents.base import Agent
from automl_agent.agents.bench import Bench
from automl_agent.agents.data import DATA_AGENT, choose_recipe, probe_choice
from automl_agent.agents.data_view import data_facts, veil_of
from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.with_model.answers import Names, Sentences
from automl_agent.agents.with_model.features import FeatureWork
from automl_agent.records import DataRecipe, SubTask

IDEAS = 4
"""Ideas that go into one feature module."""
RESERVE = 4
"""Trials kept for the feature module: with it, and without some of its columns."""
T = TypeVar("T")
U = TypeVar("U")


class DataAnswer(BaseModel):
    """What the Data Agent would do to the data."""

    steps: Annotated[Names, Field(description="listed data steps worth measuring too")] = []
    features: Annotated[
        Sentences, Field(description="new columns worth computing, one sentence each: from which columns, and how")
    ] = []


def choose_recipe_with_model(subtask: SubTask, bench: Bench) -> DataRecipe:
    """The rules' recipe under the steps that the model adds, and a feature module where one pays.

    Plans of the rules are left to the rules. While the coder writes, the steps are measured.
    """
    model, plan = bench.language_model, subtask.plan
    if model is None or plan.by != "model":
        return choose_recipe(subtask, bench)
    answer = _asked(subtask, bench, model)
    steps = tuple(dict.fromkeys([*plan.steps, *(answer.steps if answer else ())]))
    ideas = tuple(dict.fromkeys([*plan.features, *(answer.features if answer else ())]))[:IDEAS]
    subtask = subtask.model_copy(update={"plan": plan.model_copy(update={"steps": steps})})
    choice = probe_choice(subtask, bench)
    if not ideas or choice is None or not _writes(bench, model):
        return choose_recipe(subtask, bench)
    work = FeatureWork(bench, model, choice, (), ideas)
    recipe, written = side_by_side(lambda: choose_recipe(subtask, bench, RESERVE), work.written)
    kept = work.judge(written, recipe.steps)
    if kept is None:
        return recipe
    return recipe.model_copy(update={"features": kept.artifact, "without": kept.without})


def _writes(bench: Bench, model: LanguageModel) -> bool:
    """Whether new columns can be written as code."""
    return model.writes and "features" in bench.family.code


def _asked(subtask: SubTask, bench: Bench, model: LanguageModel) -> DataAnswer | None:
    if not model.speaks("data"):
        return None
    veil, plan = veil_of(bench.data, model), subtask.plan
    useful = useful_steps(bench.family, bench.profile)
    answer = model.ask(
        "data",
        DataAnswer,
        plan=plan.id,
        patience=bench.seconds_left / 2,
        title=plan.title,
        hypothesis=veil.hide_text(plan.hypothesis),
        data=data_facts(bench.task, bench.profile, bench.data, veil),
        chosen=plan.steps,
        steps={name: bench.family.steps[name].text for name in useful if name not in plan.steps},
        features=[veil.hide_text(idea) for idea in plan.features],
        code=_writes(bench, model),
    ).value
    if answer is None:
        return None
    return replace_texts(answer, veil.reveal_text, set(useful))


def replace_texts(answer: DataAnswer, reveal: Callable[[str], str], known: set[str]) -> DataAnswer:
    """The answer in names that exist."""
    return DataAnswer(
        steps=[step for step in answer.steps if step in known],
        features=[reveal(idea) for idea in answer.features if idea.strip()],
    )


def side_by_side(one: Callable[[], T], other: Callable[[], U]) -> tuple[T, U]:
    """Run `other` in a thread beside `one`, with the context that tracing lives in."""
    context = contextvars.copy_context()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="automl-coder") as thread:
        beside = thread.submit(context.run, other)
        return one(), beside.result()


DATA_AGENT_WITH_MODEL: Agent = replace(DATA_AGENT, run=choose_recipe_with_model)
