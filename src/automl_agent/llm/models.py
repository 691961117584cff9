"""Which language model speaks for which role: a word or an object, checked in one place, never contacted here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from automl_agent.errors import ConfigurationError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Model = Union[str, "BaseChatModel"]
DEFAULT = "default"


@dataclass(frozen=True)
class ModelBook:
    """The caller's models by role. Empty: every agent works by its rules."""

    by_role: Mapping[str, Model]

    def get(self, role: str) -> Model | None:
        """The model given for a role, or the default one; `None` when the caller gave neither."""
        return self.by_role.get(role, self.by_role.get(DEFAULT))


def model_book(model: Model | Mapping[str, Model] | None) -> ModelBook:
    """Take a word such as `"openai:gpt-5"`, a LangChain chat model, or one of these per role with a `"default"`.

    Raises:
        ConfigurationError: for anything else.
    """
    if model is None:
        return ModelBook({})
    given = dict(model) if isinstance(model, Mapping) else {DEFAULT: model}
    for role, value in given.items():
        if not isinstance(value, str) and not hasattr(value, "invoke"):
            raise ConfigurationError(
                f"The model of {role!r} must be a word like 'openai:gpt-5' or a LangChain chat model, not {value!r}."
            )
    return ModelBook(given)
