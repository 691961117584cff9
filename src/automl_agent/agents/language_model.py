"""The language models of a run as agents use them: prompts from files, what may be seen, typed answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from automl_agent.agents.privacy import Veil
from automl_agent.llm.client import Client
from automl_agent.llm.outcome import Outcome
from automl_agent.llm.prompt import rendered

PROMPTS = Path(__file__).parent / "prompts"
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class LanguageModel:
    """Given to every agent of a run for which the caller named a model."""

    client: Client
    share_names: bool = True
    share_rows: int = 5
    write_code: bool = True
    """Whether agents may let it write features and models."""

    def speaks(self, role: str) -> bool:
        return self.client.speaks(role)

    @property
    def writes(self) -> bool:
        """Whether it can be asked for code."""
        return self.write_code and self.speaks("coder")

    def name(self, role: str) -> str:
        return self.client.name(role)

    def veil(self, columns: Sequence[str]) -> Veil:
        """What stands for the names of these columns (the target included, in the order of the file)."""
        return Veil(tuple(columns), self.share_names, self.share_rows)

    def ask(
        self, role: str, answer: type[M], *, plan: str = "", patience: float | None = None, **facts: Any
    ) -> Outcome[M]:
        """Ask with the prompt of the role; nothing that the model does raises.

        Args:
            role: Name of the prompt file, and of the role in the ledger.
            answer: Schema of the answer.
            patience: Seconds that the answer may take in all.
            facts: What the prompt names. Text that comes from data is fenced by the prompt's `data` filter.
        """
        return self.client.ask(role, rendered(PROMPTS, role, **facts), answer, plan=plan, patience=patience)

    def write(self, *, plan: str = "", patience: float | None = None, **facts: Any) -> Outcome[str]:
        """Ask the coder for one block of code."""
        return self.client.write("coder", rendered(PROMPTS, "coder", **facts), plan=plan, patience=patience)
