"""Stage 7: each sub-task agent at work on its part of one plan. A crash is a failed result, not a failed run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from langgraph.errors import GraphBubbleUp

from automl_agent.agents.allowed import unknown_names
from automl_agent.agents.base import Agent
from automl_agent.agents.bench import Bench
from automl_agent.delivery.words import model_name
from automl_agent.errors import ConfigurationError
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import AgentInput
from automl_agent.records import CodeModule, DataRecipe, Shortlist, SubTask, Suggestions, TaskResult

Output = DataRecipe | Shortlist | Suggestions


def solve_subtask(state: AgentInput, stage: Stage) -> dict[str, Any]:
    subtask = state["subtask"]
    agent = stage.services.team.agents[subtask.role]
    started = time.perf_counter()
    bench = _bench(state, stage)
    try:
        result = _solved(agent, subtask, bench, stage)
    except GraphBubbleUp:
        raise
    except Exception as error:  # the boundary to an agent, possibly the caller's own
        if stage.storage_error(error):
            raise
        text = f"{type(error).__name__}: {error}"
        stage.remark(f"Agent {agent.name} failed on plan {subtask.plan.id}: {text}", "warning")
        result = TaskResult(plan=subtask.plan.id, role=agent.name, error=text, modules=tuple(bench.modules))
    result = result.model_copy(update={"seconds": round(time.perf_counter() - started, 3)})
    key = f"{subtask.plan.id}/{agent.name}"
    return {"results": {key: result}, "counts": {key: bench.runner.count}, "reused": {key: bench.runner.reused}}


def _solved(agent: Agent, subtask: SubTask, bench: Bench, stage: Stage) -> TaskResult:
    assert agent.run is not None
    output = agent.run(subtask, bench)
    if not isinstance(output, DataRecipe | Shortlist | Suggestions):
        raise ConfigurationError(f"it must return a DataRecipe, Shortlist or Suggestions, not {type(output).__name__}")
    output = _known(output, agent, bench, stage)
    return TaskResult(
        plan=subtask.plan.id,
        role=agent.name,
        output=output,
        measurements=tuple(bench.measurements),
        modules=tuple(bench.modules),
        summary=_summary(output, bench.modules),
    )


def _known(output: Output, agent: Agent, bench: Bench, stage: Stage) -> Output:
    """An agent's output without models that there are none of, and a remark on each such name."""
    choices = output.choices if isinstance(output, Shortlist | Suggestions) else ()
    steps = output.steps if isinstance(output, DataRecipe | Suggestions) else ()
    unknown = unknown_names(bench.family, [choice.candidate for choice in choices], steps)
    for text in unknown.values():
        stage.remark(f"Agent {agent.name} names what there is not: {text}", "warning")
    known = tuple(choice for choice in choices if choice.candidate not in unknown)
    return output.model_copy(update={"choices": known}) if len(known) < len(choices) else output


def _bench(state: AgentInput, stage: Stage) -> Bench:
    task, profile, subtask = state["task"], state["profile"], state["subtask"]
    assert task is not None and profile is not None
    return Bench(
        task=task,
        profile=profile,
        family=stage.family(task),
        data=stage.artifacts.path(profile.data),
        allowed=stage.allowed(task, profile),
        runner=stage.runner(task, profile, revision=subtask.plan.revision, limit=state["limit"]),
        until=stage.until(state["until"]),
        plans=stage.settings.plans,
        plan=subtask.plan.id,
        role=subtask.role,
        language_model=stage.language_model,
        new_folder=lambda name: stage.artifacts.create(stage.run_id, name),
    )


def _summary(output: Output, modules: Sequence[CodeModule]) -> str:
    written = "".join(f"; {module.kind} module {module.status}: {module.reason}" for module in modules)
    return _decided(output) + written


def _decided(output: Output) -> str:
    match output:
        case DataRecipe():
            return f"keeps {', '.join(output.steps) or 'no extra step'}; drops {', '.join(output.rejected) or 'none'}"
        case Shortlist():
            dropped = "; ".join(f"{name}: {reason}" for name, reason in output.rejected.items())
            kept = ", ".join(dict.fromkeys(model_name(choice.candidate) for choice in output.choices))
            return f"shortlists {kept}" + (f"; leaves out {dropped}" if dropped else "")
        case Suggestions():
            added = [model_name(choice.candidate) for choice in output.choices] + list(output.steps)
            return f"suggests {', '.join(added) or 'nothing'}"
