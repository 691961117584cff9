"""Settings of a run: plain scalars, so that a form can show them and a file can hold them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """How a run is done. What is to be done is in the `Request`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: float = Field(120.0, gt=0, description="Seconds from the start to the result.")
    trials: int | None = Field(None, ge=1, description="Bound on the number of trials, besides the time.")
    plans: int = Field(3, ge=1, le=8, description="Number of plans made in each round.")
    max_revisions: int = Field(2, ge=0, le=5, description="How often a missed requirement goes back to planning.")
    retrieval: bool = Field(True, description="Let plans rest on notes of the knowledge base.")
    cpus: int | None = Field(None, ge=1, description="Worker processes; all cores of the machine by default.")
    seed: int = Field(0, ge=0, description="Seed of splits, models and search.")
    max_cost: float | None = Field(None, ge=0, description="US dollars for language-model calls.")
    plan_only: bool = Field(False, description="Stop after the plans are made; nothing is trained.")
    clarify: bool = Field(True, description="Ask (as an interrupt) when too little was said; needs a checkpointer.")
    home: str = Field(".automl-agent", description="Folder for trials, artifacts, checkpoints and the notes' index.")
    out: str | None = Field(None, description="Folder for the result; automl-runs/RUN_ID by default.")
    test_share: float = Field(0.2, gt=0, lt=0.9, description="Share of rows locked away for the test.")

    @property
    def home_path(self) -> Path:
        return Path(self.home).expanduser().resolve()
