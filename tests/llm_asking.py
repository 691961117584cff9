"""How the tests of the language-model client ask: a run's client with its events, and a schema to ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from automl_agent.events import Event, ModelCalled, Remark
from automl_agent.execution.ledger import Ledger
from automl_agent.llm.client import Client
from automl_agent.llm.models import Model, model_book
from automl_agent.llm.prompt import Prompt
from automl_agent.records import ModelCall
from automl_agent.settings import Settings

PROMPT = Prompt(system="You choose models.", user="Which one for this table?")


class Pick(BaseModel):
    """A choice of a model."""

    kind: Literal["tree", "line"] = Field(description="family of the model")
    count: int = Field(ge=1, le=9, description="how many of them")


PICK = {"kind": "tree", "count": 3}
PICKED = Pick(kind="tree", count=3)


@dataclass
class Run:
    """A run that asks: its client, and what was told and recorded."""

    home: Path
    model: Model | Mapping[str, Model]
    settings: Settings
    run_id: str = "run"
    seconds_left: Callable[[], float] = lambda: 60.0
    events: list[Event] = field(default_factory=list)
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(
            model_book(self.model),
            self.settings,
            home=self.home,
            run_id=self.run_id,
            emit=self.events.append,
            seconds_left=self.seconds_left,
            stage="make_plans",
        )

    def ask(self, user: str = PROMPT.user, **options: Any):
        return self.client.ask("planner", Prompt(PROMPT.system, user), Pick, **options)

    def write(self, **options: Any):
        return self.client.write("coder", PROMPT, **options)

    @property
    def told(self) -> list[ModelCall]:
        return [event.call for event in self.events if isinstance(event, ModelCalled)]

    @property
    def remarks(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Remark)]

    @property
    def outcomes(self) -> list[str]:
        return [call.outcome for call in self.told]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.home)

    @property
    def costs(self) -> dict[str, float]:
        return self.ledger.costs(self.run_id)
