"""First verifier: is this work for machine learning at all?"""

from __future__ import annotations

from automl_agent.agents.understanding.scope import check_scope
from automl_agent.records import Verdict
from automl_agent.verifiers.base import RequestCase, Verifier


def verify_request(case: RequestCase) -> Verdict:
    passed, reason = check_scope(case.request.words)
    return Verdict(subject="request", passed=passed, reasons=(reason,) if reason else ())


REQUEST_VERIFIER = Verifier("request", "request", "Refuses what is not machine learning.", verify_request)
