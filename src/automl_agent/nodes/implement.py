"""Stage 10: one search over the candidates of all plans, and the solution built from what it found."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from importlib import import_module
from threading import Event, Lock, Thread
from typing import Any

from automl_agent.agents.operation import build_best
from automl_agent.nodes.make_plans import current_plans
from automl_agent.nodes.publishing import announce, publish_single
from automl_agent.nodes.stage import Stage
from automl_agent.nodes.state import State
from automl_agent.records import Params, Shortlist, Trial
from automl_agent.search.compose import limit_share
from automl_agent.search.engine import Search
from automl_agent.search.runner import TrialRunner, Work, ranked

KEPT = 20
"""Trials at full fidelity that the ensemble chooses from, and that stay in the state."""
PUBLISH_EVERY = 4.0
"""Seconds between two bundles of the best so far."""
PUBLISH_SHARE = 6
"""A bundle is built only where so many times of what the last one took are left."""


def implement(state: State, stage: Stage) -> dict[str, Any]:
    task, profile = state["task"], state["profile"]
    assert task is not None and profile is not None
    revision = state.get("revision", 0)
    runner = stage.runner(task, profile, revision=revision, limit=state["quota"]["implement"])
    known = [trial for trial in state.get("full", {}).values() if trial.plan]
    trivial = [trial for trial in state.get("full", {}).values() if not trial.plan]
    until = stage.until(state["phases"]["implement"])
    Thread(target=import_module, args=("optuna",), daemon=True).start()  # takes a second, and is needed later
    publisher = _Publisher(stage, runner, state["out"], until)
    search = Search(runner, until=until, on_better=publisher, spaces=_spaces(state), late=_late(state))
    try:
        finished = search.run(_probes(state), known)
        publisher.wait()
    finally:
        publisher.close()
    progress = publisher.progress
    runner.pool.cancel()  # nothing may run beside the measurements that follow
    pool = _pool(runner, finished, search.tried, trivial)
    artifact, folder = stage.artifacts.create(stage.run_id, f"solution-{revision}")
    built = build_best(runner, pool, stage.run_id, folder, artifact, until=search.built)
    solution = built.solution.model_copy(update={"trials_run": runner.count + sum(state.get("counts", {}).values())})
    announce(stage, built.folder, state["out"], task.metric, built.solution.score, "ensemble")
    progress[f"{stage.clock.spent():.2f}"] = built.solution.score
    update: dict[str, Any] = {
        "solution": solution,
        "full": {trial.id: trial for trial in pool if trial.plan and trial.fidelity == search.whole},
        "progress": progress,
        "counts": {f"implement-{revision}": runner.count},
        "reused": {f"implement-{revision}": runner.reused},
    }
    if any(member.rows for member in built.solution.members):
        update["warnings"] = {"sample": _sample(search)}
    return update


def _sample(search: Search) -> str:
    """Why models were trained on some of the rows only."""
    if search.outgrown:
        helps = "More memory (--max-memory), or fewer workers (--cpus), help."
        return f"Memory was too small to train on all rows: the models were trained on a sample. {helps}"
    return "There was no time to train on all rows: the models were trained on a sample. A larger budget helps."


def _pool(runner: TrialRunner, full: list[Trial], probes: list[Trial], baseline: list[Trial]) -> list[Trial]:
    """What the solution is composed from: trials on all rows, or where time ran out those of the lowest rung."""
    for trials in (full, [trial for trial in probes if trial.score is not None]):
        if trials:
            order = ranked(runner.family, runner.task.metric, list({trial.id: trial for trial in trials}.values()))
            inside = [trial for trial in order if limit_share(trial, runner.task.constraints) <= 1.0]
            leaders: dict[str, Trial] = {}
            for trial in (*inside, *order):  # many tuned trials of one candidate must not keep out what is different
                leaders.setdefault(trial.candidate, trial)
            kept = {trial.id for trial in list({t.id: t for t in (*leaders.values(), *inside, *order)}.values())[:KEPT]}
            return [trial for trial in order if trial.id in kept]
    return baseline


def _spaces(state: State) -> dict[str, dict[str, Params]]:
    """Where the agents of this round said that tuning should search; the first word on a candidate counts."""
    plans = {plan.id for plan in current_plans(state)}
    spaces: dict[str, dict[str, Params]] = {}
    for result in state.get("results", {}).values():
        if result.plan in plans and isinstance(result.output, Shortlist):
            spaces = {**result.output.spaces, **spaces}
    return spaces


def _late(state: State) -> list[Work]:
    """What the plans of this round and their agents had no time to try."""
    plans = {plan.id for plan in current_plans(state)}
    shortlists = [(result.plan, result.output) for result in state.get("results", {}).values()
                  if result.plan in plans and isinstance(result.output, Shortlist)]  # fmt: skip
    works = [Work(choice, (), plan, "agent_model") for plan, shortlist in shortlists for choice in shortlist.late]
    tried = [trial for key, trial in state.get("trials", {}).items() if key.split("/", 1)[0] in plans and trial.late]
    return works + [Work.of(trial) for trial in tried]


def _probes(state: State) -> list[Trial]:
    """Scored trials of the plans that passed; of all plans of this round when none did."""
    verdicts = state.get("verdicts", {})
    plans = current_plans(state)
    passed = {plan.id for plan in plans if verdicts.get(plan.id) is not None and verdicts[plan.id].passed}
    chosen = passed or {plan.id for plan in plans}
    return [trial for key, trial in state.get("trials", {}).items() if key.split("/", 1)[0] in chosen]


class _Publisher:
    """Puts the best single model so far in place, every few seconds at most, while the search goes on; not shortly
    before `until`, when the solution is built."""

    def __init__(self, stage: Stage, runner: TrialRunner, out: str, until: float) -> None:
        self.progress: dict[str, float] = {}
        """The best score so far, by seconds of the run's clock."""
        self._stage, self._runner, self._out, self._until = stage, runner, out, until
        self._last, self._took = time.monotonic() - PUBLISH_EVERY, 1.0
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="automl-publish")
        self._lock, self._over = Lock(), Event()
        self._best: Trial | None = None
        """What waits to be put in place."""
        self._running: Future[None] | None = None

    def __call__(self, trial: Trial) -> None:
        self.progress[f"{self._stage.clock.spent():.2f}"] = trial.score or 0.0
        with self._lock:
            self._best = trial
            if self._running is not None and not self._running.done():
                return
            if self._running is not None:
                self._running.result()
            here = copy_context()  # events are written where LangGraph knows which run this is
            self._running = self._threads.submit(here.run, self._publish)

    def wait(self) -> None:
        """Until nothing is being published, and what waits is left to the solution; raises what went wrong."""
        self._over.set()
        running = self._running
        if running is not None:
            running.result()

    def close(self) -> None:
        self._over.set()
        self._threads.shutdown()

    def _publish(self) -> None:
        while True:
            pause = self._last + PUBLISH_EVERY - time.monotonic()
            if pause > 0 and self._over.wait(pause):
                return
            started = time.monotonic()
            with self._lock:
                trial, self._best = self._best, None
                if trial is None or self._until - started <= PUBLISH_SHARE * self._took:
                    self._running = None
                    return
            publish_single(self._stage, self._runner, trial, self._out, "best")
            self._last = time.monotonic()
            self._took = self._last - started
