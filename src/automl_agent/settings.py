"""Settings of a run: plain scalars, so that a form can show them and a file can hold them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LEAST_MEMORY = 1000.0
"""Megabytes without which a run cannot be done."""


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
    experience: Literal["on", "read", "off"] = Field(
        default="on", description="Learn from finished runs in this home: on, read (use it, add nothing), off."
    )
    notes: str | None = Field(
        default=None, min_length=1, description="Folder of a team's notes, besides the shipped ones."
    )
    knowledge_server: str | None = Field(
        default=None,
        min_length=1,
        description="Chroma server where a team shares notes: http(s)://host:port or host:port.",
    )
    sources: tuple[str, ...] = Field(
        default=(),
        description="Asked for notes on the network, too: arxiv, hf, kaggle, openml, or package.module:Class.",
    )
    cpus: int | None = Field(default=None, ge=1, description="Worker processes; all cores of the machine by default.")
    max_memory: float | None = Field(
        default=None, ge=LEAST_MEMORY, description="Megabytes for the run, of all its processes; 80 % of the machine's."
    )
    max_rows: int | None = Field(
        default=None, ge=100, description="Rows of a table to use at most; as many as have 5 million cells by default."
    )
    seed: int = Field(default=0, ge=0, description="Seed of splits, models and search.")
    max_cost: float | None = Field(default=None, ge=0, description="US dollars for language-model calls.")
    max_tokens: int | None = Field(default=None, ge=0, description="Tokens of language-model calls, in and out.")
    max_calls: int | None = Field(default=None, ge=0, description="Number of language-model calls.")
    prices: str | None = Field(default=None, description="JSON file with prices of models, besides the shipped ones.")
    base_url: str | None = Field(default=None, description="Address of an OpenAI-compatible server for model words.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="Of the language model; its own default.")
    call_timeout: float = Field(default=90.0, gt=0, description="Seconds for one answer of a model, retries included.")
    call_retries: int = Field(default=2, ge=0, le=10, description="Retries of a call that failed for the moment.")
    concurrency: int = Field(default=4, ge=1, description="Language-model calls at once.")
    max_output_tokens: int = Field(default=4096, ge=64, description="Tokens that one answer of a model may have.")
    response_cache: bool = Field(default=False, description="Answer repeated model calls from memory, across runs.")
    share_rows: int = Field(default=5, ge=0, le=5, description="Sample rows that a language model may see.")
    share_names: bool = Field(default=True, description="Whether a language model sees the names of columns.")
    write_code: bool = Field(default=True, description="Let a language model write features and models as code.")
    sandbox: str = Field(
        default="auto",
        description="Where generated code runs: auto, require (refuse a weak sandbox), off, or package.module:Class.",
    )
    max_download: float = Field(
        default=500.0, ge=0, description="Megabytes that links and named data may load; 0 switches fetching off."
    )
    download_timeout: float = Field(
        default=300.0, gt=0, description="Seconds that loading data may take; half of what is left at most."
    )
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
