"""The reviser with a language model: why it may have failed, what to aim at. The pass is decided by numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from automl_agent.agents.data_view import data_facts, veil_of
from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.with_model.answers import Sentences
from automl_agent.records import DataProfile, Evidence, TaskSpec


class RevisionAnswer(BaseModel):
    """What a failed round teaches."""

    reasons: Annotated[Sentences, Field(description="why the requirement may have been missed, one sentence each")]
    ideas: Annotated[Sentences, Field(description="what the next plans should try, one sentence each")]


def advised(
    evidence: Evidence, task: TaskSpec, profile: DataProfile, data: Path, model: LanguageModel, patience: float
) -> Evidence:
    """The rules' evidence with the model's reasons and ideas; as it is where the model has none."""
    veil = veil_of(data, model)
    answer = model.ask(
        "reviser",
        RevisionAnswer,
        patience=patience,
        data=data_facts(task, profile, data, veil),
        failed=[veil.hide_text(text) for text in evidence.failed],
        best=evidence.best,
        tried=evidence.tried,
        unused=evidence.ideas,
    ).value
    if answer is None:
        return evidence
    ideas = [veil.reveal_text(idea)[:300] for idea in answer.ideas if idea.strip()]
    reasons = [veil.reveal_text(reason)[:300] for reason in answer.reasons if reason.strip()]
    return evidence.model_copy(update={"ideas": (*evidence.ideas, *ideas), "reasons": tuple(reasons)})
