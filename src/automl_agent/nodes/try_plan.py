"""Stage 8: one plan, as its agents worked it out, tried on the lowest rung."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from automl_agent.agents.bench import UNEVEN
from automl_agent.agents.with_model.features import on_features
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import PlanInput
from automl_agent.records import CandidateChoice, DataRecipe, Plan, Shortlist, Suggestions, TaskResult
from automl_agent.search.rungs import probe_fidelity
from automl_agent.search.runner import TrialRunner, Work


def try_plan(state: PlanInput, stage: Stage) -> dict[str, Any]:
    plan, task, profile = state["plan"], state["task"], state["profile"]
    assert task is not None and profile is not None
    runner = stage.runner(task, profile, revision=plan.revision, limit=state["limit"])
    works = works_of(plan, state["work"], runner, stage.allowed(task, profile), stage.artifacts.path)
    until = stage.until(state["until"])
    probe = probe_fidelity(runner.family, profile)
    limit = UNEVEN * runner.fair(len(works) * stage.settings.plans, probe, until - time.monotonic())
    trials = runner.run(works, probe, until=until, time_limit=limit)
    return {"trials": {f"{plan.id}/{trial.id}": trial for trial in trials}, "counts": {plan.id: runner.count},
            "reused": {plan.id: runner.reused}}  # fmt: skip


def works_of(
    plan: Plan,
    results: Iterable[TaskResult],
    runner: TrialRunner,
    allowed: tuple[str, ...],
    place: Callable[[str], Path] | None = None,
) -> list[Work]:
    """What a plan comes to: its own choices, the shortlist, and what other agents suggest, under the measured recipe.

    Where the recipe holds a feature module, every model of the family is tried with its columns, and the first one
    without, too. `place` gives the folder of an artifact.

    Where an agent is missing or failed, the plan speaks for itself: its models' first configurations, no extra step.
    """
    outputs = [result.output for result in results if result.output is not None]
    steps: list[str] = []
    choices = list(plan.choices)
    shortlisted = False
    for output in outputs:
        match output:
            case DataRecipe() | Suggestions():
                steps += [step for step in output.steps if step not in steps]
            case Shortlist():
                shortlisted = bool(output.choices)
        if isinstance(output, Shortlist | Suggestions):
            choices += output.choices
    if not shortlisted and not plan.choices:
        catalogue = runner.family.candidates()
        choices += [CandidateChoice(candidate=m, params=catalogue[m].portfolio[0]) for m in plan.models if m in allowed]
    catalogue = runner.family.candidates()
    allowed_here = [choice for choice in choices if choice.candidate in allowed or choice.candidate not in catalogue]
    unique = list({(choice.candidate, str(sorted(choice.params.items()))): choice for choice in allowed_here}.values())
    recipe = next((output for output in outputs if isinstance(output, DataRecipe) and output.features), None)
    if recipe is not None and place is not None:
        folder = place(recipe.features)
        own = [choice for choice in unique if choice.candidate in catalogue]
        with_columns = [on_features(choice, recipe.without, folder, runner.family) for choice in own]
        unique = [*with_columns, *own[:1], *(choice for choice in unique if choice not in own)]
    return [Work(choice, tuple(steps), plan.id, "try_plan") for choice in unique]
