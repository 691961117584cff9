"""Asks the language models of a run, and gives a value or a typed failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from automl_agent.errors import AutoMLError
from automl_agent.events import Event
from automl_agent.execution.ledger import Ledger
from automl_agent.llm.answers import Answer
from automl_agent.llm.cache import AnswerStore
from automl_agent.llm.exchange import Exchange, Line, Question
from automl_agent.llm.faults import Fault, fault_of
from automl_agent.llm.models import ModelBook, describe, output_field
from automl_agent.llm.outcome import Outcome
from automl_agent.llm.parsing import Unfinished, code_in, json_objects
from automl_agent.llm.prices import price_table
from automl_agent.llm.prompt import Prompt
from automl_agent.llm.purse import Purse
from automl_agent.llm.structured import FORMS, FormBook, described
from automl_agent.llm.waiting import Deadline
from automl_agent.settings import Settings

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_LONGEST_TEXT = 4000
"""Characters of an answer that are kept, or shown to the model again."""
_MOST_PROBLEMS = 6
_LONGEST_VALUE = 80
_CUT = "The answer ended at the limit of tokens."
_CODE_ONLY = "Answer with one block of Python between ```python and ``` and nothing else; keep it short."
_forms = FormBook()
"""Holds for all runs of this process: what a model can do does not depend on the run."""


class Client:
    """Asks the language models of one run. Thread-safe; never raises for what a model or server does."""

    def __init__(
        self,
        models: ModelBook,
        settings: Settings,
        *,
        home: Path,
        run_id: str,
        emit: Callable[[Event], None],
        seconds_left: Callable[[], float],
        stage: str = "",
    ) -> None:
        """
        Args:
            home: Folder of the ledger and of the remembered answers.
            emit: Told of every call.
            seconds_left: What the run has left.
            stage: Name for ledger and traces.
        """
        self._models = models
        self._settings = settings
        self._home = home
        self._run_id = run_id
        self._emit = emit
        self._seconds_left = seconds_left
        self._stage = stage
        self.troubles: dict[str, str] = {}
        """Questions that came to nothing, in a sentence for each kind of failure; for the report."""

    def speaks(self, role: str) -> bool:
        """Whether a model was given for the role, or a default one."""
        return self._models.get(role) is not None

    def name(self, role: str) -> str:
        """The model's name, for people."""
        model = self._models.get(role)
        return describe(model, self._settings.base_url).name if model is not None else ""

    def ask(
        self, role: str, prompt: Prompt, schema: type[M], *, plan: str = "", patience: float | None = None
    ) -> Outcome[M]:
        """Ask for an answer of a given shape, by the best means that the model has; once more where it does not fit.

        Args:
            patience: Seconds in all, besides `Settings.call_timeout` and what the run has left.

        Raises:
            InputError: when the word for the model is not understood, or its package is not installed.
        """
        return self._noted(role, self._asked(role, prompt, schema, plan, patience))

    def _asked(self, role: str, prompt: Prompt, schema: type[M], plan: str, patience: float | None) -> Outcome[M]:
        line = self._line(role)
        if isinstance(line, Fault):
            return _failed(line)
        deadline = self._deadline(patience)
        told = Prompt(prompt.system, f"{prompt.user}\n\n{described(schema)}")
        shape = schema.model_json_schema()
        question = Question(role, plan, _said(told), shape=shape)
        outcome: Outcome[M] = _failed(Fault("unparsable", "Nothing was answered."))
        for form in _forms.to_try(line.key, line.facts.provider, shape):
            question = replace(question, form=form)
            answer = self._exchange.send(line, question, deadline)
            if isinstance(answer, Fault):
                if answer.unsupported and form != FORMS[-1]:
                    continue
                return _failed(answer)
            outcome = self._judged(answer, _read(answer, schema))
            if outcome.kind != "unparsable":
                break
        _forms.note(line.key, question.form, line.model)
        if outcome.kind not in ("unparsable", "schema"):
            return outcome
        advice = f"{outcome.detail}\nAnswer again with the whole corrected JSON object and nothing else."
        answer = self._exchange.send(line, _continued(question, outcome.text, advice), deadline)
        return outcome if isinstance(answer, Fault) else self._judged(answer, _read(answer, schema))

    def write(self, role: str, prompt: Prompt, *, plan: str = "", patience: float | None = None) -> Outcome[str]:
        """Ask for code: the text of the one fenced block of the answer. Asks once more where there is none.

        Args:
            patience: Seconds in all, besides `Settings.call_timeout` and what the run has left.

        Raises:
            InputError: when the word for the model is not understood, or its package is not installed.
        """
        return self._noted(role, self._wrote(role, prompt, plan, patience))

    def _wrote(self, role: str, prompt: Prompt, plan: str, patience: float | None) -> Outcome[str]:
        line = self._line(role)
        if isinstance(line, Fault):
            return _failed(line)
        deadline = self._deadline(patience)
        question = Question(role, plan, _said(prompt))
        answer = self._exchange.send(line, question, deadline)
        if isinstance(answer, Fault):
            return _failed(answer)
        outcome = self._judged(answer, _read_code(answer))
        if outcome.ok:
            return outcome
        again = self._exchange.send(
            line, _continued(question, outcome.text, f"{outcome.detail} {_CODE_ONLY}"), deadline
        )
        return outcome if isinstance(again, Fault) else self._judged(again, _read_code(again))

    def _noted(self, role: str, outcome: Outcome[T]) -> Outcome[T]:
        if not outcome.ok:
            text = (
                f"The language model {self.name(role)} was of no use to a question ({outcome.kind}): {outcome.detail}"
            )
            self.troubles.setdefault(f"model-{outcome.kind}", f"{text.rstrip('.')}. There the rules decided.")
        return outcome

    def _judged(self, answer: Answer, outcome: Outcome[T]) -> Outcome[T]:
        """What was made of an answer; the ledger learns of it where that is nothing."""
        if not outcome.ok:
            self._exchange.purse.amend(answer.number, outcome.kind)
        return outcome

    def _line(self, role: str) -> Line | Fault:
        """The model of a role; a fault where its client cannot be made, for want of a key for one."""
        given = self._models.get(role)
        try:
            model = self._models.resolve(role, self._settings)
        except AutoMLError:
            raise
        except Exception as error:
            return fault_of(error, provider=describe(given or "", self._settings.base_url).provider)
        own_bound = getattr(model, output_field(model) or "", None)
        return Line(
            model=model,
            facts=describe(given or model, self._settings.base_url),
            output_bound=own_bound if isinstance(own_bound, int) else self._settings.max_output_tokens,
            given=not isinstance(given, str),
        )

    def _deadline(self, patience: float | None) -> Deadline:
        seconds = self._settings.call_timeout if patience is None else min(patience, self._settings.call_timeout)
        return Deadline(seconds, self._seconds_left)

    @cached_property
    def _exchange(self) -> Exchange:
        prices = price_table(self._settings.prices)
        return Exchange(
            settings=self._settings,
            run=f"{self._home}/{self._run_id}",
            run_id=self._run_id,
            stage=self._stage,
            purse=Purse(Ledger(self._home), self._run_id, self._settings, prices, self._emit),
            answers=AnswerStore(self._home, self._run_id, across_runs=self._settings.response_cache),
        )


def _said(prompt: Prompt) -> tuple[tuple[str, str], ...]:
    return tuple((who, text) for who, text in (("system", prompt.system), ("human", prompt.user)) if text)


def _continued(question: Question, answer: str, advice: str) -> Question:
    """The question, what was answered, and what is wrong with it."""
    return replace(question, said=(*question.said, ("ai", answer), ("human", advice)))


def _failed(fault: Fault) -> Outcome[M]:
    return Outcome(fault.kind, detail=fault.detail)


def _read(answer: Answer, schema: type[M]) -> Outcome[M]:
    """The first object in an answer that the schema accepts. Numbers in quotes are numbers, as pydantic reads them."""
    text = answer.text[:_LONGEST_TEXT]
    if answer.truncated:
        return Outcome("truncated", text=text, detail=_CUT)
    try:
        objects = json_objects(answer.text)
    except Unfinished as error:
        return Outcome("truncated", text=text, detail=str(error))
    problems = ""
    for found in objects:
        try:
            return Outcome("ok", schema.model_validate(_arguments(found, schema)), text)
        except ValidationError as error:
            problems = problems or _problems(error)
    if not problems:
        return Outcome("unparsable", text=text, detail="The answer holds no JSON object.")
    return Outcome("schema", text=text, detail=f"The JSON object does not fit: {problems}")


def _arguments(found: dict[str, object], schema: type[BaseModel]) -> object:
    """What is meant: small models write a tool call as text, `{"name": ..., "arguments": {...}}`."""
    arguments = found.get("arguments", found.get("parameters"))
    wrapped = isinstance(arguments, dict) and set(found) <= {"name", "arguments", "parameters"}
    return arguments if wrapped and not set(found) & set(schema.model_fields) - {"name"} else found


def _problems(error: ValidationError) -> str:
    """The first few problems, each with its place and what stood there."""
    lines = []
    for problem in error.errors(include_url=False)[:_MOST_PROBLEMS]:
        place = ".".join(str(part) for part in problem["loc"]) or "the object"
        given = "" if problem["type"] == "missing" else f" (given: {str(problem['input'])[:_LONGEST_VALUE]!r})"
        lines.append(f"{place}: {problem['msg']}{given}")
    return "; ".join(lines)


def _read_code(answer: Answer) -> Outcome[str]:
    text = answer.text[:_LONGEST_TEXT]
    try:
        code = code_in(answer.text)
    except Unfinished as error:
        return Outcome("truncated", text=text, detail=str(error))
    if answer.truncated:
        return Outcome("truncated", text=text, detail=_CUT)
    if code is None:
        return Outcome("unparsable", text=text, detail="The answer holds no block of code.")
    return Outcome("ok", code, text)
