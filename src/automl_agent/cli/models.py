"""The options of the language model: which model speaks for which role, and how; checked before a run begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from automl_agent.errors import InputError, SandboxError
from automl_agent.settings import Settings

MODEL_LIMITS = ("max_cost", "max_tokens", "max_calls")
MODEL_OPTIONS = (
    *MODEL_LIMITS,
    "base_url",
    "temperature",
    "prices",
    "call_timeout",
    "concurrency",
    "cache",
    "share_rows",
    "share_names",
    "no_code",
    "sandbox",
)


def model_words(named: Sequence[tuple[str, str]] | None) -> dict[str, str] | None:
    """The words of `--model` by role; `None` without any.

    Raises:
        InputError: when a role is given two models.
    """
    words: dict[str, str] = {}
    for role, name in named or ():
        if role in words:
            whose = "every role" if role == "default" else f"the role {role!r}"
            raise InputError(f"--model is given twice for {whose}: {words[role]} and {name}.",
                             hint="For one role write ROLE=NAME.")  # fmt: skip
        words[role] = name
    return words or None


def model_settings(given: Mapping[str, Any], model: Mapping[str, str] | None) -> dict[str, Any]:
    """The options as fields of `Settings`.

    Raises:
        InputError: for an address, a file or a sandbox that cannot work.
    """
    settings = {name: value for name, value in given.items() if name not in ("cache", "no_code")}
    if given.get("cache"):
        settings["response_cache"] = True
    if given.get("no_code"):
        settings["write_code"] = False
    if (url := given.get("base_url")) is not None:
        check_address(url)
        if model is None:
            raise InputError(
                "--base-url needs a model.", hint="Give --model with the name that the server knows it by."
            )
    if (prices := given.get("prices")) is not None:
        settings["prices"] = _price_file(prices)
    if (sandbox := given.get("sandbox")) is not None:
        _check_sandbox(sandbox)
    return settings


def check_words(model: Mapping[str, str] | None, settings: Settings) -> None:
    """
    Raises:
        InputError: for a word that names no model, or one whose package is not installed.
    """
    from automl_agent.llm.models import make_model

    for word in dict.fromkeys((model or {}).values()):
        try:
            make_model(word, settings)
        except InputError:
            raise
        except Exception:
            continue  # for want of a key, say: the run tells it, and works by its rules


def check_address(url: str) -> None:
    """
    Raises:
        InputError: when it is no address of a server, or holds a password, which the run's manifest would keep.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        parts, usable = urlsplit(""), False
    if not usable:
        raise InputError(f"--base-url {url} is not an address.", hint="It looks like http://127.0.0.1:8000/v1.")
    if parts.username is not None or parts.password is not None or parts.query:
        raise InputError("--base-url must hold no user, password or query: it is kept with the run.",
                         hint="Give a key in the variable OPENAI_API_KEY.")  # fmt: skip


def _price_file(text: str) -> str:
    """The file's absolute path: a resume may come from another folder."""
    from automl_agent.llm.prices import price_table

    path = str(Path(text).expanduser().absolute())
    price_table(path)
    return path


def _check_sandbox(text: str) -> None:
    from automl_agent.execution.sandbox.opening import open_sandbox

    with suppress(SandboxError):  # a required one that is not to be had here: then no code is written
        open_sandbox(text)
