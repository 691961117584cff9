"""Ensemble selection: what it chooses, within which limits, and that its estimate is honest."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from automl_agent.records import Fidelity, TaskSpec, Trial
from automl_agent.search.compose import Draft, compose
from automl_agent.search.ensemble import combine, leaders, select
from automl_agent.tasks.registry import get_family

Array = npt.NDArray[np.float64]


def rmse(truth: Array, prediction: Array) -> float:
    return float(np.sqrt(np.mean((truth - prediction) ** 2)))


def log_loss(truth: Array, prediction: Array) -> float:
    return float(-np.mean(np.log(np.clip(prediction[np.arange(len(truth)), truth.astype(int)], 1e-9, None))))


@pytest.fixture
def noisy() -> tuple[dict[str, Array], Array]:
    """Three members with independent errors, and one that is far off."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=2_000)
    members = {name: truth + rng.normal(size=2_000) for name in "abc"}
    return {**members, "bad": truth + rng.normal(scale=20, size=2_000)}, truth


def test_independent_members_are_averaged_and_the_bad_one_is_left_out(noisy: tuple[dict[str, Array], Array]) -> None:
    predictions, truth = noisy
    weights = select(predictions, truth, rmse)
    assert set(weights) == {"a", "b", "c"}
    assert sum(weights.values()) == pytest.approx(1)
    assert all(0.2 < weight < 0.5 for weight in weights.values())
    assert list(weights.values()) == sorted(weights.values(), reverse=True)
    assert rmse(truth, combine(predictions, weights)) < 0.65 * rmse(truth, predictions["a"])


def test_a_perfect_member_stands_alone() -> None:
    truth = np.arange(50.0)
    assert select({"off": truth + 1, "right": truth}, truth, rmse) == {"right": 1.0}


def test_member_and_cost_limits_hold(noisy: tuple[dict[str, Array], Array]) -> None:
    predictions, truth = noisy
    assert len(select(predictions, truth, rmse, max_members=2)) == 2
    costs = {"a": 3.0, "b": 3.0, "c": 1.0, "bad": 0.5}
    assert set(select(predictions, truth, rmse, costs=costs, max_cost=4.0)) in ({"a", "c"}, {"b", "c"})
    assert select(predictions, truth, rmse, costs=costs, max_cost=0.1) == {"bad": 1.0}


def test_limits_hold_for_averaged_weights_too() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=100)
    predictions = {f"m{i}": truth + rng.normal(size=100) for i in range(12)}
    costs = dict.fromkeys(predictions, 1.0)
    assert len(select(predictions, truth, rmse, max_members=3)) == 3
    assert len(select(predictions, truth, rmse, costs=costs, max_cost=2.5)) == 2


def test_few_rows_give_smoother_weights_and_the_same_ones_for_a_seed() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 200)
    predictions = {}
    for name in "abcdef":
        p = np.clip(0.5 + 0.15 * (2 * truth - 1) + rng.normal(scale=0.2, size=200), 0.02, 0.98)
        predictions[name] = np.column_stack([1 - p, p])
    once, again = (select(predictions, truth, log_loss, seed=1) for _ in range(2))
    assert once == again
    assert len(once) >= len(select(predictions, truth, log_loss, bootstraps=0))
    assert log_loss(truth, combine(predictions, once)) <= min(log_loss(truth, p) for p in predictions.values())


def test_a_rare_class_is_in_every_bootstrap_sample() -> None:
    truth = np.array([0] * 98 + [1] * 2)
    rng = np.random.default_rng(3)
    predictions = {name: rng.dirichlet([1, 1], 100) for name in "ab"}

    def strict(truth: Array, prediction: Array) -> float:
        assert set(truth) == {0, 1}
        return log_loss(truth, prediction)

    assert sum(select(predictions, truth, strict).values()) == pytest.approx(1)


def test_rows_without_prediction_are_left_out(noisy: tuple[dict[str, Array], Array]) -> None:
    predictions, truth = noisy
    holes = {name: array.copy() for name, array in predictions.items()}
    holes["a"][:500] = np.nan
    kept = {name: array[500:] for name, array in predictions.items()}
    assert select(holes, truth, rmse) == select(kept, truth[500:], rmse)
    assert np.isnan(combine(holes, {"a": 0.5, "b": 0.5})[:500]).all()


def test_a_loss_that_is_not_a_number_never_wins() -> None:
    truth = np.arange(10.0)
    predictions = {"odd": np.append(truth[:-1], 0.0), "fine": truth}

    def loss(truth: Array, prediction: Array) -> float:
        return rmse(truth, prediction) if prediction[-1] == truth[-1] else float("nan")

    assert select(predictions, truth, loss, bootstraps=0) == {"fine": 1.0}
    assert select({"odd": truth}, truth, loss) == {"odd": 1.0}


def test_nothing_to_choose_from_is_nothing() -> None:
    assert select({}, np.arange(3.0), rmse) == {}
    assert select({"a": np.full(3, np.nan)}, np.arange(3.0), rmse) == {}


def composed(folder: Path, truth: Array, predictions: dict[str, Array], candidates: dict[str, str], *,
             dated: bool = False) -> Draft:  # fmt: skip
    """What is composed of trials for which these are the out-of-fold predictions, on four folds."""
    rows = np.arange(len(truth))
    np.save(folder / "target.npy", truth)
    family: Any = copy.copy(get_family("tabular_regression"))
    family.dated = dated
    runner: Any = SimpleNamespace(
        family=family,
        task=TaskSpec(words="", metric="rmse"),
        positive=None,
        seed=0,
        data=folder,
        predictions=lambda trial: (rows, predictions[trial.id], rows % 4),
    )
    folds = Fidelity(rows=0, folds=4)
    return compose(runner, [Trial(id=name, plan="", candidate=candidates[name], fidelity=folds, score=1.0)
                            for name in predictions])  # fmt: skip


def test_the_score_of_a_composition_is_not_flattered(tmp_path: Path) -> None:
    """Members of pure noise: what selection gains on the rows that it was fitted on is nothing on others."""
    rng = np.random.default_rng(4)
    truth = rng.normal(size=400)
    predictions = {f"m{i}": rng.normal(scale=0.3, size=400) for i in range(30)}
    draft = composed(tmp_path, truth, predictions, dict.fromkeys(predictions, "c"))
    flattered = rmse(truth, combine(predictions, draft.weights))
    assert flattered < 0.995 * rmse(truth, np.zeros(400))
    assert draft.score > flattered


def test_few_rows_and_many_trials_give_a_plain_mean(tmp_path: Path) -> None:
    """Free weights would fit the noise of forty useless trials, and cost more than they bring."""
    rng = np.random.default_rng(5)
    truth = rng.normal(size=40)
    predictions = {f"noise{i}": rng.normal(size=40) for i in range(40)}
    predictions |= {name: truth + rng.normal(scale=0.5, size=40) for name in ("linear", "trees")}
    draft = composed(tmp_path, truth, predictions, {name: name.rstrip("0123456789") for name in predictions})
    assert draft.weights == {"linear": 0.5, "trees": 0.5}
    assert draft.score < min(rmse(truth, predictions[name]) for name in ("linear", "trees"))


def test_one_hard_time_does_not_choose_the_members(tmp_path: Path) -> None:
    """Half as bad in the hard fold and twice as bad in the others: better in the mean, worse three times of four."""
    truth = np.zeros(400)
    hard = np.arange(400) % 4 == 3
    signs = np.where(np.arange(400) // 4 % 2, 1.0, -1.0)
    predictions = {"lucky": signs * np.where(hard, 5.0, 2.0), "steady": signs * np.where(hard, 10.0, 1.0)}
    candidates = {name: name for name in predictions}
    assert composed(tmp_path, truth, predictions, candidates).weights == {"lucky": 1.0}
    assert composed(tmp_path, truth, predictions, candidates, dated=True).weights == {"steady": 1.0}


def test_a_plain_mean_takes_the_best_trial_of_each_candidate_that_helps() -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(size=2000)
    predictions = {name: truth + rng.normal(scale=scale, size=2000)
                   for name, scale in {"a1": 0.5, "a2": 0.4, "b1": 0.4, "bad": 5.0}.items()}  # fmt: skip
    groups = {"a1": "a", "a2": "a", "b1": "b", "bad": "c"}
    assert leaders(predictions, truth, rmse, groups) == {"a2": 0.5, "b1": 0.5}
    costs = dict.fromkeys(predictions, 1.0)
    assert len(leaders(predictions, truth, rmse, groups, costs=costs, max_cost=1.5)) == 1
    assert leaders(predictions, truth, rmse, groups, costs={**costs, "bad": 0.5}, max_cost=0.4) == {"bad": 1.0}
    assert leaders({}, truth, rmse, {}) == {}


def test_a_lone_odd_clustering_is_not_chosen_for_its_index(tmp_path: Path) -> None:
    """Two algorithms agree and one does not: a hundredth in the index does not outweigh that; a clear lead does."""
    rng = np.random.default_rng(7)
    points = rng.normal(size=(120, 2))
    np.save(tmp_path / "points.npy", np.column_stack([np.full(120, np.nan), points]))
    usual, odd = np.eye(2)[(points[:, 0] > 0).astype(int)], np.eye(2)[(points[:, 1] > 0).astype(int)]
    predictions = {"odd": odd, "usual": usual, "alike": usual}
    runner: Any = SimpleNamespace(
        family=get_family("tabular_clustering"),
        task=TaskSpec(words="", metric="cluster_quality"),
        positive=None,
        seed=0,
        data=tmp_path,
        predictions=lambda trial: (np.arange(120), predictions[trial.id], np.arange(120) % 3),
    )

    def chosen(lead: float, metric: str = "cluster_quality") -> str:
        runner.task = TaskSpec(words="", metric=metric)
        scores = {"odd": 0.5 + lead, "usual": 0.501, "alike": 0.5}
        trials = [Trial(id=name, plan="", candidate=name, fidelity=Fidelity(rows=0, folds=3), score=score)
                  for name, score in scores.items()]  # fmt: skip
        return next(iter(compose(runner, trials).weights))

    assert chosen(0.01) == "usual"
    assert chosen(0.2) == "odd"
    assert chosen(0.01, "silhouette") == "odd"


def test_what_each_candidate_brings_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    truth = rng.normal(size=2000)
    predictions = {name: truth + rng.normal(scale=scale, size=2000) for name, scale in {"a": 0.4, "b": 0.6}.items()}
    draft = composed(tmp_path, truth, predictions, {name: name for name in predictions})
    blend = rmse(truth, combine(predictions, draft.weights))
    assert draft.gains["a"] == pytest.approx(rmse(truth, predictions["b"]) - blend)
    assert draft.gains["a"] > draft.gains["b"] > 0
    assert 0.3 < float(draft.spread) < 1.0  # the intervals of a blend with gains are its own
    alone = composed(tmp_path, truth, {"a": truth, "b": predictions["b"]}, {"a": "a", "b": "b"})
    assert alone.weights == {"a": 1.0} and alone.gains == {"a": pytest.approx(rmse(truth, predictions["b"]))}
    assert composed(tmp_path, truth, {"a": truth}, {"a": "a"}).gains == {}


def test_a_candidate_without_which_the_blend_is_better_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever chose the weights: what does not help does not stay."""
    rng = np.random.default_rng(9)
    truth = rng.normal(size=2000)
    predictions = {"good": truth + rng.normal(scale=0.1, size=2000), "noise": rng.normal(size=2000)}
    monkeypatch.setattr(
        "automl_agent.search.compose.select", lambda shown, *_, **__: dict.fromkeys(shown, 1 / len(shown))
    )
    monkeypatch.setattr(
        "automl_agent.search.compose.leaders", lambda shown, *_, **__: dict.fromkeys(shown, 1 / len(shown))
    )
    draft = composed(tmp_path, truth, predictions, {name: name for name in predictions})
    assert draft.weights == {"good": 1.0}
