"""Runs trials: turns a candidate with parameters into fold jobs, waits, and scores the out-of-fold predictions.

Finished folds lie in the trial store under a hash of code, parameters, data, fold and fidelity: nothing is run twice,
not by two plans, not after a kill, not by a revision, not by the next run on the same data; but for what had to make do
with less than its parameters ask for, where a later run has much more time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, RLock
from typing import Any

from automl_agent.errors import JobError
from automl_agent.events import Event, TrialFinished
from automl_agent.execution.protocol import Job, Pool
from automl_agent.execution.storage import storage_error
from automl_agent.execution.trials import TrialStore
from automl_agent.records import CandidateChoice, DataProfile, Fidelity, TaskSpec, Trial
from automl_agent.search.estimates import cross_fitted, tie_break
from automl_agent.tasks.candidate import read_candidate
from automl_agent.tasks.family import Candidate, TaskFamily

FIT_FOLD = "automl_agent.tasks.jobs:fit_fold"
FOLLOW = "automl_agent.tasks.jobs:follow"
FOLLOW_SECONDS = 20.0
"""Within which a model has taken the newest rows into its history."""


@dataclass(frozen=True)
class Work:
    """One trial to run."""

    choice: CandidateChoice
    steps: tuple[str, ...]
    plan: str
    origin: str

    @classmethod
    def of(cls, trial: Trial, origin: str = "") -> Work:
        """What a trial trained, to be run again or at another fidelity."""
        choice = CandidateChoice(candidate=trial.candidate, params=trial.params)
        return cls(choice, trial.steps, trial.plan, origin or trial.origin)


@dataclass
class _Running:
    work: Work
    candidate: Candidate
    trial: str
    folds: dict[int, dict[str, Any]] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    waiting: int = 0
    settled: dict[str, Any] = field(default_factory=dict)
    """Parameters that the first fold found out for the others."""
    anew: bool = False
    """Whether folds are fitted that an earlier run had fitted in a hurry."""
    cached: bool = True
    reused: bool = True
    """Whether all folds were there already, and other runs had fitted them."""
    error: str = ""


@dataclass
class _InFlight:
    """A fold that runs just now, perhaps for several plans that had the same idea."""

    future: Future[dict[str, Any]]
    waiting: int = 0


FEWEST_SECONDS = 0.5
"""That a fit may always plan with."""
LONGER = 2.0
"""Times the budget of an earlier run from which on what it fitted in a hurry is fitted anew."""
PASSING = ("TimeoutError", "OSError", "FileNotFoundError", "PermissionError")
"""Errors of a worker that say nothing about the candidate: they are not remembered."""
MEMORY = ("memory:", "killed:")
"""How the error of a trial begins that found too little memory."""
_FOLLOWED = -1
"""Stands for the fold in the key of a model that follows the newest rows."""

_in_flight: dict[str, _InFlight] = {}
"""By folder of the fold. Plans are tried in threads of one process: the same fold is not fitted twice at once."""
_lock = RLock()


@dataclass
class TrialRunner:
    """Everything a trial depends on, given once; thread-safe."""

    family: TaskFamily
    task: TaskSpec
    profile: DataProfile
    data: Path
    store: TrialStore
    pool: Pool
    seconds_left: Callable[[], float]
    """Seconds until the run must stop exploring; not positive once it was asked to stop."""
    emit: Callable[[Event], None]
    seed: int = 0
    max_trials: int | None = None
    revision: int = 0
    run_id: str = ""
    """Stored with what is trained here, to tell it from what earlier runs left."""
    count: int = 0
    reused: int = 0
    """How many of the counted trials earlier runs had trained."""
    memory_mb: float = 6000.0
    strains: dict[str, str] = field(default_factory=dict)
    """What memory was too small for, as warnings, by candidate."""
    sandbox: str = "auto"
    """`Settings.sandbox`: where candidates run that a language model wrote part of."""
    _lock: Lock = field(default_factory=Lock)

    @property
    def positive(self) -> int | None:
        """Code of the positive class."""
        classes = self.profile.classes
        return classes.index(self.profile.positive) if self.profile.positive in classes else None

    def candidate(self, name: str) -> Candidate:
        """A candidate of the family by name, or a user's own by the path of its file."""
        known = self.family.candidates()
        return known[name] if name in known else read_candidate(Path(name), self.family.shared)

    def fair(self, trials: int, fidelity: Fidelity, seconds: float) -> float:
        """Seconds that each fold's fit may plan with so that so many trials end within `seconds`: what plans with more
        is given up at the end, and nothing is left of it."""
        rounds = max(1, -(-trials * fidelity.folds // self.pool.size))
        return max(FEWEST_SECONDS, seconds / rounds)

    def run(
        self, works: Iterable[Work], fidelity: Fidelity, *, until: float, time_limit: float | None = None
    ) -> list[Trial]:
        """Run trials, their folds spread over the pool; returns them in the order given, failed ones included.

        Args:
            until: `time.monotonic()` at which whatever still runs is given up.
            time_limit: seconds that one fold's fit may plan with.
        """
        running = [self._start(work, fidelity) for work in self._admitted(list(works))]
        futures: dict[Future[dict[str, Any]], list[tuple[_Running, int]]] = {}

        def begin(item: _Running) -> None:
            for fold in self._ready(item, fidelity):
                left = until - time.monotonic()
                if left <= 0:
                    item.error = "out of time"
                    break
                futures.setdefault(self._submit(item, fold, fidelity, left, time_limit), []).append((item, fold))
                item.waiting += 1

        for item in running:
            begin(item)
        finished: dict[int, Trial] = {}
        for item in running:
            if item.waiting == 0:
                finished[id(item)] = self._finish(item, fidelity)
        try:
            self._await(running, futures, finished, fidelity, begin, until)
        except BaseException:
            self._give_up(futures)
            raise
        return [finished[id(item)] for item in running]

    def _await(
        self,
        running: Sequence[_Running],
        futures: dict[Future[dict[str, Any]], list[tuple[_Running, int]]],
        finished: dict[int, Trial],
        fidelity: Fidelity,
        begin: Callable[[_Running], None],
        until: float,
    ) -> None:
        """Collect what comes in, and begin what can be begun then, until all is finished or time is out."""
        while futures:
            left = min(until - time.monotonic(), self.seconds_left())
            done, _ = wait(futures, timeout=max(0.0, min(left, 0.5)), return_when=FIRST_COMPLETED)
            for future in done:
                for item, fold in futures.pop(future):
                    item.waiting -= 1
                    self._collect(item, fold, future)
                    if item.waiting == 0:
                        begin(item)
                    if item.waiting == 0:
                        finished[id(item)] = self._finish(item, fidelity)
            if not done and left <= 0:
                self._give_up(futures)
                for item in running:
                    if id(item) not in finished:
                        item.error = item.error or "out of time"
                        finished[id(item)] = self._finish(item, fidelity)
                break

    def predictions(self, trial: Trial) -> tuple[Any, Any, Any]:
        """Out-of-fold predictions of a finished trial: rows (positions), predictions, fold of each."""
        import numpy as np

        rows, predictions, folds = [], [], []
        for fold, folder in self.fold_folders(trial).items():
            valid = np.load(folder / "valid.npy", allow_pickle=False)
            rows.append(valid)
            predictions.append(np.load(folder / "oof.npy", allow_pickle=False))
            folds.append(np.full(len(valid), fold))
        return np.concatenate(rows), np.concatenate(predictions), np.concatenate(folds)

    def fold_folders(self, trial: Trial) -> dict[int, Path]:
        """Folders with the fitted model and predictions of each fold."""
        candidate = self.candidate(trial.candidate)
        work = Work.of(trial)
        return {
            fold: self.store.folder(self._key(work, candidate, trial.fidelity, fold))
            for fold in range(trial.fidelity.folds)
        }

    def whole(self, trials: Sequence[Trial], *, patience: float) -> tuple[dict[str, Path], dict[str, str]]:
        """Fit what was tried once more, on all training rows; returns the folders by trial, and why others have none.

        Args:
            patience: seconds after which what is not done is given up.
        """
        until = time.monotonic() + patience
        fold = self.profile.folds
        waiting: list[tuple[_Running, Future[dict[str, Any]]]] = []
        items = {trial.id: self._again(trial, fold) for trial in trials}
        rounds = -(-sum(fold not in item.folds for item, _ in items.values()) // self.pool.size)
        for item, fidelity in items.values():
            if fold not in item.folds:
                limit = max(1.0, patience / rounds)
                waiting.append((item, self._submit(item, fold, fidelity, max(1.0, patience), limit)))
        for item, future in waiting:
            wait([future], timeout=max(0.0, until - time.monotonic()))
            if future.done():
                self._collect(item, fold, future)
            else:
                self._give_up([future])
        failed = {
            name: (item.error.strip().splitlines() or ["there was no time"])[-1]
            for name, (item, _) in items.items()
            if fold not in item.folds or "error" in item.folds[fold]
        }
        return {n: self.store.folder(item.keys[fold]) for n, (item, _) in items.items() if n not in failed}, failed

    def followed(self, trials: Sequence[Trial]) -> dict[str, Path]:
        """The last fold's model of each trial, answering from the end of all training rows: of those that can."""
        waiting: dict[str, tuple[Path, Future[dict[str, Any]]]] = {}
        for trial in trials:
            candidate = self.candidate(trial.candidate)
            if candidate.generated:  # it is run in the sandbox only
                continue
            folders = self.fold_folders(trial)
            out = self.store.folder(self._key(Work.of(trial), candidate, trial.fidelity, _FOLLOWED))
            arguments = {"family": self.family.name, "data": str(self.data), "candidate": str(candidate.path),
                         "fold": self.profile.folds, "model": str(folders[max(folders)]), "out": str(out)}  # fmt: skip
            waiting[trial.id] = out, self.pool.submit(Job(FOLLOW, arguments, timeout=FOLLOW_SECONDS))
        found = {}
        for name, (out, future) in waiting.items():
            try:
                if future.result()["followed"]:
                    found[name] = out
            except JobError:  # the fold's model ships as it is
                continue
        return found

    def _again(self, trial: Trial, fold: int) -> tuple[_Running, Fidelity]:
        """One more fold of a trial."""
        candidate = self.candidate(trial.candidate)
        item = _Running(Work.of(trial), candidate, trial=trial.id)
        item.keys[fold] = self._key(item.work, candidate, trial.fidelity, fold)
        known = self.store.get(item.keys[fold])
        item.anew = known is not None and self._hurried(item.work, known)
        if known is not None and not item.anew:
            item.folds[fold] = known
            item.error = known.get("error", "")
        return item, trial.fidelity

    def _admitted(self, works: list[Work]) -> list[Work]:
        """Keep within the number of trials allowed."""
        with self._lock:
            if self.max_trials is not None:
                works = works[: max(0, self.max_trials - self.count)]
            self.count += len(works)
        return works

    def _key(self, work: Work, candidate: Candidate, fidelity: Fidelity, fold: int) -> str:
        return self.store.key(
            code=candidate.sha,
            params=work.choice.params,
            steps=list(work.steps),
            data=self.profile.fingerprint,
            metric=self.task.metric,
            seed=self.seed,
            rows=fidelity.rows,
            fold=fold,
        )

    def _start(self, work: Work, fidelity: Fidelity) -> _Running:
        candidate = self.candidate(work.choice.candidate)
        item = _Running(work, candidate, trial="")
        item.keys = {fold: self._key(work, candidate, fidelity, fold) for fold in range(fidelity.folds)}
        known = {fold: self.store.get(key) for fold, key in item.keys.items()}
        item.anew = any(found is not None and self._hurried(work, found) for found in known.values())
        for fold, found in known.items():
            if found is not None and not (item.anew and found.get("run") != self.run_id):
                self._take(item, fold, found)
                item.reused = item.reused and found.get("run") != self.run_id
        item.trial = self.store.key(keys=[item.keys[fold] for fold in sorted(item.keys)])[:16]
        return item

    def _hurried(self, work: Work, known: dict[str, Any]) -> bool:
        """Whether an earlier run, with much less time than this one, had to change what the parameters ask for, as the
        learning rate of boosted trees."""
        used, budget = known.get("params"), known.get("budget")
        if known.get("run") == self.run_id or not isinstance(used, dict) or not isinstance(budget, int | float):
            return False
        changed = any(name in used and used[name] != value for name, value in work.choice.params.items())
        return changed and self.profile.meta.get("budget", 0.0) >= LONGER * budget

    def _ready(self, item: _Running, fidelity: Fidelity) -> list[int]:
        """Folds that can be fitted now: all that are missing, or the first alone where the others take over what it
        finds out."""
        if item.error:
            return []
        missing = [fold for fold in range(fidelity.folds) if fold not in item.folds]
        return missing[:1] if item.candidate.settles and 0 in missing else missing

    def _submit(
        self, item: _Running, fold: int, fidelity: Fidelity, left: float, time_limit: float | None
    ) -> Future[dict[str, Any]]:
        item.cached = False
        arguments = {
            "family": self.family.name,
            "data": str(self.data),
            "candidate": str(item.candidate.path),
            "params": {**item.work.choice.params, **item.settled},
            "steps": list(item.work.steps),
            "metric": self.task.metric,
            "fold": fold,
            "rows": fidelity.rows,
            "seed": self.seed,
            "out": str(self.store.folder(item.keys[fold])),
            "time_limit": time_limit,
            "anew": item.anew,
        }
        if item.candidate.generated:
            arguments |= {"sandbox": self.sandbox, "seconds": left}
        out = str(arguments["out"])
        with _lock:
            known = _in_flight.get(out)
            if known is None or known.future.done():
                packages = item.candidate.requires
                job = Job(FIT_FOLD, arguments, timeout=left, memory_mb=self.memory_mb, imports=packages,
                          ahead=bool(item.folds))  # fmt: skip
                future = self.pool.submit(job)
                known = _in_flight[out] = _InFlight(future)
                future.add_done_callback(lambda done: _landed(out, done))
            known.waiting += 1
            return known.future

    def _give_up(self, futures: Iterable[Future[dict[str, Any]]]) -> None:
        """Cancel what nobody else waits for."""
        with _lock:
            waiting = {id(entry.future): entry for entry in _in_flight.values()}
            for future in futures:
                entry = waiting.get(id(future))
                if entry is not None:
                    entry.waiting -= 1
                if entry is None or entry.waiting <= 0:
                    future.cancel()

    def _collect(self, item: _Running, fold: int, future: Future[dict[str, Any]]) -> None:
        try:
            result = future.result()
        except JobError as error:
            if found := storage_error(error, (self.store.root, self.data)):
                raise found from error
            if error.kind == "memory":
                self._strained(item.candidate.name)
            if error.kind != "error" or str(error).startswith(PASSING):
                what = str(error).splitlines()[0] if error.kind == "killed" else error
                item.error = item.error or f"{error.kind}: {what}"  # may not happen again: not remembered
                return
            result = {"error": str(error) or "failed without a message", "kind": error.kind}
        own = {"run": self.run_id, "budget": self.profile.meta.get("budget")}
        self.store.put(item.keys[fold], result | own)
        self._take(item, fold, result)

    def _strained(self, name: str) -> None:
        self.strains[name] = (
            f"A training of {name} needed more than the {self.memory_mb:.0f} MB of memory that a worker may use, and"
            " was given up: the run went on with what needs less. More memory (--max-memory), or fewer workers"
            " (--cpus), help."
        )

    def _take(self, item: _Running, fold: int, result: dict[str, Any]) -> None:
        item.folds[fold] = result
        item.error = item.error or result.get("error", "")
        if fold == 0 and item.candidate.settles:
            item.settled = result.get("settled", {})

    def _finish(self, item: _Running, fidelity: Fidelity) -> Trial:
        results = [result for _, result in sorted(item.folds.items())]
        seconds = [float(result.get("fit_seconds", 0.0)) for result in results]
        choice = item.work.choice
        cached = item.cached and bool(item.folds)
        reused = cached and item.reused
        predicted = sum(int(r.get("rows", 0)) for r in results)
        with self._lock:
            self.reused += reused
        trial = Trial(
            id=item.trial,
            plan=item.work.plan,
            candidate=choice.candidate,
            params=choice.params,
            steps=item.work.steps,
            fidelity=fidelity,
            fit_seconds=round(sum(seconds), 4),
            fold_seconds=tuple(round(value, 4) for value in seconds),
            latency_ms=max((float(r["latency_ms"]) for r in results if "latency_ms" in r), default=None),
            predict_ms=round(1000 * sum(float(r.get("predict_seconds", 0.0)) for r in results) / max(1, predicted), 4),
            size_mb=max((float(r.get("size_mb", 0.0)) for r in results), default=0.0),
            memory_mb=max((float(r.get("memory_mb", 0.0)) for r in results), default=0.0),
            origin=item.work.origin,
            revision=self.revision,
            cached=cached,
            reused=reused,
            error=item.error.strip().splitlines()[-1][:300] if item.error.strip() else "",
        )
        if not trial.error and len(item.folds) == fidelity.folds:
            trial = trial.model_copy(update=self._scores(trial))
        self.emit(TrialFinished(trial=trial, count=self.count))
        return trial

    def _scores(self, trial: Trial) -> dict[str, Any]:
        import numpy as np

        rows, prediction, folds = self.predictions(trial)
        truth = self.family.training_truth(self.data)[rows]
        if not np.isfinite(prediction).all():
            return {"error": "predictions hold values that are not finite"}
        metric, positive = self.task.metric, self.positive
        score, threshold = cross_fitted(self.family, metric, truth, prediction, folds, positive)
        each = [
            self.family.score(metric, truth[folds == f], prediction[folds == f], positive=positive, threshold=threshold)
            for f in np.unique(folds)
        ]
        if not np.isfinite(score):
            return {"error": f"{metric} is not defined on these folds"}
        return {
            "score": float(score),
            "tie_break": tie_break(self.family, metric, truth, prediction, positive),
            "fold_scores": tuple(float(value) for value in each),
        }


def _landed(out: str, future: Future[dict[str, Any]]) -> None:
    with _lock:
        if out in _in_flight and _in_flight[out].future is future:  # a newer attempt may have taken its place
            del _in_flight[out]


def ranked(family: TaskFamily, metric: str, trials: Sequence[Trial]) -> list[Trial]:
    """Trials that have a score, best first. Only trials of equal fidelity may be given."""
    sign = -1.0 if family.metrics[metric].higher_is_better else 1.0
    return sorted(
        (t for t in trials if t.score is not None), key=lambda t: (sign * (t.score or 0.0), t.tie_break, t.id)
    )
