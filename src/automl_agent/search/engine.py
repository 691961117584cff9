"""The search of `implement`: promotes what the plans tried, tunes the best, until the time for it is used.

One component over the candidates of all plans: the plans compete for one budget and meet again in the ensemble.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import RLock

from automl_agent.records import Fidelity, Params, Trial
from automl_agent.search.budget import ROW_SECONDS
from automl_agent.search.compose import WHOLE, compose
from automl_agent.search.crossover import crossover
from automl_agent.search.promotion import PROMOTED, allowed, promising, queue, worth
from automl_agent.search.rungs import BESIDES, cost_of_folds, full_cost, full_fidelity, probe_fidelity
from automl_agent.search.runner import MEMORY, TrialRunner, Work, ranked
from automl_agent.search.tuning import Study, Tuner
from automl_agent.tasks.family import better

BLENDED = 4
"""Members that a blend is taken to have before it is composed."""
SOON = 0.1
"""Seconds until a worker that has nothing to do looks again."""
NOTABLE = 0.5
"""Seconds of fits from which on they tell something about the costs of others."""
FIRST, SHARE = 0.33, 0.6
"""Of the time left: what the first training on all rows may be expected to take, and what all that begin at once."""
LIMIT, LIMIT_TABLES = 0.3, 0.15
"""Of the time left, what the first fit may plan with, so that the other folds end in time, too: less for tables, where
more folds of several models bring more than more rounds of one."""
MODELS, FEWEST_FOLDS = 4, 2
"""Of the plans' candidates, the best that there should be time to train on all rows, each; where there is not, fewer
folds are trained, so many at least: other models bring more than other folds of the same."""
CHANCE, LATE, LATE_TABLES = 10.0, 0.5, 0.25
"""Seconds that must be left for candidates which the plans had no time for, and the share of the time that they get:
less for tables, where another kind of boosting brings little."""
TRIFLE = 0.1
"""What takes less than this share of the time left is trained in any case, however far behind it was."""
CROSSOVER = 0.1
"""Of the time left, what trying the best data steps with the other candidates may be expected to take."""
TUNED, RARER = 6, 2.0
"""Candidates that are tuned at most, and by how much less time each gets than the one before: a quick one is tuned well
in little."""
FINALS = 0.4
"""Of the time for the search, what training the members on all folds may be given at most."""
FEW = 6
"""Trials on two folds of all rows that there must be time for, so that tuning does with them."""
FEWEST = 2
"""The same where such trials are what ships, or may become it."""
FEWEST_ROWS = 500
"""Of all rows, what is trained on at least where memory is too small for more."""
PATIENCE = 60
"""Tuned configurations without a better one after which the search ends early."""


@dataclass
class Search:
    """One run of the search over all plans' trials."""

    runner: TrialRunner
    until: float
    """`time.monotonic()` at which the reserve of delivery begins."""
    on_better: Callable[[Trial], None]
    """Called with each trial at full fidelity that is the best so far."""
    spaces: Mapping[str, Mapping[str, Params]] = field(default_factory=dict)
    """Search spaces to tune in instead of the declared ones, by candidate."""
    late: Sequence[Work] = ()
    """What plans and their agents had no time to try."""
    full: list[Trial] = field(default_factory=list)
    tried: list[Trial] = field(default_factory=list)
    outgrown: bool = False
    """Whether a training found too little memory."""
    whole: Fidelity = field(init=False)
    """Of what is trained on all rows, and ships: all folds, or as many as `run` finds that there is time for; on fewer
    rows where memory is too small for all."""
    _under_way: float = 0.0
    """Seconds that the trainings on all rows which run just now are taken to need in sum."""
    _idle: int = 0
    """Tuned configurations since one was promising."""
    _began: float = 0.0
    _final: bool = False
    """Whether what ships has been chosen, and is trained on more folds."""
    _failed: bool = False
    _lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        self.whole = full_fidelity(self.runner.profile)

    @property
    def _probe(self) -> Fidelity:
        return probe_fidelity(self.runner.family, self.runner.profile)

    @property
    def end(self) -> float:
        """`time.monotonic()` at which trials end: early enough to fit on all rows what ships, where that is what ships,
        and to train a member again, which delivery does to check the bundle."""
        fits = [[trial.fit_seconds / max(1, trial.fidelity.folds) for trial in members] for members in self._blends()]
        again = max((min(costs) for costs in fits), default=0.0)
        if self.runner.family.ships == "folds" or not fits:
            return self.built - again - self._finals
        return self.built - again - WHOLE * max(max(*costs, sum(costs) / self.runner.pool.size) for costs in fits)

    @property
    def built(self) -> float:
        """`time.monotonic()` at which what ships must be fitted: `until`, or earlier where a row of the test takes
        longer than the reserve of delivery counts (images, thousands of trees) through all models that ship.

        Of each candidate its slowest trial counts: later ones found prepared rows in the memory of their process.
        """
        slowest: dict[str, float] = {}
        for trial in (*self.tried, *self.full):
            slowest[trial.candidate] = max(trial.predict_ms, slowest.get(trial.candidate, 0.0))
        blends = [sum(slowest[trial.candidate] for trial in members) for members in self._blends()]
        models = self.whole.folds if self.runner.family.ships == "folds" else 1
        row = models * max(blends, default=0.0) / 1000
        return self.until - self.runner.profile.rows_test * max(0.0, row - ROW_SECONDS)

    def _blends(self) -> list[list[Trial]]:
        """What a blend is taken to cost as much as: the best of each candidate, or the best trials, whichever is more,
        as many as usually are its members. Empty before anything was measured."""
        known = self.full or [trial for trial in self.tried if trial.fidelity == self._probe]
        order = ranked(self.runner.family, self.runner.task.metric, known)
        leaders: dict[str, Trial] = {}
        for trial in order:
            leaders.setdefault(trial.candidate, trial)
        most = BLENDED if self.runner.family.blends else 1
        return [list(leaders.values())[:most], order[:most]] if order else []

    @property
    def left(self) -> float:
        return min(self.end - time.monotonic(), self.runner.seconds_left())

    def run(self, probes: Sequence[Trial], known: Sequence[Trial] = ()) -> list[Trial]:
        """Run the search; returns all scored trials at full fidelity, `known` ones of earlier rounds included."""
        profile = self.runner.profile
        self._began = time.monotonic()
        self.full.extend(trial for trial in known if trial.score is not None)
        self.tried.extend(probes)
        if not any(trial.score is not None for trial in probes):
            self.tried.extend(self._again(probes))
        self.tried.extend(self._crossover())
        self.whole = self.full[0].fidelity if self.full else full_fidelity(profile, self._affordable_folds())
        for trial in self.tried:
            if trial.fidelity == self.whole and trial.score is not None:
                self._keep(trial)
        if lacking := self._lacking():
            self._train(self._first(self._queue()))
            self.tried.extend(self._second_chance(lacking))
        self._promote(self._queue())
        self._make_do()
        self._tune()
        if self.left > 0:  # tuning brings no more: the best of what it has left aside
            self._promote(self._queue())
        if self._more_folds():
            self._tune()
        return list({trial.id: trial for trial in self.full}.values())

    def _make_do(self) -> None:
        """Train on half as many rows, and half of these, as long as memory is too small for every training."""
        while self.outgrown and not self.full and self.left > 0:
            rows = (self.whole.rows or self._rows) // 2
            if rows <= max(self._probe.rows, FEWEST_ROWS):
                return
            self.whole = self.whole.model_copy(update={"rows": rows})
            self._promote(self._queue())

    @property
    def _rows(self) -> int:
        """Rows that a fold is trained on at most."""
        profile = self.runner.profile
        return round(profile.rows_train * max(profile.folds - 1, 1) / profile.folds)

    def _affordable_folds(self) -> int:
        """Folds that there is time to train the best few candidates on, at most what the data have; few where they were
        compared on some of the rows only.

        All, where trials are counted instead of seconds, and where folds are times: the last ones are those that count.
        """
        folds = self.runner.profile.folds
        if not self.runner.family.probe_cells or self.runner.max_trials is not None or self.runner.task.time:
            return folds
        if self._probe.rows:  # a rung between: what few rows promise is too rough to train many folds on
            return min(FEWEST_FOLDS, folds)
        leaders, profile = self._queue()[:MODELS], self.runner.profile

        def seconds(folds: int) -> float:
            return sum(full_cost(trial, profile, folds) for trial in leaders) / self.runner.pool.size

        while folds > FEWEST_FOLDS and seconds(folds) > SHARE * self.left:
            folds -= 1
        return folds

    @property
    def _finals(self) -> float:
        """Seconds that training what ships on more folds is taken to need, on as many of those that the search makes do
        without as there should be time for."""
        lacking = self.runner.profile.folds - self.whole.folds
        if self._final or lacking <= 0 or not self.full or self.runner.family.ships != "folds":
            return 0.0
        most = FINALS * (self.until - self._began)
        workers = self.runner.pool.size
        costs = [max(cost_of_folds(members, folds, workers) for members in self._blends())
                 for folds in range(1, lacking + 1)]  # fmt: skip
        return max((cost for cost in costs if cost <= most), default=0.0)

    def _more_folds(self) -> bool:
        """Train what would ship on more folds, as many at once as there are workers, as long as there is time; says
        whether there was for any.

        What would be no member stays behind with fewer folds, and is no rival any more.
        """
        self._final = True
        most, workers, begun = self.runner.profile.folds, self.runner.pool.size, self.whole.folds
        if not self.full or begun >= most or self.runner.family.ships != "folds":
            return False
        draft = compose(self.runner, self.full)
        members = [trial for trial in self.full if trial.id in draft.weights]
        while draft.folds >= begun and self.whole.folds < most:  # fewer where a limit allows no more models
            step = min(workers, most - self.whole.folds)
            folds = next((n for n in range(step, 0, -1) if cost_of_folds(members, n, workers) < self.left), 0)
            if not folds:
                break
            more = self.whole.model_copy(update={"folds": self.whole.folds + folds})
            results = self.runner.run(map(Work.of, members), more, until=self.end, time_limit=max(1.0, self.left))
            if not results or any(trial.score is None for trial in results):
                break
            self.whole, self.full, members = more, results, results
        return self.whole.folds > begun

    def _crossover(self) -> list[Trial]:
        """The data steps of the best trial with the best other candidates, as far as there is time."""
        runner, seconds = self.runner, CROSSOVER * self.left
        works = [] if self.full else crossover(runner, self.tried, self._queue()[:MODELS], seconds)
        if runner.max_trials is not None:
            works = works[: max(0, runner.max_trials - runner.count - MODELS)]
        if not works:
            return []
        limit = runner.fair(len(works), self._probe, 2 * seconds)
        return runner.run(works, self._probe, until=time.monotonic() + 2 * seconds, time_limit=limit)

    def _again(self, probes: Sequence[Trial]) -> list[Trial]:
        """The first comparison once more where it had no time for any trial, quick candidates first: until one has a
        score."""
        unique = {trial.configuration: trial for trial in probes}
        works = [Work.of(trial) for trial in unique.values() if trial.fidelity == self._probe]
        quick = self.runner.family.probe
        works.sort(key=lambda w: quick.index(w.choice.candidate) if w.choice.candidate in quick else len(quick))
        for work in works[:PROMOTED]:
            if self.left <= 0:
                break
            (trial,) = self.runner.run([work], self._probe, until=self.end, time_limit=self.left) or (None,)
            if trial is not None and trial.score is not None:
                return [trial]
        return []

    def _lacking(self) -> list[Work]:
        """The first of each candidate that the plans had no time for."""
        scored = {trial.candidate for trial in (*self.tried, *self.full) if trial.score is not None}
        first: dict[str, Work] = {}
        for work in self.late:
            if work.choice.candidate not in scored:
                first.setdefault(work.choice.candidate, work)
        return list(first.values())

    def _second_chance(self, works: Sequence[Work]) -> list[Trial]:
        """Candidates that the plans had no time for, compared after all with a part of what is left.

        A pretrained network may need a minute for what others do in a second, and another kind of model brings more
        than tuning these.
        """
        if self.left < CHANCE or not self._time_for_more():
            return []
        probe, workers = self._probe, self.runner.pool.size
        seconds = self.left * (LATE_TABLES if self.runner.family.probe_cells else LATE)
        limit = seconds * workers / max(workers, len(works) * probe.folds)
        return self.runner.run(works, probe, until=time.monotonic() + seconds, time_limit=limit)

    def _queue(self) -> list[Trial]:
        return queue(self.runner, self.tried, self.full)

    def _cost(self, trial: Trial) -> float:
        """Seconds that a trial is taken to need on all rows: extrapolated, and corrected by how far off that was for
        the trials that were trained on all rows already."""
        return self._correction * self._promised(trial) / self.runner.pool.size

    def _promised(self, trial: Trial) -> float:
        share = self.whole.rows / self._rows if self.whole.rows else 1.0
        return share * full_cost(trial, self.runner.profile, self.whole.folds)

    @property
    def _correction(self) -> float:
        """Median ratio of what full trials took to what their probes had promised."""
        probes = {trial.configuration: trial for trial in self.tried if trial.fidelity == self._probe}
        ratios = []
        for trial in self.full:
            probe = probes.get(trial.configuration)
            promised = self._promised(probe) if probe is not None else 0.0
            if promised > 0 and trial.fit_seconds > NOTABLE:
                ratios.append(trial.fit_seconds / promised)
        return min(max(statistics.median(ratios), 0.4), 3.0) if ratios else 1.0

    def _side_by_side(self, step: Callable[[], bool], folds: int) -> None:
        """Repeat a step until it says that nothing is left, in as many threads as keep all workers busy with trials of
        so many folds: while the last folds of one trial are fitted, the next one has begun. In one thread where trials
        are counted: there the order decides what is tried."""
        workers = self.runner.pool.size
        lanes = min(workers, -(-workers // max(1, folds - 1)) + 1) if self.runner.max_trials is None else 1

        def lane() -> None:
            try:
                while not self._failed and step():
                    pass
            except BaseException:
                self._failed = True
                raise

        with ThreadPoolExecutor(lanes, "automl-search") as threads:
            contexts = [copy_context() for _ in range(lanes)]  # events are written where LangGraph knows the run
            for future in [threads.submit(context.run, lane) for context in contexts]:
                future.result()

    def _first(self, queue: Sequence[Trial]) -> list[Trial]:
        """What leaves room for others when it is trained on all rows: the best that takes at most `FIRST` of the time,
        or the quickest; empty where that one would not end."""
        quick = [trial for trial in queue if self._cost(trial) < FIRST * self.left]
        first = quick[:1] or sorted(queue, key=self._cost)[:1]
        return [trial for trial in first if self._cost(trial) < self.left]

    def _promote(self, queue: Sequence[Trial]) -> None:
        """Train on all rows, as long as the extrapolated cost fits the time left. Workers that have nothing to do
        because something long is under way tune meanwhile."""
        first = self._first(queue)
        rest = [*first, *(trial for trial in queue if trial not in first)]
        tuning: dict[frozenset[str], Callable[[], bool]] = {}

        def meanwhile() -> bool:
            with self._lock:
                if self._under_way <= 0 or self.left <= 0:
                    return False
                trained = frozenset(trial.candidate for trial in self.full)
                if trained and trained not in tuning:
                    tuning[trained] = self._tuning()
            if not trained or not tuning[trained]():
                time.sleep(SOON)
            return True

        def share(trial: Trial) -> float:
            return worth(self.runner, trial, self.tried)

        def step() -> bool:
            with self._lock:
                left = self.left
                if left <= 0:
                    return False
                room, trifle = SHARE * left - self._under_way, TRIFLE * left
                trial = next((one for one in rest if one in first or self._cost(one) < max(share(one) * room, trifle)),
                             None)  # fmt: skip
                if trial is not None:
                    rest.remove(trial)
                    cost = self._cost(trial)
                    self._under_way += cost
            if trial is None:
                return meanwhile()
            try:
                self._train([trial])
            finally:
                with self._lock:
                    self._under_way -= cost
            return True

        self._side_by_side(step, self.whole.folds)

    def _train(self, trials: Sequence[Trial], origin: str = "") -> None:
        """Train on all rows, the folds in parallel."""
        works = [Work.of(trial, origin) for trial in trials]
        limit = max(1.0, self.left * (LIMIT_TABLES if self.runner.family.probe_cells else LIMIT))
        for result in self.runner.run(works, self.whole, until=self.end, time_limit=limit):
            if result.score is not None:
                self._keep(result)
            self.outgrown = self.outgrown or result.error.startswith(MEMORY)

    def _keep(self, trial: Trial) -> None:
        with self._lock:
            metric = self.runner.family.metrics[self.runner.task.metric]
            best = ranked(self.runner.family, metric.name, self.full)
            self.full.append(trial)
            if not best or better(metric, trial.score or 0.0, best[0].score or 0.0):
                self.on_better(trial)

    def _tune(self) -> None:
        """Tune the best candidates, the best as long as all others: first what their portfolios have left, then TPE.
        What looks better than all but one of a candidate's earlier trials is trained on all rows and folds."""
        self._side_by_side(self._tuning(), self._probe.folds)

    def _tuning(self) -> Callable[[], bool]:
        """A step of tuning, which says whether there was anything to do."""
        studies = self._studies()

        def step() -> bool:
            with self._lock:
                affordable = [study for study in studies if 1.5 * study.cost < self.left and study.promises]
                if not affordable or self._idle >= PATIENCE or not self._time_for_more():
                    return False
                study = min(affordable, key=lambda study: study.seconds * RARER ** self._place(study))
                study.seconds += study.cost
                token, choice = study.ask()
            started = time.monotonic()
            work = Work(choice, study.base.steps, study.base.plan, "tuning")
            trials = self.runner.run([work], study.fidelity, until=self.end, time_limit=self.left / 3)
            if not trials:
                return False
            (trial,) = trials
            with self._lock:
                study.tell(token, trial)
                improved = promising(self.runner, trial, self.tried, self.full)
                self.tried.append(trial)
                self._idle = 0 if improved else self._idle + 1
                study.idle = 0 if improved else study.idle + 1
            if improved and trial.fidelity == self.whole:
                self._keep(trial)
            elif improved and self._fits_in(trial):
                self._train([trial], origin="tuning")
            if self.runner.max_trials is None:
                with self._lock:
                    study.seconds += time.monotonic() - started - study.cost
            return True

        return step

    def _place(self, study: Study) -> int:
        """How many candidates have a better full trial."""
        order = ranked(self.runner.family, self.runner.task.metric, self.full)
        names = list(dict.fromkeys(trial.candidate for trial in order))
        return names.index(study.base.candidate) if study.base.candidate in names else len(names)

    def _studies(self) -> list[Study]:
        """A study for each of the best candidates that have a space, with all that is known of them.

        Of two folds of all rows where there is time for some: few rows often cost hardly less, and favour small models.
        """
        folds, whole = self._probe.folds, self._probe.model_copy(update={"rows": 0})
        by_count = self.runner.max_trials is not None  # scoring anew what is known would count
        known = self.full if self.full and not by_count else [t for t in self.tried if t.fidelity == self._probe]
        studies: list[Study] = []
        for leader in ranked(self.runner.family, self.runner.task.metric, allowed(self.runner, known)):
            candidate = self.runner.candidate(leader.candidate)
            if not candidate.space or leader.candidate in {study.base.candidate for study in studies}:
                continue
            cost = full_cost(leader, self.runner.profile, folds)
            few = (FEWEST if self.whole == whole else FEW) * cost / self.runner.pool.size
            fidelity = self._probe if by_count or known is not self.full or few > self.left else whole
            if self.whole == whole != fidelity and not by_count:
                continue
            metric = self.runner.family.metrics[self.runner.task.metric]
            tuner = Tuner(candidate, metric, self.runner.seed, self.spaces.get(leader.candidate))
            tuner.called = leader.candidate
            if fidelity == self.whole:
                self.tried.extend(trial for trial in self.full if trial.candidate == leader.candidate)
            elif fidelity != self._probe:
                self.tried.extend(self._scored_on(fidelity, leader.candidate))
            study = Study(tuner, leader, fidelity, 1.0 if by_count else cost if fidelity == whole else 0.0)
            for trial in self.tried:
                if (trial.candidate, trial.steps, trial.fidelity) == (leader.candidate, leader.steps, fidelity):
                    study.learn(trial)
            studies.append(study)
            if len(studies) == TUNED:
                break
        return studies

    def _scored_on(self, fidelity: Fidelity, candidate: str) -> list[Trial]:
        """The full trials of a candidate, scored on the first folds only: nothing is trained."""
        works = [Work.of(trial) for trial in self.full if trial.candidate == candidate]
        return self.runner.run(works, fidelity, until=self.end)

    def _fits_in(self, trial: Trial) -> bool:
        """Whether a probed trial can be trained on all rows in time: one that cannot is ended with its worker, and the
        next one's start takes the seconds in which what ships should be fitted."""
        return BESIDES * self._cost(trial) < self.left

    def _time_for_more(self) -> bool:
        typical = min((trial.fit_seconds for trial in self.full), default=1.0) / self.runner.pool.size
        allowed = self.runner.max_trials is None or self.runner.count < self.runner.max_trials
        return allowed and self.left > max(1.0, 1.5 * typical)
