"""Stage 2: words and a first look at the data become a typed task, or a question. And `clarify`, which asks it.

Links and names of data sets become local files first, so that all that follows, a resumed run too, sees paths.
"""

from __future__ import annotations

from typing import Any

from langgraph.types import interrupt

from automl_agent.delivery.summary import requirement
from automl_agent.events import Understood
from automl_agent.execution.finished import find_finished
from automl_agent.fetching.finding import asks_to_find, offered
from automl_agent.fetching.registry import sources
from automl_agent.fetching.resolving import described, localised, suggested_target, told_target
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.tasks.registry import families
from automl_agent.tasks.words.rows import wished_rows

READING = 0.2
"""Share of the budget that a language model may take to read a request."""
FETCHING = 0.5
"""Share of what is left of the budget that loading data may take: without time for models they are of no use."""


def parse_request(_state: State, stage: Stage) -> dict[str, Any]:
    if not stage.settings.plan_only:
        stage.pool.prepare()  # workers import while this process reads
    home, settings = stage.settings.home_path, stage.settings
    request = localised(
        stage.request,
        home,
        max_mb=settings.max_download,
        seconds=min(settings.download_timeout, FETCHING * stage.left()),
        say=stage.remark,
    )
    if request.max_rows is None:
        request = request.model_copy(update={"max_rows": wished_rows(request.words)})
    understood = _understood(request, stage)
    if isinstance(understood, Question):
        if understood.field == "data" and asks_to_find(request.words):
            understood = offered(understood, request.words, sources(), online=settings.max_download > 0)
        return {"question": understood, "task": None, "request": request}
    understood = described(understood, home)
    if understood.based_on:
        # The earlier words, too: they may tell how tables are joined.
        request = request.model_copy(update={"words": understood.words})
    stage.emit(Understood(summary=summary(understood), inferences=understood.inferences))
    warnings = {f"task-{index}": text for index, text in enumerate(understood.warnings)}
    return {"task": understood, "question": None, "warnings": warnings, "request": request}


def _understood(request: Request, stage: Stage) -> TaskSpec | Question:
    """The task; where only the target is open, and the source of the data names one, that one is taken."""

    def understand(request: Request) -> TaskSpec | Question:
        return stage.services.team.understand(request, families(), stage.language_model, stage.patience(READING))

    if request.based_on:
        earlier = find_finished(stage.settings.home_path, request.based_on)
        return stage.services.team.vary(request, earlier, families(), stage.language_model, stage.patience(READING))
    understood = understand(request)
    suggested = suggested_target(request, stage.settings.home_path)
    if suggested is None or not isinstance(understood, Question) or understood.field != "target":
        return understood
    again = understand(request.model_copy(update={"target": suggested[0]}))
    return again if isinstance(again, Question) else told_target(again, *suggested)


def clarify(state: State, stage: Stage) -> dict[str, Any]:
    """Ask the person; waiting does not count. Runs again from its first line when the answer comes.

    Where nobody can be asked (no checkpointer, or switched off) the question stays open and becomes the result.
    """
    question = state.get("question")
    assert question is not None
    if not stage.settings.clarify or stage.thread_id is None:
        return {}
    stage.clock.pause()
    answer = interrupt({"question": question.model_dump()})
    stage.clock.resume()
    return {"request": answered(stage.request, question, str(answer)), "question": None}


def answered(request: Request, question: Question, answer: str) -> Request:
    """The request with the answer in the field that was asked for."""
    if question.field == "data":
        return request.model_copy(update={"data": (answer,)})
    if question.field in ("target", "positive", "metric", "family", "time", "group"):
        return request.model_copy(update={question.field: answer})
    return request.model_copy(update={"words": f"{request.words} {answer}"})


def summary(task: TaskSpec) -> str:
    """What was understood, in one line."""
    parts = [task.family.replace("_", " ")]
    if task.target:
        parts.append(f"of {task.target!r}")
    if task.positive:
        parts.append(f"(positive: {task.positive!r})")
    parts.append(f"by {task.metric}")
    if task.constraints:
        parts.append("with " + ", ".join(map(requirement, task.constraints)))
    return " ".join(parts)
