"""Requests that schemathesis makes from a server's own OpenAPI, and many clients that send them at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis
import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from server_driver import TOKEN, Server

load_all_checks()
HELD = [CHECKS.get_one(name) for name in ("not_a_server_error", "status_code_conformance", "content_type_conformance",
                                          "response_schema_conformance")]  # fmt: skip


def described(server: Server) -> Any:
    """The server as schemathesis reads it from its OpenAPI."""
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"})


def cases(api: Any, count: int) -> list[Any]:
    """So many requests: every page as it is meant to be asked, `/predict` with right and with wrong bodies."""
    made: list[Any] = []
    for path, method in (("/healthz", "GET"), ("/readyz", "GET"), ("/schema", "GET"), ("/metrics", "GET")):
        made += _drawn(api[path][method].as_strategy(), 1) * (count // 50)
    half = (count - len(made) + 1) // 2
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        made += _drawn(api["/predict"]["POST"].as_strategy(generation_mode=mode), half)
    return made[:count]


def _drawn(strategy: Any, count: int) -> list[Any]:
    """Hypothesis stops where it has seen all; what is missing is repeated."""
    made: list[Any] = []

    @hypothesis.settings(
        max_examples=max(1, count),
        database=None,
        deadline=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)  # fmt: skip
    def draw(case: Any) -> None:
        made.append(case)

    if count > 0:
        draw()
    return (made * (count // max(1, len(made)) + 1))[:count]


def asked(server: Server, case: Any, session: requests.Session) -> tuple[int, float]:
    """Send a request and hold the answer to what the OpenAPI promises; the status and the seconds."""
    call = case.as_transport_kwargs(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"})
    begun = time.perf_counter()
    response = session.request(**call, timeout=30)
    seconds = time.perf_counter() - begun
    case.validate_response(response, checks=HELD)
    return response.status_code, seconds


def all_asked(server: Server, todo: Sequence[Any], at_once: int) -> list[tuple[int, float]]:
    """Send them all; each thread keeps its connection."""
    local = threading.local()

    def ask(case: Any) -> tuple[int, float]:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        return asked(server, case, local.session)

    with ThreadPoolExecutor(at_once) as clients:
        return list(clients.map(ask, todo))
