"""The verifiers that come with the library, one for each stage."""

from __future__ import annotations

from automl_agent.verifiers.plans import PLAN_VERIFIER
from automl_agent.verifiers.request import REQUEST_VERIFIER
from automl_agent.verifiers.solution import SOLUTION_VERIFIER

BUILTIN = (REQUEST_VERIFIER, PLAN_VERIFIER, SOLUTION_VERIFIER)
