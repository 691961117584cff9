"""First verifier: is this work for machine learning at all?

The rules decide. A language model (role `request`) is asked only where they recognised nothing in the words, and can
only let a request through: it cannot refuse one, and a clear wish for something else stays refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl_agent.agents.understanding.answer import ScopeAnswer
from automl_agent.agents.understanding.quotes import was_said
from automl_agent.agents.understanding.scope import check_scope
from automl_agent.agents.understanding.showing import PROMPTS
from automl_agent.llm.prompt import rendered
from automl_agent.records import Verdict
from automl_agent.verifiers.base import RequestCase, Verifier

if TYPE_CHECKING:
    from automl_agent.llm.client import Client

_LONGEST = 2000
"""Characters of a request that the model is shown: what it asks for stands at its beginning."""


def verify_request(case: RequestCase) -> Verdict:
    request = case.request
    if request.based_on:
        return Verdict(subject="request", passed=True, reasons=(f"It varies run {request.based_on}.",))
    scope = check_scope(request.words, data=bool(request.data or request.test_data), target=request.target)
    if not scope.passed and not scope.understood and case.client is not None and case.client.speaks("request"):
        understood = _understood(request.words[:_LONGEST], case.client)
        if understood:
            return Verdict(subject="request", passed=True, reasons=(understood,))
    return Verdict(subject="request", passed=scope.passed, reasons=(scope.reason,) if scope.reason else ())


def _understood(words: str, client: Client) -> str:
    """Why the words ask for machine learning after all, by the model; empty when it does not say, or misquotes."""
    answer = client.ask("request", rendered(PROMPTS, "scope", words=words), ScopeAnswer).value
    if answer is None or not answer.work.strip() or not was_said(answer.quote, words):
        return ""
    return f"'{answer.quote.strip()}' asks for {answer.work.strip()}, a language model says."


REQUEST_VERIFIER = Verifier("request", "request", "Refuses what is not machine learning.", verify_request)
