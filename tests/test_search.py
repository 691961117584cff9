"""The search around the models: shares of the budget, trials that are run once, limits that steer the ensemble."""

import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from automl_agent.agents.operation import _shipped
from automl_agent.delivery.report.plots.search import front, unbeaten
from automl_agent.errors import JobError
from automl_agent.execution.protocol import Job
from automl_agent.execution.trials import TrialStore
from automl_agent.nodes.implement import _Publisher
from automl_agent.nodes.verify_plans import _only_late
from automl_agent.records import CandidateChoice, Constraint, DataProfile, Fidelity, Plan, Solution, TaskSpec, Trial
from automl_agent.search.budget import ROW_SECONDS, delivery_reserve, quotas, shares
from automl_agent.search.compose import compose, limit_share
from automl_agent.search.engine import Search
from automl_agent.search.estimates import best_temperature, bootstrap_interval, calibrated, cross_fitted, recentre
from automl_agent.search.promotion import allowed, promising, queue, worth
from automl_agent.search.rungs import full_cost, probe_fidelity
from automl_agent.search.runner import FOLLOW, TrialRunner, Work, ranked
from automl_agent.search.space import narrowed, sampled
from automl_agent.tasks.measures import tempered
from automl_agent.tasks.registry import get_family
from automl_agent.verifiers.base import PlanCase
from automl_agent.verifiers.plans import verify_plan

FAMILY = get_family("tabular_classification")
ROWS, FOLDS = 300, 3


class Pool:
    """Writes made-up fold predictions instead of training: better ones for a larger `skill`."""

    size = 2

    def __init__(self, truth, folds):
        self.truth, self.folds, self.jobs = truth, folds, []
        self.changed = {}

    def submit(self, job: Job):
        self.jobs.append(job)
        done = Future()
        given = job.arguments
        rng = np.random.default_rng(given["fold"])
        valid = np.flatnonzero(self.folds == given["fold"])
        skill = given["params"].get("skill", 0.1)
        p = np.clip(0.5 + skill * (self.truth[valid] - 0.5) + rng.normal(0, 0.2, len(valid)), 0.01, 0.99)
        out = Path(given["out"])
        out.mkdir(parents=True, exist_ok=True)
        np.save(out / "oof.npy", np.column_stack([1 - p, p]))
        np.save(out / "valid.npy", valid)
        result = {"fit_seconds": 1.0, "latency_ms": given["params"].get("latency", 1.0), "size_mb": 1.0,
                  "memory_mb": 10.0, "predict_seconds": 0.02, "rows": len(valid),
                  "params": given["params"] | self.changed}  # fmt: skip
        threading.Timer(0.05, done.set_result, (result,)).start()
        return done


@pytest.fixture
def runner(tmp_path):
    rng = np.random.default_rng(0)
    truth, folds = rng.integers(0, 2, ROWS), np.arange(ROWS) % FOLDS
    data = tmp_path / "data"
    data.mkdir()
    np.save(data / "target.npy", truth.astype(np.int64))
    profile = DataProfile(
        family=FAMILY.name,
        fingerprint="f",
        data="d",
        rows_train=ROWS,
        rows_test=0,
        columns=2,
        kinds={},
        folds=FOLDS,
        classes=("no", "yes"),
        positive="yes",
    )
    return TrialRunner(
        family=FAMILY,
        task=TaskSpec(words="", family=FAMILY.name, metric="f1"),
        profile=profile,
        data=data,
        store=TrialStore(tmp_path / "home"),
        pool=Pool(truth, folds),
        seconds_left=lambda: 60.0,
        emit=lambda event: None,
    )


def run(runner, *params):
    works = [Work(CandidateChoice(candidate="linear", params=p), (), "p", "test") for p in params]
    return runner.run(works, Fidelity(rows=0, folds=FOLDS), until=time.monotonic() + 30)


def limited(runner, measure, value):
    constraint = Constraint(measure=measure, comparison="<=", value=value)
    runner.task = runner.task.model_copy(update={"constraints": (constraint,)})


GOOD = {"skill": 0.9, "latency": 2.0}
POOR = {"skill": 0.3, "latency": 0.2}


def test_a_trial_is_run_once(runner):
    (first,) = run(runner, GOOD)
    jobs = len(runner.pool.jobs)
    (again,) = run(runner, GOOD)
    assert jobs == FOLDS == len(runner.pool.jobs)
    assert again.cached
    assert not first.cached
    assert again.score == first.score > 0.8


def test_what_an_earlier_run_trained_is_told_apart(runner):
    runner.run_id = "first"
    run(runner, GOOD)
    (own,) = run(runner, GOOD)
    assert own.cached
    assert runner.reused == 0
    later = replace(runner, run_id="second", count=0)
    trials = run(later, GOOD, POOR)
    assert [trial.reused for trial in trials] == [True, False]
    assert (later.count, later.reused) == (2, 1)


@pytest.mark.parametrize(
    ("changed", "budget", "fits"),
    [
        ({"skill": 0.5}, 300.0, FOLDS),  # what had to make do with less than was asked for
        ({"skill": 0.5}, 60.0, 0),
        ({}, 300.0, 0),
        ({"found": 7}, 300.0, 0),  # what a fit found out is no change of what was asked for
    ],
)
def test_what_was_fitted_in_a_hurry_is_fitted_anew_where_there_is_more_time(runner, changed, budget, fits):
    def within(seconds, run_id):
        meta = {"budget": seconds}
        return replace(runner, run_id=run_id, profile=runner.profile.model_copy(update={"meta": meta}))

    runner.pool.changed = changed
    run(within(60.0, "first"), GOOD)
    runner.pool.jobs.clear()
    runner.pool.changed = {}
    second = within(budget, "second")
    run(second, GOOD)
    assert len(runner.pool.jobs) == fits and all(job.arguments["anew"] for job in runner.pool.jobs)
    (again,) = run(second, GOOD)
    assert again.cached and len(runner.pool.jobs) == fits


def test_two_plans_with_one_idea_share_the_work(runner):
    one, other = run(runner, GOOD, GOOD)
    assert one.score == other.score
    assert len(runner.pool.jobs) == FOLDS


def test_other_folds_take_over_what_the_first_one_found_out(runner, monkeypatch):
    """How many rounds to boost costs several fits to find: once a trial is enough."""
    found, submit = {"learning_rate": 0.05, "rounds": 77}, runner.pool.submit

    def told(job):
        future = submit(job)
        result = future.result()
        answered = Future()
        first = job.arguments["fold"] == 0
        answered.set_result(result | ({"settled": found, "fit_seconds": 3.0} if first else {}))
        return answered

    monkeypatch.setattr(runner.pool, "submit", told)
    work = Work(CandidateChoice(candidate="lightgbm", params=GOOD), (), "p", "test")
    (trial,) = runner.run([work], Fidelity(rows=0, folds=FOLDS), until=time.monotonic() + 30)
    given = {job.arguments["fold"]: job.arguments["params"] for job in runner.pool.jobs}
    assert given[0] == GOOD and given[1] == given[2] == GOOD | found
    assert trial.params == GOOD and trial.fold_seconds == (3.0, 1.0, 1.0)
    assert full_cost(trial, runner.profile, 2) == pytest.approx(4.0 + trial.predict_ms / 1000 * ROWS * 2 / FOLDS)
    (again,) = runner.run([work], Fidelity(rows=0, folds=2), until=time.monotonic() + 30)
    assert again.cached and len(runner.pool.jobs) == FOLDS


def test_a_first_fold_that_fails_is_the_only_one(runner, monkeypatch):
    failed = Future()
    failed.set_exception(JobError("error", "ValueError: no"))
    monkeypatch.setattr(runner.pool, "submit", lambda job: runner.pool.jobs.append(job) or failed)
    work = Work(CandidateChoice(candidate="lightgbm", params=GOOD), (), "p", "test")
    (trial,) = runner.run([work], Fidelity(rows=0, folds=FOLDS), until=time.monotonic() + 30)
    assert "ValueError: no" in trial.error and len(runner.pool.jobs) == 1


def test_the_number_of_trials_is_bounded(runner):
    runner.max_trials = 1
    assert len(run(runner, GOOD, POOR)) == 1
    assert run(runner, POOR) == []


def test_every_candidate_is_trained_on_all_rows_before_the_second_setting_of_any(runner):
    """Of many settings of the probes' best candidate, none keeps out another one that few rows show to be worse."""
    works = [Work(CandidateChoice(candidate="linear", params={**GOOD, "n": n}), (), "p", "test") for n in range(8)]
    works.append(Work(CandidateChoice(candidate="lightgbm", params=POOR), (), "p", "test"))
    probes = runner.run(works, probe_fidelity(runner.family, runner.profile), until=time.monotonic() + 30)
    search = Search(runner, until=time.monotonic() + 60, on_better=lambda trial: None)
    promoted = []
    search._train = promoted.extend
    search._promote(queue(runner, probes, search.full))
    assert [trial.candidate for trial in promoted[:2]] == ["linear", "lightgbm"]


def test_what_the_plans_had_no_time_for_is_tried_by_the_search(runner):
    """One comparison is enough to deliver more than the trivial model, however little time the plans had."""
    works = [Work(CandidateChoice(candidate="linear", params=p), (), "p", "test") for p in (GOOD, POOR)]
    late = runner.run(works, probe_fidelity(runner.family, runner.profile), until=time.monotonic() - 1)
    assert [trial.score for trial in late] == [None, None]
    runner.max_trials = runner.count + 3
    search = Search(runner, until=time.monotonic() + 20, on_better=lambda trial: None)
    full = search.run(late)
    assert [trial.params for trial in full] == [GOOD]
    assert full[0].score > 0.8


def test_quick_candidates_are_tried_first_where_nothing_had_time(runner):
    """A slow one that refuses after seconds would take the time of those that need no more."""
    works = [Work(CandidateChoice(candidate=name, params=GOOD), (), "p", "test")
             for name in ("extra_trees", "linear", "lightgbm")]  # fmt: skip
    late = runner.run(works, probe_fidelity(runner.family, runner.profile), until=time.monotonic() - 1)
    (first,) = Search(runner, until=time.monotonic() + 20, on_better=lambda trial: None)._again(late)
    assert first.candidate == FAMILY.probe[0] == "lightgbm"


def test_plans_that_had_no_time_are_not_planned_anew(runner):
    plan = Plan(id="p", title="", hypothesis="", steps=(), models=("linear",))
    work = Work(CandidateChoice(candidate="linear", params=GOOD), (), "p", "test")
    (late,) = runner.run([work], probe_fidelity(runner.family, runner.profile), until=time.monotonic() - 1)
    broken = late.model_copy(update={"error": "error: ValueError: no"})
    assert _only_late({"trials": {"p/1": late}}, [plan])
    assert not _only_late({"trials": {"p/1": late, "p/2": broken}}, [plan])
    assert not _only_late({}, [plan])


@pytest.mark.parametrize(("error", "late"), [
    ("out of time", True), ("cancelled: The job was cancelled.", True), ("error: TimeoutError: 4 s are needed", True),
    ("ValueError: column 'cancelled' holds text", False), ("", False),
])  # fmt: skip
def test_only_want_of_time_makes_a_trial_late(error, late):
    fidelity = Fidelity(rows=0, folds=2)
    assert Trial(id="t", plan="p", candidate="linear", fidelity=fidelity, error=error).late is late


def test_what_was_late_in_the_plans_is_compared_before_tuning(runner):
    """Another kind of model is worth more than tuning; what has a score already is not trained again."""
    (probe,) = runner.run([Work(CandidateChoice(candidate="linear", params=POOR), (), "p", "test")],
                          probe_fidelity(runner.family, runner.profile), until=time.monotonic() + 30)  # fmt: skip
    late = [
        Work(CandidateChoice(candidate=name, params=GOOD), (), "q", "agent_model") for name in ("linear", "lightgbm")
    ]
    search = Search(runner, until=time.monotonic() + 20, on_better=lambda trial: None, late=late)
    search._tune = lambda: None
    full = search.run([probe])
    assert {(trial.candidate, trial.plan) for trial in full} == {("linear", "p"), ("lightgbm", "q")}


@pytest.mark.parametrize("room", [ROWS, 120_000, 0])
def test_what_outgrows_memory_on_all_rows_is_trained_on_fewer(runner, room):
    """On half of them, or half of these; on all where that works, and on few where nothing does."""
    runner.profile = runner.profile.model_copy(update={"rows_train": 600_000, "meta": {"budget": 10.0, "columns": 10}})
    submit, probe = runner.pool.submit, probe_fidelity(runner.family, runner.profile)

    def small(job):
        rows = job.arguments["rows"]
        if room == ROWS or 0 < rows <= max(room, probe.rows):
            return submit(job)
        failed = Future()
        failed.set_exception(JobError("fit_fold used 700 MB of memory, more than 500 MB.", "memory"))
        return failed

    runner.pool.submit = small
    works = [Work(CandidateChoice(candidate=n, params=GOOD), (), "p", "test") for n in ("linear", "lightgbm")]
    probes = runner.run(works, probe, until=time.monotonic() + 30)
    search = Search(runner, until=time.monotonic() + 20, on_better=lambda trial: None)
    search._tune = search._more_folds = lambda: None
    search._cost = lambda trial: 0.01
    full = search.run(probes)
    rows = {ROWS: {0}, 120_000: {100_000}, 0: set()}[room]
    assert {trial.fidelity.rows for trial in full} == rows
    assert {trial.candidate for trial in full} == ({"linear", "lightgbm"} if rows else set())
    assert search.outgrown == (room != ROWS)
    assert bool(runner.strains) == (room != ROWS) and all("--max-memory" in text for text in runner.strains.values())


def test_nothing_is_begun_on_all_rows_that_cannot_end(runner):
    runner.profile = runner.profile.model_copy(update={"rows_train": 10**9})
    works = [Work(CandidateChoice(candidate="linear", params=GOOD), (), "p", "test")]
    probes = runner.run(works, probe_fidelity(runner.family, runner.profile), until=time.monotonic() + 30)
    asked = len(runner.pool.jobs)
    search = Search(runner, until=time.monotonic() + 20, on_better=lambda trial: None)
    search._promote(queue(runner, probes, search.full))
    search._promote(queue(runner, probes, search.full))
    assert search.full == [] and len(runner.pool.jobs) == asked


def test_time_is_kept_to_predict_a_test_of_costly_rows(runner):
    """Ten thousand images take longer than ten thousand rows of a table, which the reserve of delivery is made for."""
    runner.profile = runner.profile.model_copy(update={"rows_test": 10_000})
    (quick,) = run(runner, GOOD)
    assert quick.predict_ms == pytest.approx(1000 * FOLDS * 0.02 / ROWS)
    search = Search(runner, until=1000.0, on_better=lambda trial: None)
    search.full = [quick.model_copy(update={"predict_ms": 1.5})]
    slow = search.end
    search.full.append(quick.model_copy(update={"id": "later", "predict_ms": 0.2}))
    late = 10_000 * (2 * FOLDS * 0.0015 - ROW_SECONDS)
    assert search.built == pytest.approx(1000 - late), (
        "two blended, a model of each fold; the first shows what reading takes"
    )
    search.full = [quick.model_copy(update={"predict_ms": 0.0})]
    assert search.built == 1000 and search.end - slow == pytest.approx(10_000 * (FOLDS * 0.0015 - ROW_SECONDS))


def test_what_predicts_slowly_is_costly_too(runner):
    """Neighbours are fitted in no time, and asked for minutes."""
    (quick,) = run(runner, GOOD)
    lazy = quick.model_copy(update={"fit_seconds": 0.0, "fold_seconds": (), "predict_ms": 100.0})
    assert full_cost(lazy, runner.profile) == pytest.approx(0.1 * ROWS)


def test_only_a_sample_may_be_worse_than_the_baseline(runner):
    """What learns needs more rows than what repeats: on all of them, a plan that is worse fails."""

    def verdict(rows):
        baseline, poor = (Trial(id=name, plan="p", candidate=name, fidelity=Fidelity(rows=rows, folds=2), score=score)
                          for name, score in (("baseline", 0.5), ("linear", 0.4)))  # fmt: skip
        plan = Plan(id="p", title="", hypothesis="", steps=(), models=("linear",))
        return verify_plan(PlanCase(plan=plan, trials=(poor,), baseline=baseline, task=runner.task,
                                    profile=runner.profile, family=FAMILY))  # fmt: skip

    assert verdict(3000).passed and "worse than the trivial baseline" in " ".join(verdict(3000).reasons)
    assert not verdict(0).passed


def test_the_best_ships_with_all_folds_where_nothing_limits(runner):
    trials = run(runner, GOOD, POOR)
    draft = compose(runner, trials)
    assert draft.folds == FOLDS
    assert max(draft.weights, key=draft.weights.get) == trials[0].id
    assert draft.interval[0] <= draft.score <= draft.interval[1]
    assert 0 < draft.threshold < 1


def test_trials_of_equal_score_are_ranked_by_a_smoother_metric(runner):
    runner.task = runner.task.model_copy(update={"metric": "accuracy"})
    (trial,) = run(runner, GOOD)
    assert trial.tie_break > 0
    sharper = trial.model_copy(update={"id": "zzz", "tie_break": trial.tie_break / 2})
    worse = sharper.model_copy(update={"id": "aaa", "score": trial.score - 0.01})
    assert [t.id for t in ranked(FAMILY, "accuracy", [trial, worse, sharper])] == ["zzz", trial.id, "aaa"]


def test_a_limit_on_latency_ships_fewer_fold_models(runner):
    trials = run(runner, GOOD, POOR)
    limited(runner, "latency_ms", 6.0)  # 4.3 ms of room for models of 2 ms
    draft = compose(runner, trials)
    cost = sum(t.latency_ms * draft.folds for t in trials if t.id in draft.weights)
    assert cost < 6.0
    assert trials[0].id in draft.weights


def test_a_tight_limit_leaves_the_quick_model(runner):
    trials = run(runner, GOOD, POOR)
    limited(runner, "latency_ms", 1.5)
    assert set(compose(runner, trials).weights) == {trials[1].id}


def test_an_impossible_limit_takes_the_lightest(runner):
    trials = run(runner, GOOD, POOR)
    limited(runner, "latency_ms", 0.01)
    draft = compose(runner, trials)
    assert set(draft.weights) == {trials[1].id}
    assert draft.folds == 1


def test_probabilities_are_made_to_mean_what_they_say():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (4000, 3))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=row) for row in honest])
    folds = np.arange(len(truth)) % 4
    for power in (0.5, 1.7):
        found, temperature = calibrated(FAMILY, truth, tempered(honest, 1 / power), folds)
        assert temperature == pytest.approx(power, rel=0.1)
        np.testing.assert_allclose(found, honest, atol=0.05)
        assert (found.argmax(axis=1) == honest.argmax(axis=1)).all()
    assert calibrated(FAMILY, truth, tempered(honest, 1 / 1.7), folds, averaged=True)[1] == 1.0
    assert calibrated(FAMILY, truth[:30], honest[:30], folds[:30])[1] == 1.0, "chance brings no temperature"
    values = rng.normal(0, 1, 50)
    assert best_temperature(get_family("tabular_regression"), values, values) == 1.0


def test_limits_steer_what_is_trained_on_all_rows(runner):
    limited(runner, "latency_ms", 1.5)
    slow, quick = run(runner, GOOD, POOR)
    assert allowed(runner, [slow, quick]) == [quick]
    assert allowed(runner, [slow]) == [slow], "better one that breaks the limit than none"
    limited(runner, "memory_mb", 500.0)
    large = quick.model_copy(update={"memory_mb": 600.0})
    assert allowed(runner, [slow, large]) == [slow]
    assert limit_share(slow, runner.task.constraints) == 0.0
    limited(runner, "latency_ms", 1.5)
    better = slow.model_copy(update={"id": "better", "score": 0.999})
    assert not promising(runner, better, tried=[], full=[quick])
    assert promising(runner, better.model_copy(update={"latency_ms": quick.latency_ms}), tried=[], full=[quick])


def test_a_cross_fitted_threshold_is_no_better_than_one_that_saw_the_rows():
    """On pure noise, a threshold fitted on the scored rows flatters; the cross-fitted one does not."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 90)
    noise = rng.uniform(0, 1, 90)
    prediction = np.column_stack([1 - noise, noise])
    honest, threshold = cross_fitted(FAMILY, "mcc", truth, prediction, np.arange(90) % 3, 1)
    flattering = FAMILY.score("mcc", truth, prediction, positive=1, threshold=threshold)
    assert flattering > honest + 0.05


def test_recentring_moves_the_threshold_to_one_half():
    p = np.array([[0.8, 0.2], [0.7, 0.3], [0.1, 0.9]])
    assert (recentre(p, 0.25, 1)[:, 1] >= 0.5).tolist() == [False, True, True]


def test_an_interval_covers_the_score_and_shrinks_with_rows():
    def width(n):
        rng = np.random.default_rng(0)
        truth = rng.integers(0, 2, n)
        p = np.clip(truth * 0.4 + rng.uniform(0, 0.6, n), 0, 1)
        low, high = bootstrap_interval(
            FAMILY, "accuracy", truth, np.column_stack([1 - p, p]), positive=1, threshold=None, seed=0
        )
        return high - low

    assert width(3200) < width(200) / 2


def test_a_perfect_score_on_few_rows_is_not_certain():
    truth = np.arange(60) % 2
    sure = np.column_stack([1.0 - truth, truth])
    low, high = bootstrap_interval(FAMILY, "accuracy", truth, sure, positive=1, threshold=None, seed=0)
    assert (low, high) == (pytest.approx(0.95), 1.0)


def test_shares_add_up_and_keep_time_for_a_revision():
    part = shares(100, reserve=10, revisions_left=1, may_be_missed=True)
    assert part.keep > 0
    assert part.explore + part.implement + part.keep == pytest.approx(90)
    assert shares(100, reserve=10, revisions_left=1, may_be_missed=False).keep == 0
    assert shares(3, reserve=10, revisions_left=1, may_be_missed=True).explore == 0
    assert delivery_reserve(10, 500) == pytest.approx(4.2)


@pytest.mark.parametrize("trials", [7, 12, 50])
def test_quotas_stay_within_the_number_of_trials(trials):
    quota = quotas(trials, agents=6, plans=3, keep=False)
    assert 6 * quota["agent"] + 3 * quota["plan"] + quota["implement"] == trials
    assert quotas(None, agents=6, plans=3, keep=True)["implement"] is None


def test_samples_lie_in_the_space_and_near_the_centre_when_narrowed():
    space = {
        "rate": {"type": "float", "low": 0.01, "high": 1.0, "log": True},
        "leaves": {"type": "int", "low": 2, "high": 200},
        "kind": {"type": "categorical", "choices": ["a", "b"]},
    }
    rng = random.Random(0)
    near = narrowed(space, {"rate": 0.1, "leaves": 100}, 0.2)
    for _ in range(50):
        wide, close = sampled(space, rng), sampled(near, rng)
        assert 0.01 <= wide["rate"] <= 1
        assert isinstance(wide["leaves"], int)
        assert wide["kind"] in ("a", "b")
        assert 0.06 < close["rate"] < 0.17
        assert 79 <= close["leaves"] <= 121


def test_a_model_without_time_for_all_rows_follows_them_where_it_can(runner):
    (good,) = run(runner, GOOD)

    def only_follow(job: Job):
        answer = Future()
        if job.call == FOLLOW:
            assert job.arguments["fold"] == FOLDS
            assert Path(job.arguments["model"]) == runner.fold_folders(good)[FOLDS - 1]
            answer.set_result({"followed": True})
        else:
            answer.set_exception(JobError("TimeoutError: too late"))
        return answer

    runner.pool.submit = only_follow
    names = ("name", "candidates", "shared")
    for follows, fold in ((True, FOLDS), (False, FOLDS - 1)):
        runner.family = SimpleNamespace(**{name: getattr(FAMILY, name) for name in names}, ships="whole",
                                        follows=follows)  # fmt: skip
        assert list(_shipped(runner, [good], 1, 5.0)[good.id]) == [fold]


def test_what_ships_whole_is_fitted_on_all_rows_or_says_why_not(runner):
    good, bad = run(runner, GOOD, POOR)
    submit = runner.pool.submit

    def sometimes(job: Job):
        if job.arguments["fold"] == FOLDS and job.arguments["params"] == POOR:
            broken = Future()
            broken.set_exception(JobError("ValueError: odd"))
            return broken
        return submit(job)

    runner.pool.submit = sometimes
    runner.family = SimpleNamespace(**{name: getattr(FAMILY, name) for name in ("name", "candidates", "shared")},
                                    ships="whole", follows=False)  # fmt: skip
    said = []
    runner.emit = said.append
    shipped = _shipped(runner, [good, bad], 1, 5.0)
    assert {name: list(folds) for name, folds in shipped.items()} == {good.id: [FOLDS], bad.id: [FOLDS - 1]}
    assert shipped[good.id][FOLDS].is_dir()
    assert [remark.text.partition(" was")[2] for remark in said] == [
        " not fitted on all rows (ValueError: odd): a fold's model is used."
    ]


def test_no_bundle_of_a_single_model_is_built_shortly_before_the_solution(monkeypatch):
    built = []
    monkeypatch.setattr("automl_agent.nodes.implement.publish_single", lambda *given: built.append(given[2]))
    stage = SimpleNamespace(clock=SimpleNamespace(spent=lambda: 1.0))
    trial = SimpleNamespace(score=0.5)
    early = _Publisher(stage, None, "out", time.monotonic() + 60)
    early(trial)
    early(trial)  # no second one within seconds of the first
    early.wait()
    early.close()
    assert len(built) == 1
    monkeypatch.setattr("automl_agent.nodes.implement.PUBLISH_EVERY", 0.1)
    later = _Publisher(stage, None, "out", time.monotonic() + 60)
    for score in (0.5, 0.6, 0.7):
        later(SimpleNamespace(score=score))
    deadline = time.monotonic() + 20
    while built[-1].score < 0.7 and time.monotonic() < deadline:
        time.sleep(0.02)
    later.wait()
    later.close()
    assert built[-1].score == 0.7, "the last one is not forgotten"
    built.clear()
    late = _Publisher(stage, None, "out", time.monotonic() + 3)
    late(trial)
    late.close()
    assert not built and late.progress


def test_what_fails_while_a_bundle_is_put_in_place_is_told(monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("automl_agent.nodes.implement.publish_single", fail)
    publisher = _Publisher(
        SimpleNamespace(clock=SimpleNamespace(spent=lambda: 1.0)), None, "out", time.monotonic() + 60
    )
    publisher(SimpleNamespace(score=0.5))
    with pytest.raises(OSError, match="disk full"):
        publisher.wait()
    publisher.close()


def table_profile(runner, rows, budget, columns=10, classes=("no", "yes")):
    meta = {"columns": float(columns), "budget": float(budget)}
    return runner.profile.model_copy(update={"rows_train": rows, "meta": meta, "classes": classes})


def test_a_table_is_probed_whole_where_that_is_affordable(runner):
    """Its fits are then part of the full training; classes make it dearer, and other families go by rows alone."""
    many = tuple(f"c{number}" for number in range(11))
    assert probe_fidelity(FAMILY, table_profile(runner, 10_000, 60)).rows == 0
    assert probe_fidelity(FAMILY, table_profile(runner, 10_000, 30)).rows == 3000
    assert probe_fidelity(FAMILY, table_profile(runner, 10_000, 60, classes=many)).rows == 3000
    assert probe_fidelity(FAMILY, table_profile(runner, 100_000, 300)).rows == 12_000
    other = SimpleNamespace(probe_cells=0.0)
    assert probe_fidelity(other, table_profile(runner, 10_000, 3600)).rows == 3000


def test_each_fit_gets_a_fair_share_of_the_time(runner):
    fidelity = Fidelity(rows=0, folds=2)
    assert runner.fair(1, fidelity, 10.0) == 10.0 * runner.pool.size / max(2, runner.pool.size)
    assert runner.fair(4, fidelity, 10.0) == 10.0 / -(-8 // runner.pool.size)
    assert runner.fair(4, fidelity, -1.0) > 0


def some_trial(name, params, score, *, rows=3000, folds=2, seconds=1.0):
    return Trial(id=f"{name}{score}{folds}", plan="p", candidate=name, params=params, score=score, fit_seconds=seconds,
                 fidelity=Fidelity(rows=rows, folds=folds))  # fmt: skip


def test_on_few_rows_a_first_configuration_stands_in_for_one_that_is_hardly_better(runner):
    runner.profile = table_profile(runner, 100_000, 60)
    runner.task = runner.task.model_copy(update={"metric": "log_loss"})
    first, small = FAMILY.candidates()["lightgbm"].portfolio[:2]
    near = [some_trial("lightgbm", small, 0.400), some_trial("lightgbm", first, 0.402)]
    assert [trial.params for trial in queue(runner, near, full=[])] == [first, small]
    far = [some_trial("lightgbm", small, 0.400), some_trial("lightgbm", first, 0.450)]
    assert [trial.params for trial in queue(runner, far, full=[])] == [small, first]


def test_costs_are_corrected_by_what_full_trainings_took(runner):
    runner.profile = table_profile(runner, 100_000, 60)
    search = Search(runner, until=time.monotonic() + 60, on_better=lambda trial: None)
    probe, other = some_trial("linear", GOOD, 0.8), some_trial("lightgbm", GOOD, 0.8)
    search.tried = [probe, other]
    before = search._cost(other)
    promised = before * runner.pool.size
    search.full = [some_trial("linear", GOOD, 0.8, rows=0, folds=FOLDS, seconds=2 * promised)]
    assert search._cost(other) == pytest.approx(2 * before)


def test_fewer_folds_are_trained_where_the_best_candidates_would_not_all_end(runner):
    runner.profile = table_profile(runner, 10_000, 60).model_copy(update={"folds": 5})
    search = Search(runner, until=time.monotonic() + 60, on_better=lambda trial: None)
    names = ("linear", "lightgbm", "catboost", "extra_trees")

    def folds(seconds, rows=0):
        search.tried = [some_trial(name, {}, 0.8, seconds=seconds, rows=rows) for name in names]
        return search._affordable_folds()

    few, some, many = folds(30.0), folds(8.0), folds(1.0)
    assert few == 2 < some < many == 5
    runner.max_trials = 20
    assert folds(30.0) == 5  # the clock must not decide
    runner.max_trials = None
    runner.task = runner.task.model_copy(update={"time": "day"})
    assert folds(30.0) == 5  # the last times are those that count
    runner.task = runner.task.model_copy(update={"time": None})
    runner.profile = table_profile(runner, 100_000, 60).model_copy(update={"folds": 5})
    assert folds(0.1, rows=3000) == 2  # what some of the rows promise is a guess


def test_what_would_ship_is_trained_on_more_folds_in_the_time_that_is_left(runner):
    works = [Work(CandidateChoice(candidate="linear", params=p), (), "p", "test") for p in (GOOD, POOR)]
    begun = Fidelity(rows=0, folds=2)

    def extended(seconds):
        search = Search(runner, until=time.monotonic() + seconds, on_better=lambda trial: None)
        search.full, search.whole = runner.run(works, begun, until=time.monotonic() + 30), begun
        assert 0 <= search._finals < 30
        runner.pool.jobs.clear()
        search._more_folds()
        return search

    late = extended(0.0)
    assert not runner.pool.jobs and late.whole == begun and len(late.full) == 2
    early = extended(60.0)
    assert {job.arguments["fold"] for job in runner.pool.jobs} == {2}, "those trained before are not trained again"
    assert early.whole.folds == FOLDS == early.full[0].fidelity.folds
    assert early.full[0].params == GOOD
    assert early._finals == 0
    limited(runner, "latency_ms", 3.5)  # has room for one model of 2 ms
    tight = extended(60.0)
    assert not runner.pool.jobs and tight.whole == begun


def test_a_fold_that_fails_at_the_end_loses_nothing(runner):
    works, begun = [Work(CandidateChoice(candidate="linear", params=GOOD), (), "p", "test")], Fidelity(rows=0, folds=2)
    search = Search(runner, until=time.monotonic() + 60, on_better=lambda trial: None)
    trained = runner.run(works, begun, until=time.monotonic() + 30)
    search.full, search.whole = trained, begun
    broken = Future()
    broken.set_exception(JobError("ValueError: odd"))
    runner.pool.submit = lambda job: broken
    assert not search._more_folds()
    assert search.whole == begun and search.full == trained


def test_the_best_data_steps_are_tried_with_the_other_candidates(runner):
    """Not where they can do nothing for a candidate, nor again, nor beyond the trials allowed."""

    def crossed(best_steps, **changed):
        search = Search(runner, until=time.monotonic() + 60, on_better=lambda trial: None)
        fidelity = probe_fidelity(runner.family, runner.profile)
        search.tried = [
            some_trial(name, GOOD, score, rows=fidelity.rows, folds=fidelity.folds).model_copy(
                update={"steps": steps, "plan": name})
            for name, score, steps in (("lightgbm", 0.9, best_steps), ("catboost", 0.8, ()), ("linear", 0.7, ()))
        ]  # fmt: skip
        for name, value in changed.items():
            setattr(runner, name, value)
        return {(trial.candidate, trial.steps, trial.origin) for trial in search._crossover()}

    pairs = ("interactions",)
    assert crossed(pairs) == {("catboost", pairs, "crossover"), ("linear", pairs, "crossover")}
    assert crossed(()) == set()
    assert crossed(("splines",)) == {("linear", ("splines",), "crossover")}, "trees split by rank"
    own = ("interactions", "of a custom agent")
    assert {name for name, *_ in crossed(own)} == {"catboost", "linear"}
    assert crossed(("interactions", "target_encoding"), max_trials=3, count=0) == set()


def test_what_is_far_behind_gets_little_time(runner):
    probe = probe_fidelity(runner.family, runner.profile)
    best, near, far = (some_trial(f"m{score}", {}, score, rows=probe.rows, folds=probe.folds)
                       for score in (0.9, 0.895, 0.5))  # fmt: skip
    shares = [worth(runner, trial, [best, near, far]) for trial in (best, near, far)]
    assert shares[0] == 1.0 > shares[1] > 0.3 > shares[2] > 0


def test_a_worker_tunes_while_something_long_is_under_way(runner):
    submit, workers = runner.pool.submit, ThreadPoolExecutor(2)

    def slow(job):
        if "extra_trees" not in job.arguments["candidate"] or job.arguments["fold"] == 0:
            return submit(job)
        return workers.submit(lambda: (time.sleep(1.5), submit(job).result())[1])

    works = [Work(CandidateChoice(candidate=name, params=GOOD), (), "p", "test") for name in ("linear", "extra_trees")]
    fidelity = probe_fidelity(runner.family, runner.profile)
    probes = runner.run(works, fidelity, until=time.monotonic() + 30)
    runner.pool.submit = slow
    search = Search(runner, until=time.monotonic() + 20, on_better=lambda trial: None)
    search.tried = list(probes)
    search._promote(queue(runner, probes, search.full))
    workers.shutdown()
    assert {"linear", "extra_trees"} <= {trial.candidate for trial in search.full}
    assert any(trial.origin == "tuning" for trial in search.tried)


def test_what_has_no_room_beside_another_is_trained_after_it(runner):
    """A quick model must not be left out because two dear ones were trained when its turn came."""
    works = [Work(CandidateChoice(candidate=name, params=GOOD), (), "p", "test")
             for name in ("linear", "extra_trees", "nearest_neighbours")]  # fmt: skip
    probes = runner.run(works, probe_fidelity(runner.family, runner.profile), until=time.monotonic() + 30)
    search = Search(runner, until=time.monotonic() + 20, on_better=lambda trial: None)
    search._cost = lambda trial: 9.0  # of these, two have no room at once
    search._promote(queue(runner, probes, search.full))
    assert {trial.candidate for trial in search.full} == {"linear", "extra_trees", "nearest_neighbours"}


def test_steps_are_taken_side_by_side_and_end_together(runner):
    search = Search(runner, until=time.monotonic() + 60, on_better=lambda trial: None)
    meeting = threading.Barrier(2, timeout=10)
    left = [True, True]

    def step():
        if not left:
            return False
        left.pop()
        meeting.wait()
        return True

    search._side_by_side(step, FOLDS)
    assert not left

    def broken():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        search._side_by_side(broken, FOLDS)
    assert search._failed


def test_the_front_is_drawn_also_where_fewer_folds_were_trained_than_of_the_baseline():
    fewer = [some_trial(name, {}, score, rows=0, folds=2).model_copy(update={"latency_ms": ms})
             for name, score, ms in (("slow", 0.9, 9.0), ("quick", 0.6, 0.1), ("middle", 0.8, 1.0))]  # fmt: skip
    trivial = some_trial("baseline", {}, 0.5, rows=0, folds=5).model_copy(update={"latency_ms": 0.1, "plan": ""})
    solution = Solution(id="s", members=(), metric="f1", score=0.9, latency_ms=9.0, folder="f")
    drawn = front([trivial, *fewer], solution, FAMILY.metrics["f1"], str, 5.0)
    assert drawn.startswith("<svg") and "5 ms allowed" in drawn


def test_the_front_holds_what_no_other_beats_in_score_and_time():
    def one(name, score, ms):
        return some_trial(name, {}, score).model_copy(update={"latency_ms": ms})

    done = [one("slow", 0.9, 9.0), one("beaten", 0.7, 5.0), one("quick", 0.6, 0.1), one("middle", 0.8, 1.0)]
    assert [trial.candidate for trial in unbeaten(done, FAMILY.metrics["f1"])] == ["quick", "middle", "slow"]
    assert [trial.candidate for trial in unbeaten(done, get_family("tabular_regression").metrics["rmse"])] == ["quick"]
