"""What every stage works with: the services given at build time, the settings of the run, its clock and its events."""

from __future__ import annotations

import functools
import inspect
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime

from automl_agent.agents.allowed import allowed_candidates
from automl_agent.agents.language_model import LanguageModel
from automl_agent.agents.team import Team
from automl_agent.errors import SandboxError, StorageError
from automl_agent.events import Event, Remark, StageFinished, StageStarted
from automl_agent.execution.artifacts import LocalArtifactStore, private_folder
from automl_agent.execution.ledger import Clock, Ledger
from automl_agent.execution.local import LocalExecutor
from automl_agent.execution.memory import Room, room
from automl_agent.execution.protocol import ArtifactStore, Executor, Pool
from automl_agent.execution.sandbox.opening import open_sandbox
from automl_agent.execution.stopping import stop_requested
from automl_agent.execution.storage import storage_error, trouble
from automl_agent.execution.trials import TrialStore
from automl_agent.knowledge.protocol import Retriever
from automl_agent.llm.client import Client
from automl_agent.nodes.state import State
from automl_agent.records import DataProfile, Request, TaskSpec
from automl_agent.search.runner import TrialRunner
from automl_agent.settings import Settings
from automl_agent.tasks.family import TaskFamily
from automl_agent.tasks.registry import get_family
from automl_agent.verifiers.base import Verifier

KILLED = (
    "The system killed workers of this run, as it does when memory is short: what they did was done again, with fewer"
    " workers at once. Fewer workers from the start (--cpus) help."
)


@dataclass(frozen=True)
class Services:
    """Live objects, given once to `build_graph` and shared by all runs of the graph. Never in the state."""

    team: Team
    verifiers: Mapping[str, Verifier]
    executor: Executor = field(default_factory=LocalExecutor)
    retriever: Retriever | None = None
    artifacts: ArtifactStore | None = None
    settings: Settings = field(default_factory=Settings)
    """Used where the caller's context is not ours (as in a parent graph) or missing."""


@dataclass
class Stage:
    """One stage of one run at work."""

    name: str
    services: Services
    settings: Settings
    request: Request
    run_id: str
    thread_id: str | None
    """Thread of the checkpointer; `None` without one, when nothing can be asked."""
    embedded: bool
    """Whether the graph runs inside another one."""
    write: Callable[[Any], None]
    strains: dict[str, str] = field(default_factory=dict)
    """What memory was too small for in this stage, as warnings."""
    out: str = ""
    """Folder of the result, once it is known."""
    used: Pool | None = None
    """The workers, where this stage used them."""

    def emit(self, event: Event) -> None:
        self.write(event)

    def remark(self, text: str, level: str = "info") -> None:
        self.emit(Remark.model_validate({"text": text, "level": level}))

    # ------------------------------------------------------------ time

    @property
    def budget(self) -> float:
        return self.request.budget or self.settings.budget

    @property
    def seed(self) -> int:
        return self.settings.seed if self.request.seed is None else self.request.seed

    @functools.cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.settings.home_path)

    @functools.cached_property
    def clock(self) -> Clock:
        return self.ledger.clock(self.run_id, self.budget)

    def left(self) -> float:
        """Seconds left for work; none once the run was asked to stop."""
        return 0.0 if stop_requested(self.run_id) else self.clock.remaining()

    def until(self, spent: float) -> float:
        """A moment of the run's clock as `time.monotonic()`."""
        return time.monotonic() + max(0.0, spent - self.clock.spent())

    # ------------------------------------------------------------ places

    @functools.cached_property
    def artifacts(self) -> ArtifactStore:
        return self.services.artifacts or LocalArtifactStore(self.settings.home_path)

    @property
    def private(self) -> Path:
        return private_folder(self.settings.home_path, self.run_id)

    def storage_error(self, error: BaseException) -> StorageError | None:
        """What an error comes to where a full or read-only disk, or a folder that went away, is behind it."""
        return storage_error(error, _places(self))

    def check_storage(self) -> None:
        """
        Raises:
            StorageError: when a place that this run writes to cannot be written to just now.
        """
        for place in _places(self):
            if found := trouble(place):
                raise found

    @functools.cached_property
    def trials(self) -> TrialStore:
        return TrialStore(self.settings.home_path)

    # ------------------------------------------------------------ language models

    @functools.cached_property
    def language_model(self) -> LanguageModel | None:
        """What the agents of this stage ask; `None` where the caller gave no model."""
        book, settings = self.services.team.models, self.settings
        if not book.by_role:
            return None
        if self.request.max_cost is not None:
            settings = settings.model_copy(update={"max_cost": self.request.max_cost})
        client = Client(
            book,
            settings,
            home=settings.home_path,
            run_id=self.run_id,
            emit=self.emit,
            seconds_left=self.left,
            stage=self.name,
        )
        code = settings.write_code and client.speaks("coder") and not self.sandbox_problem
        return LanguageModel(client, settings.share_names, settings.share_rows, write_code=code)

    @property
    def model_troubles(self) -> dict[str, str]:
        """Where this stage had to do without a language model, as warnings."""
        model = self.__dict__.get("language_model")  # made only where it was wanted
        return dict(model.client.troubles) if model is not None else {}

    @functools.cached_property
    def sandbox_problem(self) -> str:
        """Why generated code cannot run as the settings require; empty when it can."""
        try:
            open_sandbox(self.settings.sandbox)
        except SandboxError as error:
            return str(error)
        return ""

    @property
    def memory_troubles(self) -> dict[str, str]:
        """Where memory was too small in this stage, as warnings."""
        found = {f"memory-{candidate}": text for candidate, text in self.strains.items()}
        if getattr(self.used, "killed", 0):  # what an executor of the user's own need not know
            found["memory-workers"] = KILLED
        return found

    def patience(self, share: float) -> float:
        """Seconds that a language model may take for one answer: a share of the budget, so that a slow one costs
        that much at most."""
        return share * self.budget

    # ------------------------------------------------------------ work

    @property
    def pool(self) -> Pool:
        self.used = self.services.executor.pool(self.run_id, self.room.workers)
        return self.used

    @property
    def room(self) -> Room:
        """The workers of the run, and the memory of each."""
        return room(self.settings.cpus or cores(), self.settings.max_memory)

    def family(self, task: TaskSpec) -> TaskFamily:
        return get_family(task.family)

    def allowed(self, task: TaskSpec, profile: DataProfile) -> tuple[str, ...]:
        return allowed_candidates(self.family(task), task, profile)[0]

    def runner(
        self,
        task: TaskSpec,
        profile: DataProfile,
        *,
        revision: int = 0,
        reserve: float = 0.0,
        limit: int | None = None,
    ) -> TrialRunner:
        """A runner of at most `limit` trials that stops exploring `reserve` seconds before the end of the run."""
        return TrialRunner(
            family=self.family(task),
            task=task,
            profile=profile,
            data=self.artifacts.path(profile.data),
            store=self.trials,
            pool=self.pool,
            seconds_left=lambda: self.left() - reserve,
            emit=self.emit,
            seed=self.seed,
            max_trials=limit,
            revision=revision,
            run_id=self.run_id,
            memory_mb=self.room.each_mb,
            strains=self.strains,
            sandbox=self.settings.sandbox,
        )


def _places(stage: Stage) -> tuple[Path, ...]:
    """Folders that a run writes to."""
    home, temporary = stage.settings.home_path, Path(tempfile.gettempdir())
    return (home, Path(stage.out), temporary) if stage.out else (home, temporary)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def staged(
    function: Callable[[Any, Stage], Mapping[str, Any] | None], services: Services, name: str, title: str
) -> Callable[..., Any]:
    """Bind a stage function to the services: LangGraph sees a node with the function's own input type.

    Around it: the events of start and finish, the seconds of the stage, a tick of the run's clock, and one clear error
    where a disk is full, read-only or gone.
    """

    def node(state: State, runtime: Runtime[Settings]) -> Mapping[str, Any]:
        stage = _stage(state, runtime, services, name)
        try:
            return _done(state, stage)
        except GraphBubbleUp:
            raise
        except Exception as error:
            found = stage.storage_error(error)
            if found is None or found is error:
                raise
            raise found from error

    def _done(state: State, stage: Stage) -> Mapping[str, Any]:
        started = time.perf_counter()
        stage.emit(StageStarted(stage=name, title=title))
        update = function(state, stage) or {}
        seconds = round(time.perf_counter() - started, 3)
        stage.emit(StageFinished(stage=name, seconds=seconds))
        run_id = update.get("run_id", stage.run_id)
        if run_id:
            services_clock(stage, run_id).tick()
        if "report" in update or name == "begin":
            return update
        troubles = {**stage.model_troubles, **stage.memory_troubles}
        warnings = {**troubles, **(update.get("warnings") or {})} if troubles else update.get("warnings")
        kept = {**update, "seconds": {_label(name, state): seconds}}
        return {**kept, "warnings": warnings} if warnings else kept

    first = next(iter(inspect.signature(function, eval_str=True).parameters.values()))
    node.__annotations__["state"] = first.annotation
    node.__name__ = name
    return node


def services_clock(stage: Stage, run_id: str) -> Clock:
    """The clock of a run that may just have got its id."""
    return stage.ledger.clock(run_id, stage.budget)


def settings_of(runtime: Runtime[Settings], default: Settings) -> Settings:
    """The caller's settings, or ours where there are none: a graph inside another one is given the parent's context."""
    return runtime.context if isinstance(runtime.context, Settings) else default


def _stage(state: State, runtime: Runtime[Settings], services: Services, name: str) -> Stage:
    configurable = get_config().get("configurable", {})
    thread = runtime.execution_info.thread_id if runtime.execution_info is not None else None
    return Stage(
        name=name,
        services=services,
        settings=settings_of(runtime, services.settings),
        request=state.get("request") or Request(words=""),
        run_id=state.get("run_id", ""),
        thread_id=str(thread) if thread else None,
        embedded="|" in str(configurable.get("checkpoint_ns", "")),
        write=runtime.stream_writer,
        out=state.get("out", ""),
    )


def _label(name: str, state: Any) -> str:
    """Key under which these seconds are kept: parallel and repeated executions do not overwrite each other."""
    if "subtask" in state:
        return f"{name}#{state['subtask'].plan.id}"
    if "plan" in state:
        return f"{name}#{state['plan'].id}"
    revision = state.get("revision", 0)
    return f"{name}#{revision}" if revision else name
