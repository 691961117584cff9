"""The state of the graph: small facts and artifact ids, merged by key so that a re-run step changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from typing_extensions import TypedDict  # pydantic makes no JSON schema of typing.TypedDict before Python 3.12

from automl_agent.frames import stored_data
from automl_agent.records import (
    Bundle,
    DataProfile,
    Evidence,
    Grade,
    Note,
    Plan,
    Question,
    Report,
    Request,
    Solution,
    Submission,
    SubTask,
    TaskResult,
    TaskSpec,
    Trial,
    Verdict,
)

T = TypeVar("T")


def by_key(old: dict[str, T] | None, new: dict[str, T] | None) -> dict[str, T]:
    """Merge by key: idempotent. `None` empties, for a new request in an old thread."""
    return {} if new is None else {**(old or {}), **new}


def as_request(_old: Request | str | None, new: Request | str | Mapping[str, Any] | None) -> Request:
    """Take a request as a sentence, a mapping or a record."""
    if isinstance(new, Request):
        return new
    if isinstance(new, Mapping):
        return Request.model_validate(new)
    return Request(words=new or "")


def as_paths(old: list[str] | None, new: Any) -> list[str]:
    """Take data as a path, a data frame, or several of these; frames are stored and become paths."""
    return old or [] if new is None else list(stored_data(new))


class Input(TypedDict, total=False):
    """What the caller hands in."""

    request: Annotated[Request, as_request]
    """A sentence, or a `Request`."""
    data: Annotated[list[str], as_paths]
    """Paths or data frames; may stand in the request too. With a checkpointer frames must: it saves raw input."""


class Output(TypedDict, total=False):
    """What the caller gets back."""

    report: Report | None
    bundle: Bundle | None


class State(TypedDict, total=False):
    """Everything that the stages share."""

    request: Annotated[Request, as_request]
    data: Annotated[list[str], as_paths]
    run_id: str
    out: str
    """Folder of the result."""
    plan_only: bool
    room: bool
    """Whether another round of planning is allowed and has time."""
    approved: bool
    task: TaskSpec | None
    question: Question | None
    profile: DataProfile | None
    baseline: Annotated[dict[str, Trial], by_key]
    """The trivial baseline at each fidelity: `probe` and `full`."""
    baseline_bundle: str
    """Artifact id of the baseline's bundle."""
    notes: list[Note]
    plans: Annotated[dict[str, Plan], by_key]
    results: Annotated[dict[str, TaskResult], by_key]
    """Keyed `plan/role`."""
    trials: Annotated[dict[str, Trial], by_key]
    """Trials of the lowest rung that plans were judged by, keyed `plan/trial`."""
    full: Annotated[dict[str, Trial], by_key]
    """Trials at full fidelity."""
    verdicts: Annotated[dict[str, Verdict], by_key]
    """Keyed by subject: `request`, plan ids, `solution-REVISION`, `grade`."""
    evidence: Annotated[dict[str, Evidence], by_key]
    revision: int
    phases: dict[str, float]
    """Ends of the phases of this round (`agents`, `try_plans`, `implement`), in seconds of the run's clock."""
    quota: dict[str, int | None]
    """Trials that each agent, each plan and the implementation may run in this round."""
    counts: Annotated[dict[str, int], by_key]
    """Trials run, by who ran them."""
    reused: Annotated[dict[str, int], by_key]
    """How many of these an earlier run had trained."""
    solution: Solution | None
    grade: Grade | None
    bundle: Bundle | None
    submission: Submission | None
    report: Report | None
    """Set last of all: its presence is what 'finished' means."""
    progress: Annotated[dict[str, float], by_key]
    """Best score so far (cross-fitted for ensembles), keyed by seconds since the start."""
    delivery: str
    """Artifact id of what was measured at delivery: `importance.json`, `learning_curve.json`."""
    seconds: Annotated[dict[str, float], by_key]
    """Seconds of each stage; a stage that runs again counts under `STAGE#n`."""
    warnings: Annotated[dict[str, str], by_key]


class AgentInput(TypedDict):
    """What one `Send` hands to a sub-task agent."""

    subtask: SubTask
    run_id: str
    request: Annotated[Request, as_request]
    task: TaskSpec | None
    profile: DataProfile | None
    until: float
    """Seconds of the run's clock by which the agent shall be done."""
    limit: int | None
    """Trials that it may run."""


class PlanInput(TypedDict):
    """What one `Send` hands to the trial of a plan."""

    plan: Plan
    work: list[TaskResult]
    """What the sub-task agents made of it."""
    run_id: str
    request: Annotated[Request, as_request]
    task: TaskSpec | None
    profile: DataProfile | None
    until: float
    limit: int | None
