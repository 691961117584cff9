"""Before the stages: gives the run its id, its folders and its clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_agent.delivery.publish import check_free
from automl_agent.errors import InputError
from automl_agent.execution.artifacts import has_private_folder
from automl_agent.execution.finished import find_finished, taken_over
from automl_agent.execution.home import prepare_home
from automl_agent.execution.runs import new_run_id
from automl_agent.knowledge.sources.registry import named_sources
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.nodes.stage import Stage, services_clock
from automl_agent.nodes.state import State

_FRESH: dict[str, Any] = {
    "task": None,
    "question": None,
    "profile": None,
    "baseline": None,
    "notes": [],
    "plans": None,
    "results": None,
    "trials": None,
    "full": None,
    "verdicts": None,
    "evidence": None,
    "revision": 0,
    "solution": None,
    "grade": None,
    "bundle": None,
    "submission": None,
    "report": None,
    "warnings": None,
    "progress": None,
    "counts": None,
    "reused": None,
    "seconds": None,
    "room": False,
    "approved": True,
}
"""A thread may be used for several requests: nothing of the last one may shine through."""


def begin(state: State, stage: Stage) -> dict[str, Any]:
    """Start afresh, and forget what an earlier request left in this thread."""
    request = state.get("request") or stage.request
    data = tuple(state.get("data") or ()) or request.data
    request = request.model_copy(update={"data": data})
    prepare_home(stage.settings.home_path)
    named_sources(stage.settings.sources)  # one that is not known is found out before any work
    if request.based_on is not None:
        earlier = find_finished(stage.settings.home_path, request.based_on)
        request = taken_over(request, earlier, stage.settings)
    run_id = _run_id(state, stage, request.words)
    out = Path(request.out or stage.settings.out or Path("automl-runs") / run_id).expanduser().resolve()
    check_free(out, filter(None, (*request.data, request.test_data)))
    retriever = stage.services.retriever or KnowledgeStore.of(stage.settings)
    if stage.settings.retrieval and isinstance(retriever, KnowledgeStore):
        retriever.check()
    if not stage.settings.plan_only:
        _check_writable(out)
    services_clock(stage, run_id).resume()
    return {
        **_FRESH,
        "request": request,
        "data": [],
        "run_id": run_id,
        "out": str(out),
        "plan_only": stage.settings.plan_only,
    }


def _run_id(state: State, stage: Stage, words: str) -> str:
    """The thread's name where this graph owns the thread and has not begun a run in it, else a new one.

    A checkpointer in memory forgets its threads with the process, and the next one may use their names again: what is
    kept of an earlier run of that name (its clock, its grade of the locked test) must not become this one's.
    """
    if stage.thread_id and not stage.embedded and not state.get("run_id"):
        safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in stage.thread_id).strip(".")[:80]
        if safe and (not has_private_folder(stage.settings.home_path, safe) or _of_command_line(stage, safe)):
            return safe
    return new_run_id(words)


def _of_command_line(stage: Stage, run_id: str) -> bool:
    """Whether the command line gave this name, whose runs begin once."""
    return (stage.settings.home_path / "runs" / run_id / "manifest.json").exists()


def _check_writable(out: Path) -> None:
    """Find out before any work whether the result can be written; leave nothing behind."""
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.write_text("", encoding="utf-8")
        probe.unlink()
        for folder in new:
            folder.rmdir()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"The output folder {out} cannot be written: {reason}.", hint="Give another one with --out."
        ) from error
