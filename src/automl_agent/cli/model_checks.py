"""What `automl-agent doctor` says of language models: whether they answer, and what they can do."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from automl_agent.cli.findings import Finding
from automl_agent.cli.models import model_settings, model_words
from automl_agent.settings import Settings

if TYPE_CHECKING:
    from automl_agent.llm.doctor import ModelReport

KEYS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GOOGLE_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "TOGETHER_API_KEY",
    "FIREWORKS_API_KEY",
)
"""Where the packages of providers look for their keys."""


def model_checks(args: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Finding]]]:
    """Two checks for each model that was named, each asked once; one without any.

    Raises:
        InputError: for options that cannot work.
    """
    words = model_words(args.model)
    given = {"base_url": args.base_url} if args.base_url is not None else {}
    settings = Settings(**model_settings(given, words))
    if words is None:
        yield "model", _rules
    for word in dict.fromkeys((words or {}).values()):
        ask = functools.cache(functools.partial(_probed, word, settings))
        yield "model", functools.partial(_reachable, ask)
        yield "model can", functools.partial(_abilities, ask)


def _probed(word: str, settings: Settings) -> ModelReport:
    from automl_agent.llm.doctor import probe

    return probe(word, settings)


def _rules() -> Finding:
    keys = [name for name in KEYS if os.environ.get(name)]
    known = f"set here: {', '.join(keys)}" if keys else "no provider's key is set here"
    return Finding("model", "note", f"none given, so agents work by rules; {known}", "Try one: --model openai:gpt-5")


def _reachable(ask: Callable[[], ModelReport]) -> Finding:
    report = ask()
    if not report.reachable:
        return Finding("model", "problem", f"{report.model} cannot be used: {report.detail}")
    return Finding("model", "ok", f"{report.model} answers, in {report.seconds:.1f} s")


def _abilities(ask: Callable[[], ModelReport]) -> Finding:
    report = ask()
    if not report.reachable:
        return Finding("model can", "note", "not tried")
    abilities = {
        "structured output": report.json_schema,
        "tools": report.function_calling,
        "streaming": report.streaming,
        "usage": report.usage,
    }
    able, lacking = ([name for name, can in abilities.items() if can is wanted] for wanted in (True, False))
    text = ", ".join(able) or "plain answers only"
    if not lacking:
        return Finding("model can", "ok", text)
    remedies = [] if report.json_schema or report.function_calling else ["JSON is asked for in words"]
    remedies += [] if report.usage else ["limits count the most that a call may use"]
    return Finding("model can", "note", f"{text}; not {', '.join(lacking)}", "; ".join(remedies))
