"""Typed progress events, as `graph.stream(..., stream_mode="custom")` yields them."""

from __future__ import annotations

from typing import Literal

from automl_agent.records import CodeModule, Inference, ModelCall, Plan, Record, Trial


class StageStarted(Record):
    kind: Literal["stage_started"] = "stage_started"
    stage: str
    title: str = ""


class StageFinished(Record):
    kind: Literal["stage_finished"] = "stage_finished"
    stage: str
    seconds: float


class Understood(Record):
    """What the request was understood to mean, once."""

    kind: Literal["understood"] = "understood"
    summary: str
    inferences: tuple[Inference, ...] = ()


class PlanMade(Record):
    kind: Literal["plan_made"] = "plan_made"
    plan: Plan


class TrialFinished(Record):
    kind: Literal["trial_finished"] = "trial_finished"
    trial: Trial
    count: int = 0
    """Trials finished so far in this run."""


class BestSoFar(Record):
    """A better model is in the bundle from now on."""

    kind: Literal["best_so_far"] = "best_so_far"
    metric: str
    score: float
    candidate: str
    bundle: str
    seconds: float
    """Since the start of the run."""


class ModelCalled(Record):
    """A language model was asked; the totals are those of the run so far."""

    kind: Literal["model_called"] = "model_called"
    call: ModelCall
    calls: int
    tokens: int
    usd: float


class CodeJudged(Record):
    """A module that a language model wrote was kept, dropped or given up."""

    kind: Literal["code_judged"] = "code_judged"
    module: CodeModule


class Remark(Record):
    """A line worth showing: a finding in the data, a warning, a decision."""

    kind: Literal["remark"] = "remark"
    text: str
    level: Literal["info", "warning"] = "info"


Event = (
    StageStarted | StageFinished | Understood | PlanMade | TrialFinished | BestSoFar | ModelCalled | CodeJudged | Remark
)
