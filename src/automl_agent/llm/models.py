"""Which language model speaks for which role: a word or an object, checked in one place, made on first use."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from automl_agent.errors import ConfigurationError, InputError
from automl_agent.llm.roles import DEFAULT, ROLES
from automl_agent.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Model = Union[str, "BaseChatModel"]

_EXTRAS = {"anthropic": "anthropic", "ollama": "ollama", "google_genai": "google"}
"""Providers whose package is an extra of ours."""
_PLACEHOLDER_KEY = "not-needed"
"""Servers of one's own rarely ask for a key, but the client wants one."""

_HINT = (
    "Write PROVIDER:NAME, as in openai:gpt-5, anthropic:claude-sonnet-4-5 or ollama:qwen2.5-coder; "
    "with the address of a server (base_url) its name for the model is enough."
)


@dataclass(frozen=True)
class ModelBook:
    """The caller's models by role. Empty: every agent works by its rules."""

    by_role: Mapping[str, Model]
    _made: dict[tuple[object, ...], BaseChatModel] = field(default_factory=dict, init=False, repr=False, compare=False)
    _making: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def get(self, role: str) -> Model | None:
        """The model given for a role, or the default one; `None` when the caller gave neither."""
        return self.by_role.get(role, self.by_role.get(DEFAULT))

    def resolve(self, role: str, settings: Settings) -> BaseChatModel:
        """The chat model of a role. A word is made into one once; nothing is contacted.

        Raises:
            InputError: when the word is not understood, or its package is not installed.
            Exception: what the provider's client raises, for want of a key for one.
        """
        model = self.get(role)
        if model is None:
            raise ConfigurationError(f"No model was given for {role!r}.")
        if not isinstance(model, str):
            return model
        key = (model, *(getattr(settings, name) for name in _MODEL_SETTINGS))
        with self._making:
            if key not in self._made:
                self._made[key] = make_model(model, settings)
            return self._made[key]


def model_book(model: Model | Mapping[str, Model] | None) -> ModelBook:
    """Take a word such as `"openai:gpt-5"`, a LangChain chat model, or one of these per role with a `"default"`.

    Raises:
        ConfigurationError: for anything else.
    """
    if model is None:
        return ModelBook({})
    given = dict(model) if isinstance(model, Mapping) else {DEFAULT: model}
    unknown = sorted(set(given) - {*ROLES, DEFAULT})
    if unknown:
        raise ConfigurationError(f"There is no role {unknown[0]!r} for a model; roles: {', '.join((*ROLES, DEFAULT))}.")
    for role, value in given.items():
        if not isinstance(value, str) and not hasattr(value, "invoke"):
            raise ConfigurationError(
                f"The model of {role!r} must be a word like 'openai:gpt-5' or a LangChain chat model, "
                f"not {type(value).__name__}."
            )
    return ModelBook(given)


_MODEL_SETTINGS = ("base_url", "temperature", "seed", "call_timeout", "max_output_tokens")
"""What a model made from a word depends on."""


def make_model(word: str, settings: Settings) -> BaseChatModel:
    """A LangChain chat model for a word, by LangChain's own names of providers.

    With a `base_url` a word without provider is a model of that OpenAI-compatible server. Our client retries, so the
    model does not.

    Raises:
        InputError: when the word is not understood, or its package is not installed.
    """
    from langchain.chat_models import init_chat_model

    provider, name = provider_and_name(word, settings.base_url)
    if not name:
        raise InputError(f"The model {word!r} is not understood.", hint=_HINT)
    options: dict[str, Any] = {"timeout": settings.call_timeout, "max_retries": 0}
    if settings.temperature is not None:
        options["temperature"] = settings.temperature
    if provider == "openai" and settings.base_url:
        options |= {"base_url": settings.base_url, **_key_of_own_server()}
    if provider == "ollama":
        options = {**options, "client_kwargs": {"timeout": settings.call_timeout}}
        del options["timeout"], options["max_retries"]
    try:
        model: BaseChatModel = init_chat_model(name, model_provider=provider or None, **options)
    except ImportError as error:
        package = f"automl-agent[{_EXTRAS[provider]}]" if provider in _EXTRAS else _package(error)
        raise InputError(f"The model {word!r} needs a package.", hint=f"pip install '{package}'") from error
    except ValueError as error:
        if "infer model provider" not in str(error) and "Unsupported provider" not in str(error):
            raise
        raise InputError(f"The model {word!r} is not understood.", hint=_HINT) from error
    return _fitted(model, settings)


def provider_and_name(word: str, base_url: str | None) -> tuple[str, str]:
    """The two parts of a word; the provider is empty where LangChain must guess it from the name."""
    prefix, colon, rest = word.partition(":")
    if base_url:  # names of a server's models hold colons too: qwen2.5-coder:1.5b
        return (prefix, rest) if colon and prefix in {"openai", *_EXTRAS} else ("openai", word)
    return (prefix.replace("-", "_"), rest) if colon and prefix else ("", word)


def _key_of_own_server() -> dict[str, str]:
    import os

    return {} if os.environ.get("OPENAI_API_KEY") else {"api_key": _PLACEHOLDER_KEY}


def _package(error: ImportError) -> str:
    """The package that LangChain names in its own message."""
    _, _, rest = str(error).partition("pip install ")
    return rest.split("`")[0].strip() or "langchain"


def _fitted(model: BaseChatModel, settings: Settings) -> BaseChatModel:
    """Set what only some providers take."""
    fields = type(model).model_fields
    changes: dict[str, Any] = {}
    if "seed" in fields and not getattr(model, "use_responses_api", None):  # that interface has no seed
        changes["seed"] = settings.seed
    if (bound := output_field(model)) is not None:
        changes[bound] = settings.max_output_tokens
    return model.model_copy(update=changes)


def output_field(model: object) -> str | None:
    """Where a chat model of LangChain keeps the number of tokens that an answer may have; `None` if nowhere."""
    fields = getattr(type(model), "model_fields", {})
    return next((name for name in ("max_tokens", "num_predict", "max_output_tokens") if name in fields), None)


@dataclass(frozen=True)
class ModelFacts:
    """A model, for people. It holds no key: the `repr` of a chat model may."""

    provider: str
    name: str
    base_url: str = ""

    def __str__(self) -> str:
        words = f"{self.provider}:{self.name}" if self.provider else self.name
        return f"{words} at {self.base_url}" if self.base_url else words


def describe(model: Model, base_url: str | None = None) -> ModelFacts:
    """Provider, name and address of a word or an object; nothing is imported or contacted.

    Args:
        base_url: Of the settings; for words.
    """
    if isinstance(model, str):
        provider, name = provider_and_name(model, base_url)
        return ModelFacts(provider, name, _address(base_url) if provider == "openai" else "")
    model = getattr(model, "bound", model)  # of `model.bind(...)` and `model.with_config(...)`
    names = (getattr(model, name, None) for name in ("model_name", "model", "model_id", "deployment_name"))
    urls = (getattr(model, name, None) for name in ("openai_api_base", "anthropic_api_url", "base_url", "endpoint"))
    kind = str(getattr(model, "_llm_type", ""))
    return ModelFacts(
        provider=kind.removesuffix("-chat").removeprefix("chat-"),
        name=next((name for name in names if isinstance(name, str) and name), type(model).__name__),
        base_url=next((_address(url) for url in urls if isinstance(url, str) and url), ""),
    )


def _address(url: str | None) -> str:
    """An address without user, password and query."""
    from urllib.parse import urlsplit, urlunsplit

    if not url:
        return ""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
