"""First verifier: is this work for machine learning at all?"""

from __future__ import annotations

from automl_agent.agents.understanding.scope import check_scope
from automl_agent.records import Verdict
from automl_agent.verifiers.base import RequestCase, Verifier


def verify_request(case: RequestCase) -> Verdict:
    request = case.request
    passed, reason = check_scope(request.words, data=bool(request.data or request.test_data), target=request.target)
    return Verdict(subject="request", passed=passed, reasons=(reason,) if reason else ())


REQUEST_VERIFIER = Verifier("request", "request", "Refuses what is not machine learning.", verify_request)
