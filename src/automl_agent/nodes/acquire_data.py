"""Stage 3: reads, checks and profiles the data, locks the test away, fixes the folds."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

from automl_agent.errors import JobError
from automl_agent.execution.finished import checksums, find_finished
from automl_agent.execution.protocol import Job
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile, TaskSpec
from automl_agent.tasks.family import LOCKED, TEST_ROWS
from automl_agent.tasks.metrics import require_order, require_two_classes, require_weighable

LOADED = 0.5
"""Of the memory that a worker has left, what loading the data may take: fitting needs the rest."""
PACKED, CELL_BYTES = 20, 200
"""By how much stored data may grow when they are loaded, and what a cell may then take: data that are small even so are
not weighed."""
BROKEN = 4
"""By what data are taken to be too large that could not be loaded at all."""
TURNS, FEWEST = 3, 200
"""How often less is read, and the rows below which nothing is gained by it."""


def acquire_data(state: State, stage: Stage) -> dict[str, Any]:
    task = state["task"]
    assert task is not None
    measures = (task.metric, *(constraint.measure for constraint in task.constraints))
    if task.weight:
        for measure in measures:
            require_weighable(measure)
    artifact, folder = stage.artifacts.create(stage.run_id, "data")
    sources = dict(checksums(stage.request))
    earlier = _locked_before(stage, sources)
    profile, less = acquired(stage, task, folder)
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
    return {"profile": profile, "warnings": {"memory": less} if less else {}}


def acquired(stage: Stage, task: TaskSpec, folder: Path) -> tuple[DataProfile, str]:
    """Read the data, fewer rows of them where they do not fit into a worker's memory; gives what is said of that."""
    family, less = stage.family(task), ""
    rows = stage.request.max_rows or stage.settings.max_rows
    for turn in range(TURNS):
        request = stage.request.model_copy(update={"max_rows": rows})
        profile = family.acquire(
            task, request, folder, stage.private, seed=stage.seed, test_share=stage.settings.test_share
        )
        used = profile.rows_train + profile.rows_test
        if less and used > (rows or 0):  # a family that draws no samples
            return profile, ""
        times = _times_too_large(stage, task, profile, folder) if turn + 1 < TURNS else 1
        if times <= 1 or used // times < FEWEST:
            break
        rows = used // times
        less = (
            f"The data are too large for the {stage.room.each_mb:.0f} MB of memory that a worker may use: a sample of"
            f" {rows:,} rows is used. More memory (--max-memory), or fewer workers (--cpus), allow for more."
        )
    return profile, less


def _times_too_large(stage: Stage, task: TaskSpec, profile: DataProfile, folder: Path) -> int:
    """By which power of two the data are too large for a worker's memory: measured in one, where they may be."""
    files_mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    cells = profile.rows_train * profile.columns
    most = stage.room.each_mb
    if max(PACKED * files_mb, CELL_BYTES * cells / 1e6) < most / 4:
        return 1
    job = Job("automl_agent.tasks.jobs:weigh", {"family": task.family, "data": str(folder)},
              timeout=max(1.0, stage.left()), memory_mb=most, ends=True)  # fmt: skip
    try:
        weight = stage.pool.submit(job).result()
    except JobError as error:
        if error.kind not in ("memory", "killed"):  # whatever it is: whoever trains on them finds out, too
            return 1
        return BROKEN
    allowed = LOADED * max(1.0, most - weight["before_mb"])
    return int(2 ** max(0, math.ceil(math.log2(max(weight["load_mb"], 1e-9) / allowed))))


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
