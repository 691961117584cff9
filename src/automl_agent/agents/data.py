"""The Data Agent: measures what each data step of a plan brings, and keeps those that pay."""

from __future__ import annotations

from automl_agent.agents.allowed import useful_steps
from automl_agent.agents.base import Agent
from automl_agent.agents.bench import Bench
from automl_agent.delivery.words import model_name
from automl_agent.records import CandidateChoice, DataRecipe, Measurement, SubTask, Trial
from automl_agent.tasks.family import loss

MIN_GAIN = 0.004
"""Smallest relative improvement of the loss that counts; less is noise at two folds, and a step costs time."""

SHARE = 0.6
"""Of the agents' time that the measurements of steps may take."""


def choose_recipe(subtask: SubTask, bench: Bench, reserve: int = 0) -> DataRecipe:
    """Compare the plan's probe model with and without each step, then with all that helped together.

    Args:
        reserve: trials that are left for what follows, where their number is bounded.
    """
    choice = probe_choice(subtask, bench)
    if choice is None:
        return DataRecipe()
    useful, tags = useful_steps(bench.family, bench.profile), bench.family.candidates()[choice.candidate].tags
    steps = tuple(step for step in subtask.plan.steps
                  if step in useful and not set(tags) & set(bench.family.steps[step].nothing_for))  # fmt: skip
    if not steps:
        return DataRecipe()
    (base,) = _measured(bench, choice, ((),)) or (None,)
    if base is None:
        return DataRecipe()
    steps = steps[: _affordable(base, bench, reserve)]
    singles = _measured(bench, choice, tuple((step,) for step in steps))
    helpful = [step for step, trial in zip(steps, singles, strict=False) if bench.gain(trial, base) > MIN_GAIN]
    helpful.sort(key=lambda step: -bench.gain(singles[steps.index(step)], base))
    kept = tuple(helpful)
    if len(helpful) > 1:
        (together,) = _measured(bench, choice, (kept,)) or (base,)
        alone = singles[steps.index(helpful[0])]
        if bench.gain(together, alone) <= 0:  # the steps do not add up: keep the best one
            kept = (helpful[0],)
    gains = {
        step: loss(bench.metric, base.score) - loss(bench.metric, trial.score)
        for step, trial in zip(steps, singles, strict=False)
        if base.score is not None and trial.score is not None
    }
    return DataRecipe(steps=kept, rejected=tuple(step for step in steps if step not in kept), gains=gains)


def _affordable(base: Trial, bench: Bench, reserve: int) -> int:
    """How many steps there is time to measure, at the price of the plain model and with the other plans beside.

    None where one alone would keep the workers from other models, which bring more than steps.
    """
    each = max(0.05, base.fit_seconds * 1.3) * bench.plans / bench.runner.pool.size
    affordable = max(0, int(SHARE * bench.seconds_left / each))
    return affordable if not reserve else int(max(0, min(affordable, bench.trials_left - reserve)))


def probe_choice(subtask: SubTask, bench: Bench) -> CandidateChoice | None:
    """The quickest of the plan's own models, so that the recipe suits what the plan will train."""
    models = [name for name in subtask.plan.models if name in bench.allowed]
    if not models:
        return None
    name = next((name for name in bench.family.probe if name in models), models[0])
    return CandidateChoice(candidate=name, params=bench.family.candidates()[name].portfolio[0])


def _measured(bench: Bench, choice: CandidateChoice, recipes: tuple[tuple[str, ...], ...]) -> list[Trial]:
    trials = bench.measure([(choice, recipe) for recipe in recipes])
    for recipe, trial in zip(recipes, trials, strict=False):
        if trial.score is not None:
            what = f"{model_name(choice.candidate)} with {' + '.join(recipe) or 'no extra step'}"
            bench.measurements.append(Measurement(what=what, value=trial.score, unit=bench.task.metric))
    return trials


DATA_AGENT = Agent("data", "Measuring what data steps bring", choose_recipe)
