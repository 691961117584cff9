"""What a model can do, found out by trying."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from automl_agent.errors import InputError
from automl_agent.llm.answers import answer_of
from automl_agent.llm.exchange import Line
from automl_agent.llm.faults import Fault, fault_of
from automl_agent.llm.models import Model, ModelFacts, describe, model_book
from automl_agent.llm.parsing import Unfinished, json_objects
from automl_agent.llm.structured import Form, shaped
from automl_agent.llm.waiting import Deadline, within
from automl_agent.settings import Settings

_SECONDS = 20.0
"""For each try."""
_OUTPUT = 512
"""Tokens of an answer: a model that thinks needs some for that."""
_QUESTION = "How many legs does a spider have?"
_COUNTING = "Write the numbers from one to ten as words, separated by commas."
_SHAPE = {
    "title": "Legs",
    "description": "Legs of an animal.",
    "type": "object",
    "properties": {"legs": {"type": "integer", "description": "number of legs"}},
    "required": ["legs"],
}


@dataclass(frozen=True)
class ModelReport:
    """What `probe` found."""

    model: ModelFacts
    reachable: bool = False
    seconds: float = 0.0
    """For one short answer."""
    detail: str = ""
    """Why it cannot be reached, and what to do."""
    json_schema: bool = False
    """Whether it keeps to a schema by the server's own means."""
    function_calling: bool = False
    streaming: bool = False
    usage: bool = False
    """Whether it reports tokens; where it does not, limits count the worst case."""


def probe(model: Model, settings: Settings) -> ModelReport:
    """Ask a model a few short questions, each with a deadline. They are paid for like others, but not recorded."""
    facts = describe(model, settings.base_url)
    try:
        line = Line(model_book(model).resolve("default", settings), facts, _OUTPUT)
    except InputError as error:
        return ModelReport(facts, detail=str(error))
    except Exception as error:
        return ModelReport(facts, detail=fault_of(error, provider=facts.provider).detail)
    started = time.perf_counter()
    answer = _tried(line, lambda: answer_of(line.bounded(_OUTPUT).invoke(_QUESTION), line.model))
    if isinstance(answer, Fault):
        return ModelReport(facts, detail=answer.detail)
    report = ModelReport(facts, reachable=True, seconds=round(time.perf_counter() - started, 2), usage=answer.reported)
    return replace(
        report,
        json_schema=_tried(line, lambda: _keeps_shape(line, "json_schema")) is True,
        function_calling=_tried(line, lambda: _keeps_shape(line, "function_calling")) is True,
        streaming=_tried(line, lambda: _streams(line)) is True,
    )


def _tried(line: Line, work: Callable[[], Any]) -> Any:
    """What the work gives, or the fault that kept it from that."""

    def guarded() -> Any:
        try:
            return work()
        except Exception as error:
            return fault_of(error, model=line.model, provider=line.facts.provider)

    late = Fault("timeout", f"The model did not answer within {_SECONDS:.0f} seconds.")
    result = within(Deadline(_SECONDS, lambda: _SECONDS), guarded)
    return late if result is None else result


def _keeps_shape(line: Line, form: Form) -> bool:
    """Whether the answer has the shape, which only the form tells of: the question does not."""
    message = shaped(line.bounded(_OUTPUT), _SHAPE, form).invoke(_QUESTION)
    if form == "function_calling" and not message.tool_calls:
        return False
    try:
        return any(isinstance(found.get("legs"), int) for found in json_objects(answer_of(message, line.model).text))
    except Unfinished:
        return False


def _streams(line: Line) -> bool:
    pieces = (answer_of(piece, line.model).text for piece in line.model.stream(_COUNTING))
    return sum(1 for text in pieces if text) > 1
