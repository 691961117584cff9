"""Settings of a run: plain scalars, so that a form can show them and a file can hold them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


def default_home() -> Path:
    """`AUTOML_AGENT_HOME`, or `.automl-agent` in the current folder."""
    return Path(os.environ.get("AUTOML_AGENT_HOME", ".automl-agent")).expanduser().resolve()


class Settings(BaseModel):
    """How a run is done. What is to be done is in the `Request`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: float = Field(default=120.0, gt=0, description="Seconds from the start to the result.")
    trials: int | None = Field(default=None, ge=1, description="Bound on the number of trials, besides the time.")
    plans: int = Field(default=3, ge=1, le=8, description="Number of plans made in each round.")
    max_revisions: int = Field(default=2, ge=0, le=5, description="How often what was missed goes back to planning.")
    retrieval: bool = Field(default=True, description="Let plans rest on notes of the knowledge base.")
    cpus: int | None = Field(default=None, ge=1, description="Worker processes; all cores of the machine by default.")
    seed: int = Field(default=0, ge=0, description="Seed of splits, models and search.")
    max_cost: float | None = Field(default=None, ge=0, description="US dollars for language-model calls.")
    plan_only: bool = Field(default=False, description="Stop after the plans are made; nothing is trained.")
    clarify: bool = Field(default=True, description="Ask when too little was said; needs a checkpointer.")
    home: str | None = Field(
        default=None,
        description="Folder for trials, artifacts and checkpoints; AUTOML_AGENT_HOME or .automl-agent by default.",
    )
    out: str | None = Field(default=None, description="Folder for the result; automl-runs/RUN_ID by default.")
    test_share: float = Field(default=0.2, gt=0, lt=0.9, description="Share of rows locked away for the test.")

    @property
    def home_path(self) -> Path:
        return Path(self.home).expanduser().resolve() if self.home else default_home()
