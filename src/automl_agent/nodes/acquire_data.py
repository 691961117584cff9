"""Stage 3: reads, checks and profiles the data, locks the test away, fixes the folds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from automl_agent.execution.finished import checksums, find_finished
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile
from automl_agent.tasks.family import LOCKED, TEST_ROWS
from automl_agent.tasks.metrics import require_order, require_two_classes, require_weighable


def acquire_data(state: State, stage: Stage) -> dict[str, Any]:
    task = state["task"]
    assert task is not None
    measures = (task.metric, *(constraint.measure for constraint in task.constraints))
    if task.weight:
        for measure in measures:
            require_weighable(measure)
    artifact, folder = stage.artifacts.create(stage.run_id, "data")
    family = stage.family(task)
    sources = dict(checksums(stage.request))
    earlier = _locked_before(stage, sources)
    rows = stage.request.max_rows or stage.settings.max_rows
    request = stage.request.model_copy(update={"max_rows": rows})
    profile = family.acquire(
        task, request, folder, stage.private, seed=stage.seed, test_share=stage.settings.test_share
    )
    same = earlier is not None and _equal(folder / TEST_ROWS, stage.private / LOCKED)
    test = earlier.test if earlier is not None and same else profile.fingerprint
    reads = stage.ledger.test_reads(test)
    meta = {**profile.meta, "budget": stage.budget, "rows_per_second": profile.rows_train / stage.budget}
    found = {"data": artifact, "test": test, "test_reads": reads, "sources": sources, "meta": meta}
    profile = profile.model_copy(update=found)
    for finding in profile.findings:
        stage.remark(finding.text + (f" ({finding.action})" if finding.action else ""))
    for measure in measures:
        require_two_classes(measure, profile.classes)
        require_order(measure, profile.classes, "order" in profile.target)
    stage.allowed(task, profile)  # a wish that leaves no model is refused here, before any work
    return {"profile": profile}


def _locked_before(stage: Stage, sources: dict[str, str]) -> DataProfile | None:
    """Where a run is varied on the same data: its profile. The family finds the rows that it locked in the private
    folder, so that they stay the test."""
    (stage.private / LOCKED).unlink(missing_ok=True)
    if not stage.request.based_on:
        return None
    earlier = find_finished(stage.settings.home_path, stage.request.based_on).profile
    if earlier is None or earlier.sources != sources:
        return None
    rows = stage.artifacts.path(earlier.data) / TEST_ROWS
    if not rows.is_file():
        return None
    shutil.copyfile(rows, stage.private / LOCKED)
    return earlier


def _equal(one: Path, other: Path) -> bool:
    """Whether two files hold the same row numbers, in any order."""
    import numpy as np

    if not (one.is_file() and other.is_file()):
        return False
    first, second = (np.load(path, allow_pickle=False) for path in (one, other))
    return np.array_equal(np.sort(first), np.sort(second))
