"""OpenML (https://www.openml.org): the best runs that people uploaded for tasks on data sets of a subject.

Three questions: the search for data sets (`fetching.openml`), then of the REST API v1 (https://www.openml.org/apis)
`task/list/type/T/data_id/D` and `evaluation/list/function/F/task/T/sort_order/desc/limit/N`. Written after the calls of
OpenML's own Python client (`openml/tasks/functions.py`, `openml/evaluations/functions.py` in
https://github.com/openml/openml-python) and the templates of its server. Tested against a stand-in server that answers
in these forms; it was never run against openml.org itself.

`OPENML_ENDPOINT` and `OPENML_SEARCH_ENDPOINT` name other servers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from automl_agent.fetching import openml
from automl_agent.fetching.web import Web, WebError
from automl_agent.records import Note

TASKS = {
    "tabular_classification": (1, "predictive_accuracy", "desc"),
    "tabular_regression": (2, "root_mean_squared_error", "asc"),
}
"""Task family -> number of OpenML's task type, the measure that its runs are compared by, and the order, best first."""
SETS = 2
"""Data sets of which the runs are asked for."""
RUNS = 5
"""Runs of a task that are asked for."""
_NOTHING = 412
"""How OpenML says that there is none."""


class OpenML:
    name = "openml"
    title = "OpenML"

    def search(self, words: Sequence[str], family: str | None, web: Web, k: int) -> tuple[Note, ...]:
        if (family or "tabular_classification") not in TASKS:
            return ()
        kind, measure, order = TASKS[family or "tabular_classification"]
        notes = []
        for found in openml.SOURCE.search(words, web)[:SETS]:
            number = int(found.name.removeprefix("openml:"))
            tasks = self._listed(f"task/list/type/{kind}/data_id/{number}/limit/1", "tasks", "task", web)
            if not tasks:
                continue
            task = int(tasks[0]["task_id"])
            place = f"evaluation/list/function/{measure}/task/{task}/sort_order/{order}/limit/{RUNS}"
            runs = self._listed(place, "evaluations", "evaluation", web)
            if runs:
                notes.append(_note(task, found.title, measure, runs))
        return tuple(notes[:k])

    def _listed(self, place: str, outer: str, inner: str, web: Web) -> list[Any]:
        base = os.environ.get("OPENML_ENDPOINT", "https://www.openml.org").rstrip("/")
        try:
            return list(web.json(f"{base}/api/v1/json/{place}")[outer][inner])
        except WebError as error:
            if error.status == _NOTHING:
                return []
            raise


def _note(task: int, data: str, measure: str, runs: Sequence[Any]) -> Note:
    told = "; ".join(f"{run['flow_name']} {float(run['value']):.4g}" for run in runs if run.get("value") is not None)
    who = str(runs[0].get("uploader_name") or "OpenML contributors")
    when = str(runs[0].get("upload_time") or "")[:10] or "no date"
    return Note(
        id=f"openml:task/{task}",
        title=f"Best runs on {data} at OpenML",
        kind="run",
        source=f"{who} ({when}): runs of task {task}, https://www.openml.org/t/{task}",
        families=(),
        text=f"Runs uploaded for the data set {data}, by {measure.replace('_', ' ')}, the best first: {told}.",
    )


SOURCE = OpenML()
