"""One question, one answer: within its time and the purse, retried where that helps, remembered where it was paid."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from automl_agent.llm.answers import Answer, answer_in, answer_of
from automl_agent.llm.breaker import Breaker
from automl_agent.llm.cache import AnswerStore, answer_key
from automl_agent.llm.faults import Fault, fault_of
from automl_agent.llm.models import ModelFacts, output_field
from automl_agent.llm.purse import Purse, Reservation
from automl_agent.llm.structured import Form, shaped
from automl_agent.llm.waiting import Deadline, acquired, pause, within
from automl_agent.records import ModelCall
from automl_agent.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_TIMED = ("langchain_openai.", "langchain_anthropic.")
"""Packages whose models take a time-out for a single call."""
_OVERHEAD = 512
"""Tokens that a provider may add to a question: marks of messages, its own words about tools."""


@dataclass(frozen=True)
class Question:
    """What is sent once."""

    role: str
    plan: str
    said: tuple[tuple[str, str], ...]
    """Who says what: `system`, `human` or `ai`, and the words."""
    form: Form = "prompt"
    shape: dict[str, Any] | None = None
    """JSON schema of the answer, where the form makes use of it."""

    @property
    def size(self) -> int:
        """Tokens that it can have at most: a token stands for one byte or more."""
        words = sum(len(text.encode("utf-8", "replace")) + 16 for _, text in self.said)
        return words + 2 * len(json.dumps(self.shape or {})) + _OVERHEAD


@dataclass(frozen=True)
class Line:
    """A chat model with what is known of it."""

    model: BaseChatModel
    facts: ModelFacts
    output_bound: int
    """Tokens that an answer may have."""
    given: bool = False
    """Whether the caller gave the object; otherwise it was made from a word."""

    @property
    def name(self) -> str:
        return str(self.facts)

    @property
    def key(self) -> str:
        """What it is known by in this process: objects of one name may differ in anything."""
        return f"{self.name}#{id(self.model)}" if self.given else self.name

    def hanging_up(self, seconds: float) -> dict[str, float]:
        """Options with which the provider's client closes a silent connection in time, so that the server stops too:
        a small server goes on with an answer that nobody waits for, and keeps the next question waiting."""
        return {"timeout": seconds} if type(self.model).__module__.startswith(_TIMED) else {}

    def bounded(self, output: int) -> BaseChatModel:
        """The same model, with this bound on its answers; a model that knows no bound is used as it is.

        It does not stream: a handler of the host may want tokens, but a stream often has no usage.
        """
        name = output_field(self.model)
        if name is None:
            return self.model
        return self.model.model_copy(update={name: output, "disable_streaming": True})


@dataclass
class _Slots:
    """Calls that may be under way at once, for each model of this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    free: dict[tuple[str, int], threading.BoundedSemaphore] = field(default_factory=dict)

    def of(self, model: str, count: int) -> threading.BoundedSemaphore:
        with self.lock:
            return self.free.setdefault((model, count), threading.BoundedSemaphore(count))


_LATE = Fault("timeout", "The model did not answer in time.", billed=True)
_SLOTS = _Slots()
_BREAKER = Breaker()


@dataclass(frozen=True)
class Exchange:
    """Sends questions of one stage of a run. Threads may share it."""

    settings: Settings
    run: str
    """What the breaker knows the run by: run ids of other home folders may be the same."""
    run_id: str
    stage: str
    purse: Purse
    answers: AnswerStore

    def send(self, line: Line, question: Question, deadline: Deadline) -> Answer | Fault:
        """Ask until there is an answer, a lasting fault, or no time: retries wait longer each time."""
        result: Answer | Fault = Fault("limit", "The run has no time left for a model.")
        for attempt in range(self.settings.call_retries + 1):
            if (stopped := _BREAKER.stopped(self.run, line.key)) is not None:
                return stopped
            if deadline.left() <= 0:
                break
            result = self._attempt(line, question, attempt, deadline)
            if isinstance(result, Answer) or not result.passing or (result.kind == "empty" and attempt):
                break
            seconds = _pause(result, attempt)
            if attempt == self.settings.call_retries or seconds >= deadline.left():
                break
            pause(seconds, deadline)
        _BREAKER.note(self.run, line.key, result if isinstance(result, Fault) else None)
        return result

    def _attempt(self, line: Line, question: Question, attempt: int, deadline: Deadline) -> Answer | Fault:
        """One request, unless the answer is known."""
        key = answer_key(self._parameters(line), question.said, [question.form, question.shape], attempt)
        call = ModelCall(role=question.role, model=line.facts.name, outcome="ok", stage=self.stage, plan=question.plan)
        if (known := self.answers.get(key)) is not None:
            number = self.purse.remember(call.model_copy(update={"cached": True, "usd": 0.0}), key)
            return known.model_copy(update={"number": number})
        slots = _SLOTS.of(line.name, self.settings.concurrency)
        if not acquired(slots, deadline):
            return Fault("limit", "All calls that may be under way at once were busy until the time was up.")
        try:
            if (stopped := _BREAKER.stopped(self.run, line.key)) is not None:  # found out while we waited
                return stopped
            reserved = self.purse.reserve(
                line.facts, call, key, input_bound=question.size, output_bound=line.output_bound
            )
            if isinstance(reserved, Fault):
                return reserved
            return self._paid(line, question, reserved, key, deadline)
        finally:
            slots.release()

    def _paid(
        self, line: Line, question: Question, reserved: Reservation, key: str, deadline: Deadline
    ) -> Answer | Fault:
        """Send it, and settle what it came to whatever happens."""
        started = time.perf_counter()
        result: Answer | Fault = _LATE
        ending: Answer | Fault = result
        try:
            left = deadline.left()
            result = within(deadline, lambda: self._asked(line, question, reserved.output_bound, left)) or _LATE
            ending = _judged(result)
        finally:
            kind = ending.kind if isinstance(ending, Fault) else "truncated" if ending.truncated else "ok"
            self.purse.settle(reserved, result, time.perf_counter() - started, kind)
        if kind == "ok" and isinstance(ending, Answer):
            self.answers.put(key, ending)
        return ending.model_copy(update={"number": reserved.number}) if isinstance(ending, Answer) else ending

    def _asked(self, line: Line, question: Question, output: int, seconds: float) -> Answer | Fault:
        """Call LangChain; what it or anything below it raises ends here."""
        try:
            chain = shaped(line.bounded(output), question.shape, question.form)
            message = chain.invoke(_messages(question), config=self._traced(question), **line.hanging_up(seconds))
            return answer_of(message, line.model)
        except Exception as error:
            inside = answer_in(error, line.model)
            return inside or fault_of(error, model=line.model, provider=line.facts.provider)

    def _traced(self, question: Question) -> RunnableConfig:
        """What LangSmith and OpenTelemetry show of the call."""
        return {
            "run_name": f"automl_agent.{question.role}",
            # "nostream" is LangGraph's word for: not part of the conversation of an application that we run in.
            "tags": ["automl_agent", question.role, "nostream"],
            "metadata": {
                "role": question.role,
                "stage": self.stage,
                "plan": question.plan,
                "run_id": self.run_id,
            },
        }

    def _parameters(self, line: Line) -> dict[str, object]:
        names = ("temperature", "seed", "top_p", "reasoning_effort")
        return {
            "name": line.name,
            "output": line.output_bound,
            **{name: getattr(line.model, name, None) for name in names},
        }


def _judged(result: Answer | Fault) -> Answer | Fault:
    """An answer that says nothing, or no, is a fault."""
    if isinstance(result, Fault):
        return result
    if result.refused:
        return Fault("refusal", f"The model declined: {result.text[:200]}".strip(), billed=True)
    if not result.text.strip() and not result.truncated:
        return Fault("empty", "The answer is empty.", passing=True, billed=True)
    return result


def _messages(question: Question) -> list[BaseMessage]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    kinds: dict[str, type[BaseMessage]] = {"system": SystemMessage, "human": HumanMessage, "ai": AIMessage}
    return [kinds[who](content=text) for who, text in question.said]


def _pause(fault: Fault, attempt: int) -> float:
    """Seconds before the next attempt: what the server asks for, or longer each time, never all at once."""
    if fault.wait is not None:
        return fault.wait
    longest: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
    return longest * random.uniform(0.5, 1.0)
