"""Stage 3: reads, checks and profiles the data, locks the test away, fixes the folds."""

from __future__ import annotations

from typing import Any

from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.tasks.metrics import require_two_classes


def acquire_data(state: State, stage: Stage) -> dict[str, Any]:
    task = state["task"]
    assert task is not None
    artifact, folder = stage.artifacts.create(stage.run_id, "data")
    family = stage.family(task)
    rows = stage.request.max_rows or stage.settings.max_rows
    request = stage.request.model_copy(update={"max_rows": rows})
    profile = family.acquire(
        task, request, folder, stage.private, seed=stage.seed, test_share=stage.settings.test_share
    )
    reads = stage.ledger.test_reads(profile.fingerprint)
    profile = profile.model_copy(update={"data": artifact, "test_reads": reads})
    for finding in profile.findings:
        stage.remark(finding.text + (f" ({finding.action})" if finding.action else ""))
    for measure in (task.metric, *(constraint.measure for constraint in task.constraints)):
        require_two_classes(measure, profile.classes)
    stage.allowed(task, profile)  # a wish that leaves no model is refused here, before any work
    return {"profile": profile}
