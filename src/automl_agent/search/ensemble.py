"""Ensemble selection: which trials to average, with which weights, judged by out-of-fold predictions only.

After Caruana et al., "Ensemble selection from libraries of models" (ICML 2004): greedy, with replacement, from the best
single member, the best round kept; weights averaged over bootstrap samples where rows are few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Loss = Callable[[Array, Array], float]
    """(truth, prediction) → loss, lower is better."""

_FEW_ROWS = 1_000
_BOOTSTRAPS = 10
_LEADERS = 5
_PATIENCE = 8
"""Rounds without a gain after which a selection ends: the best round is kept anyway."""


def select(
    predictions: Mapping[str, Array],
    truth: Array,
    score: Loss,
    *,
    rounds: int = 25,
    max_members: int = 8,
    costs: Mapping[str, float] | None = None,
    max_cost: float | None = None,
    bootstraps: int | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Choose members and their weights.

    Args:
        predictions: Out-of-fold predictions of each member, (rows, classes) or (rows,). Rows that are NaN in any member
            are left out.
        truth: Class codes or values, (rows,); or (rows, n) with what the score needs besides.
        score: (truth, prediction) → loss, lower is better; a loss that is not finite never wins.
        costs: What a member adds to the latency of the ensemble, in the unit of `max_cost`.
        max_cost: Bound on the sum of the members' costs. When no member fits, the cheapest is taken alone.
        bootstraps: Samples over which weights are averaged; by default 10 under 1,000 rows, else none.

    Returns:
        Weight of each chosen member, largest first; they sum to 1. Empty when no row is common to all members.
    """
    names, stack, truth = _common(predictions, truth)
    if not names or not len(truth):
        return {}
    prices = np.array([0.0 if costs is None else costs.get(name, 0.0) for name in names])
    limits = _Limits(rounds, max_members, prices, np.inf if max_cost is None else max_cost)
    if bootstraps is None:
        bootstraps = _BOOTSTRAPS if len(truth) < _FEW_ROWS else 0
    weights = _greedy(stack, truth, score, limits)
    if bootstraps and np.count_nonzero(weights) > 0 and len(names) > 1:
        weights = _bagged(stack, truth, score, limits, bootstraps, np.random.default_rng(seed), single=weights)
    order = sorted(np.flatnonzero(weights), key=lambda index: -weights[index])
    return {names[index]: float(weights[index]) for index in order}


def leaders(
    predictions: Mapping[str, Array],
    truth: Array,
    score: Loss,
    groups: Mapping[str, str],
    *,
    costs: Mapping[str, float] | None = None,
    max_cost: float | None = None,
) -> dict[str, float]:
    """Equal weights of the best member of each of the best groups: of as many groups, up to 5, as score best together.

    Args:
        groups: group of each member.
        predictions, truth, score, costs, max_cost: as for `select`.

    Returns:
        As `select`.
    """
    names, stack, truth = _common(predictions, truth)
    if not names or not len(truth):
        return {}
    losses = np.array([_loss(score, truth, member) for member in stack])
    best: dict[str, int] = {}
    for index in np.argsort(losses, kind="stable"):
        best.setdefault(groups[names[index]], int(index))
    prices = np.array([0.0 if costs is None else costs.get(name, 0.0) for name in names])
    limits = _Limits(_LEADERS, _LEADERS, prices, np.inf if max_cost is None else max_cost)
    counts = np.zeros(len(names))
    tried: list[tuple[float, int, Array]] = []
    for index in best.values():
        if limits.allows(counts, index):
            counts[index] = 1
            chosen = np.flatnonzero(counts)
            tried.append((_loss(score, truth, stack[chosen].mean(axis=0)), len(tried), chosen))
    if not tried:
        return {names[int(np.argmin(prices))]: 1.0}
    _, _, chosen = min(tried, key=lambda one: one[:2])
    return {names[index]: 1 / len(chosen) for index in sorted(chosen, key=lambda index: losses[index])}


def combine(predictions: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """Weighted mean of the members' predictions (the weights add up to 1); NaN where a member has none."""
    return np.asarray(sum(weight * predictions[name] for name, weight in weights.items()))


@dataclass(frozen=True)
class _Limits:
    rounds: int
    max_members: int
    costs: Array
    """(members,)"""
    max_cost: float

    def allows(self, counts: Array, index: int) -> bool:
        """Whether a member may be added to those chosen so far."""
        if counts[index]:
            return True
        chosen = counts > 0
        fits = bool(self.costs[chosen].sum() + self.costs[index] <= self.max_cost)
        return fits and int(chosen.sum()) < self.max_members


def _greedy(stack: Array, truth: Array, score: Loss, limits: _Limits) -> Array:
    """Weights (members,) of one greedy selection over `stack` (members, rows, ...)."""
    counts = np.zeros(len(stack), dtype=int)
    total = np.zeros(stack.shape[1:])
    best, best_loss, best_round = counts, np.inf, 0
    for step in range(1, limits.rounds + 1):
        losses = [
            _loss(score, truth, (total + member) / step) if limits.allows(counts, index) else np.nan
            for index, member in enumerate(stack)
        ]
        if np.all(np.isnan(losses)):  # no member fits
            break
        index = int(np.nanargmin(losses))
        counts = counts + (np.arange(len(stack)) == index)
        total = total + stack[index]
        if losses[index] < best_loss:
            best, best_loss, best_round = counts, losses[index], step
        elif step - best_round >= _PATIENCE:
            break
    if not best.any():
        best = (np.arange(len(stack)) == (np.argmin(limits.costs) if not counts.any() else np.argmax(counts))).astype(
            int
        )
    return np.asarray(best / best.sum())


def _bagged(
    stack: Array, truth: Array, score: Loss, limits: _Limits, bootstraps: int, rng: np.random.Generator, single: Array
) -> Array:
    """Weights averaged over bootstrap samples: with few rows, one selection follows their noise.

    Falls back to the one selection, `single`, when the average is worse than its best member alone.
    """
    weights = np.zeros(len(stack))
    for _ in range(bootstraps):
        rows = _bootstrap(truth, rng)
        weights += _greedy(stack[:, rows], truth[rows], score, limits)
    weights = _within(weights, limits)
    alone = min(_loss(score, truth, stack[index]) for index in np.flatnonzero(single))
    average = np.asarray(np.tensordot(weights, stack, axes=1))
    return weights if _loss(score, truth, average) <= alone else single


def _within(weights: Array, limits: _Limits) -> Array:
    """The heaviest members that the limits allow together, scaled to a sum of 1."""
    kept = np.zeros(len(weights))
    for index in np.argsort(-weights, kind="stable"):
        if weights[index] > 0 and (not kept.any() or limits.allows(kept, index)):
            kept[index] = weights[index]
    return np.asarray(kept / kept.sum())


def _bootstrap(truth: Array, rng: np.random.Generator) -> Array:
    """Rows drawn with replacement; of class codes, as many of each class as there are."""
    if not np.issubdtype(truth.dtype, np.integer):
        return rng.integers(0, len(truth), len(truth))
    groups = [np.flatnonzero(truth == code) for code in np.unique(truth)]
    return np.concatenate([rng.choice(group, len(group)) for group in groups])


def _loss(score: Loss, truth: Array, prediction: Array) -> float:
    """The loss, infinite where it is not a number."""
    value = float(score(truth, prediction))
    return value if np.isfinite(value) else np.inf


def _common(predictions: Mapping[str, Array], truth: Array) -> tuple[list[str], Array, Array]:
    """Names, predictions (members, rows, ...) and truth on the rows that all members predicted."""
    if not predictions:
        return [], np.empty((0, 0)), np.empty(0)
    stack = np.stack([np.asarray(array, dtype=float) for array in predictions.values()])
    rows = np.all([_finite(member) for member in stack], axis=0)
    return list(predictions), stack[:, rows], np.asarray(truth)[rows]


def _finite(array: Array) -> Array:
    """(rows,) whether a row has a prediction."""
    finite = np.isfinite(np.asarray(array, dtype=float))
    return np.asarray(finite if finite.ndim == 1 else finite.all(axis=1))
