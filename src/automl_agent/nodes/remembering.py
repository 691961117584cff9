"""What a finished run leaves for those that come after it: measured out-of-fold, never on the test."""

from __future__ import annotations

from automl_agent.knowledge.experience import Experience, episode
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State


def remember(state: State, stage: Stage) -> None:
    """Keep what was measured, where the settings allow it. A folder that cannot be written costs the memory only."""
    task, profile, solution = state.get("task"), state.get("profile"), state.get("solution")
    baseline = state.get("baseline", {}).get("full")
    if stage.settings.experience != "on" or task is None or profile is None or solution is None or baseline is None:
        return
    if baseline.score is None:
        return
    trials = {**{trial.id: trial for trial in state.get("trials", {}).values()}, **state.get("full", {})}
    family = stage.family(task)
    try:
        Experience(stage.settings.home_path).add(
            episode(task, profile, solution, baseline.score, trials.values(), set(family.candidates()), stage.budget)
        )
    except Exception as error:  # the run is done: nothing may cost it now
        stage.remark(f"What this run measured was not kept for later ones: {error}", "warning")
