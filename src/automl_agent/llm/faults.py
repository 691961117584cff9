"""What a model's client raises becomes one of our outcomes, here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from automl_agent.llm.outcome import Kind
from automl_agent.llm.secrets import redacted

_LONGEST_DETAIL = 300

_TOO_LONG = re.compile(
    r"context[ _-]?(length|window|size|limit)|maximum context|prompt is too long|input is too long"
    r"|too many input tokens|exceeds? the (available|maximum) (context|number of tokens)",
    re.IGNORECASE,
)
_NO_SUCH_MODEL = re.compile(
    r"model\b.{0,80}\b(not (exist|found)|unknown)|(no such|unknown|invalid) model", re.IGNORECASE
)
_NO_SUCH_FORM = re.compile(
    r"response_format|json_?schema|json_?object|structured|grammar|tool|function|\bschema\b|\bstrict\b", re.IGNORECASE
)
_NO_KEY = re.compile(
    r"missing credentials|api[ _-]?key|authentication method|could not resolve auth|credentials", re.IGNORECASE
)

_STATUS_OF = {"ModelAuthenticationError": 401, "ModelPermissionDeniedError": 403, "ModelNotFoundError": 404,
              "ModelInvalidRequestError": 400, "ModelRateLimitError": 429, "ModelAPIError": 500}  # fmt: skip
"""LangChain's own names, for providers whose errors hold no status."""
_KEY_VARIABLES = {
    "google_genai": "GOOGLE_API_KEY",
    "mistralai": "MISTRAL_API_KEY",
    "azure_openai": "AZURE_OPENAI_API_KEY",
}


@dataclass(frozen=True)
class Fault:
    """Why there is no answer."""

    kind: Kind
    detail: str
    """One line for people, without keys."""
    passing: bool = False
    """Whether the same request may succeed in a moment."""
    wait: float | None = None
    """Seconds that the server asks us to wait."""
    billed: bool = False
    """Whether the model may have worked, so that the request may be paid for."""
    unsupported: bool = False
    """Whether the model or its server cannot do the form of structured output that was asked for."""


def fault_of(error: BaseException, *, model: object = None, provider: str = "") -> Fault:
    """Translate an exception of LangChain, of a provider's client or of the network.

    Args:
        model: Whose keys must not stand in the detail.
        provider: For the name of the variable that a missing key belongs in.
    """
    if isinstance(error, Warning):  # where the host turns warnings into errors, LangChain's advice hides the error
        error = error.__context__ or error
    said = redacted(_one_line(error), model)
    status = _status(error)
    if _is(error, "ContextOverflowError") or (status in (None, 400, 413, 422, 500) and _TOO_LONG.search(said)):
        return Fault("context_too_long", said)
    if _is(error, "ModelRefusalError", "ContentFilterFinishReasonError"):
        return Fault("refusal", said, billed=True)
    if status is not None and status >= 400:
        return _of_status(status, error, said, provider)
    if _is(error, "ModelTimeoutError", "APITimeoutError", "TimeoutException", "TimeoutError"):
        return Fault("timeout", "The model did not answer in time.", billed=True)
    if _is(error, "ModelConnectionError", "APIConnectionError", "TransportError", "OSError"):
        sent = not any(_is(cause, "ConnectError", "ConnectionRefusedError", "gaierror") for cause in _causes(error))
        return Fault("connection", f"The model's server cannot be reached: {_reason(error)}", passing=True, billed=sent)
    if isinstance(error, NotImplementedError):
        return Fault("server", said, unsupported=True)
    if _NO_KEY.search(said) and not _is(error, "JSONDecodeError"):
        return Fault("auth", f"There is no key for the model. {key_advice(provider)}".strip())
    return Fault("server", f"The answer is no chat completion: {said}", billed=True)


def key_advice(provider: str) -> str:
    if not provider:
        return ""
    return f"Set the environment variable {_KEY_VARIABLES.get(provider, f'{provider.upper()}_API_KEY')}."


def _of_status(status: int, error: BaseException, said: str, provider: str) -> Fault:
    """An answer of HTTP: nothing is billed for these."""
    if status in (401, 403):
        return Fault("auth", f"The server refuses the key ({status}): {said} {key_advice(provider)}".strip())
    if status in (400, 404, 422, 500, 501) and _is_about_form(status, said):
        return Fault("server", f"The server refuses the request ({status}): {said}", unsupported=True)
    if status == 404 or (status in (400, 422) and _NO_SUCH_MODEL.search(said)):
        return Fault("not_found", f"There is no such model or address ({status}): {said}")
    if status in (402, 429):
        lasting = status == 402 or "insufficient_quota" in said or getattr(error, "code", "") == "insufficient_quota"
        return Fault("rate_limited", f"Too many requests ({status}): {said}", passing=not lasting, wait=_wait(error))
    passing = status >= 500 or status in (408, 409, 425)
    return Fault("server", f"The server answers {status}: {said}", passing=passing, wait=_wait(error))


def _is_about_form(status: int, said: str) -> bool:
    """Whether a refusal is about structured output; elsewhere than with 400 these words mean other things too."""
    if status in (400, 422):
        return _NO_SUCH_FORM.search(said) is not None and _NO_SUCH_MODEL.search(said) is None
    return _NO_SUCH_FORM.search(said) is not None and re.search(r"support|grammar", said, re.IGNORECASE) is not None


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for value in (
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
        getattr(error, "code", None),
    ):
        if isinstance(value, int) and 100 <= value < 600:
            return value
    return next((status for name, status in _STATUS_OF.items() if _is(error, name)), None)


def _wait(error: BaseException) -> float | None:
    """Seconds of a `Retry-After` header, which holds seconds or a date."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    text = str(headers.get("retry-after") or "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _is(error: BaseException, *names: str) -> bool:
    """By name, so that no provider's package need be there; httpx and its fork have the same names."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    for _ in range(8):
        yield error
        cause = error.__cause__ or error.__context__
        if cause is None:
            return
        error = cause


def _reason(error: BaseException) -> str:
    """What the network said: the root is plainer than the wrapping."""
    *_, root = _causes(error)
    return redacted(_one_line(root))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(getattr(error, "message", "") or error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "…"
