"""Composes a solution from finished trials: which members, with what weight, how many fold models of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from automl_agent.records import Constraint, Trial
from automl_agent.search.ensemble import combine, leaders, select
from automl_agent.search.estimates import bootstrap_interval, calibrated, cross_fitted, cross_fitted_answers, tie_break
from automl_agent.search.runner import TrialRunner, ranked
from automl_agent.tasks.family import loss

if TYPE_CHECKING:
    from automl_agent.tasks.measures import Threshold

MARGIN = 0.8
"""Share of a limit that the plan of an ensemble may fill: single measurements are noisy."""
OVERHEAD_MS = 0.6
"""What checking and typing one raw row costs before any model sees it."""
TIE_WEIGHT = 1e-4
"""Weight of the smoother metric beside the user's: it orders equal scores and overrules no unequal ones."""
WHOLE = 1.5
"""Time to fit on all rows, as a multiple of the time to fit without a fold."""
MAX_ROWS = 8000
"""Rows that the weights are fitted on at most."""


@dataclass(frozen=True)
class Draft:
    """A solution before it is built."""

    weights: Mapping[str, float]
    """Trial id -> weight; they add up to 1."""
    folds: int
    """Number of fold models of each member that ship."""
    threshold: Threshold
    score: float
    """Cross-fitted: weights, temperature and threshold fitted without the scored fold."""
    interval: tuple[float, float]
    temperature: float = 1.0
    """Of the blend's probabilities (`measures.tempered`)."""
    others: Mapping[str, float] = field(default_factory=dict)
    gains: Mapping[str, float] = field(default_factory=dict)
    """Candidate of a member -> by how much the out-of-fold score is worse without it."""
    spread: Any = None
    """What 90 % prediction intervals are made of (`TaskFamily.spread`)."""


@dataclass(frozen=True)
class _Table:
    """Aligned out-of-fold predictions of all trials."""

    rows: Any
    truth: Any
    folds: Any
    predictions: Mapping[str, Any]


def compose(
    runner: TrialRunner, trials: Sequence[Trial], *, tightness: float = 1.0, seconds: float | None = None
) -> Draft:
    """Ensemble selection on out-of-fold predictions (Caruana et al. 2004), inside the limits of the task.

    Args:
        trials: finished trials of equal fidelity, all folds.
        tightness: factor below 1 that shrinks the limits, after a build that measured too much.
        seconds: that there are to fit the members on all rows, where that is what ships.
    """
    rivals = trials
    if not runner.family.blends:
        trials = _best_affordable(runner, trials, tightness)
    table = _aligned(runner, trials)
    costs = {trial.id: limit_share(trial, runner.task.constraints, tightness) for trial in trials}
    if seconds is not None:
        room = max(seconds * runner.pool.size, 1e-3)
        costs = {t.id: max(costs[t.id], WHOLE * t.fit_seconds / max(1, t.fidelity.folds) / room) for t in trials}
    affordable = {name: value for name, value in costs.items() if value <= 1.0}
    if not affordable:  # nothing fits: the lightest, so that the shortfall is as small as can be
        lightest = min(costs, key=lambda name: costs[name])
        affordable = {lightest: costs[lightest]}
    limited = any(value > 0 for value in affordable.values())
    bound = max(1.0, *affordable.values()) if limited else None
    candidates = {trial.id: trial.candidate for trial in trials if trial.id in affordable}
    choice = _Choice(runner, table, candidates, affordable if limited else None, bound, _levels(runner, table))
    weights, combined, gains = _gated(choice)
    total = sum(costs[name] for name in weights)
    k = trials[0].fidelity.folds
    shipped = k if total <= 0 else max(1, min(k, int(1.0 / total)))
    if runner.family.ships == "whole":
        shipped = 1
    if not runner.family.blends:
        gains = _lead(runner, trials[0], rivals)
    return replace(_judged(runner, table, weights, shipped, combined), gains=gains)


def _lead(runner: TrialRunner, best: Trial, rivals: Sequence[Trial]) -> dict[str, float]:
    """By how much the score of one trial is better than that of the best other candidate, 0 at least."""
    metric = runner.family.metrics[runner.task.metric]
    others = [loss(metric, trial.score) for trial in rivals
              if trial.candidate != best.candidate and trial.score is not None]  # fmt: skip
    if not others or best.score is None:
        return {}
    return {best.candidate: max(0.0, min(others) - loss(metric, best.score))}


def _gated(choice: _Choice) -> tuple[dict[str, float], Any, dict[str, float]]:
    """Weights, cross-fitted blend, and what each candidate brings; one without which the blend is better goes."""
    weights, combined = _blended(choice)
    everything = choice.truth(slice(None))
    for _ in range(len(set(choice.candidates.values()))):
        worst, worse = min(_losses_without(choice, weights).items(), key=lambda item: item[1], default=("", 0.0))
        if worse >= 0 or len({choice.candidates[name] for name in weights}) == 1:
            break
        rest = replace(choice, candidates={name: own for name, own in choice.candidates.items() if own != worst})
        other_weights, other = _blended(rest)
        if choice.loss(everything, other) >= choice.loss(everything, combined):
            break
        choice, weights, combined = rest, other_weights, other
    return weights, combined, _gains(choice, weights)


def _without(choice: _Choice, weights: Mapping[str, float], predictions: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What could stand in place of each candidate of a blend: the others in their proportions; for the only one, any
    trial of another candidate."""
    instead: dict[str, list[Any]] = {}
    for candidate in dict.fromkeys(choice.candidates[name] for name in weights):
        rest = {name: weight for name, weight in weights.items() if choice.candidates[name] != candidate}
        total = sum(rest.values())
        instead[candidate] = (
            [combine(predictions, {name: weight / total for name, weight in rest.items()})]
            if rest
            else [predictions[name] for name, other in choice.candidates.items() if other != candidate]
        )
    return instead


def _losses_without(choice: _Choice, weights: Mapping[str, float]) -> dict[str, float]:
    """Candidate of a blend -> by how much its loss is higher without it."""
    predictions, truth = choice.masked(choice.table.folds >= 0)
    whole = choice.loss(truth, combine(predictions, weights))
    instead = _without(choice, weights, predictions)
    return {name: min(choice.loss(truth, one) for one in others) - whole for name, others in instead.items() if others}


def _gains(choice: _Choice, weights: Mapping[str, float]) -> dict[str, float]:
    """Candidate of a blend -> by how much the score in the user's metric is worse without it, 0 at least."""
    metric = choice.runner.family.metrics[choice.runner.task.metric]
    predictions, _ = choice.masked(choice.table.folds >= 0)
    whole = loss(metric, choice.score(combine(predictions, weights)))
    instead = _without(choice, weights, predictions)
    return {
        name: max(0.0, min(loss(metric, choice.score(one)) for one in others) - whole)
        for name, others in instead.items()
        if others
    }


def _judged(runner: TrialRunner, table: _Table, weights: Mapping[str, float], shipped: int, combined: Any) -> Draft:
    """Score the cross-fitted blend; the threshold that ships is fitted on the blend with the final weights."""
    from automl_agent.tasks.measures import tempered

    family, metric, positive = runner.family, runner.task.metric, runner.positive
    combined, temperature = calibrated(family, table.truth, combined, table.folds, averaged=shipped > 1)
    final = tempered(combine(table.predictions, weights), temperature)
    score, threshold = cross_fitted(family, metric, table.truth, combined, table.folds, positive)
    shipped_threshold = family.threshold(metric, table.truth, final, positive=positive)
    judged = combined
    answered = cross_fitted_answers(family, metric, table.truth, combined, table.folds)
    if answered is not None:
        decided = family.score(metric, table.truth, answered, threshold=threshold)
        if loss(family.metrics[metric], decided) < loss(family.metrics[metric], score):
            score, judged, shipped_threshold = decided, answered, family.decision(metric, table.truth, final)
    if family.pooled:
        interval = bootstrap_interval(
            family, metric, table.truth, judged, positive=positive, threshold=threshold, seed=runner.seed
        )
    else:
        interval = _over_folds(runner, table, combined)
    others = {
        c.measure: _other(
            runner, table, judged if family.metrics[c.measure].needs == "labels" else combined, c.measure, threshold
        )
        for c in runner.task.constraints
        if c.measure in family.metrics and c.measure != metric
    }
    spread = family.spread(runner.data, table.rows, table.truth, combined)
    return Draft(weights, shipped, shipped_threshold, float(score), interval, temperature, others, spread=spread)


def _other(runner: TrialRunner, table: _Table, prediction: Any, metric: str, threshold: Threshold) -> float:
    """A further metric of the blend: pooled, or the mean over the folds, as the family's scores are."""
    if not runner.family.pooled:
        return cross_fitted(runner.family, metric, table.truth, prediction, table.folds, runner.positive)[0]
    return runner.family.score(metric, table.truth, prediction, positive=runner.positive, threshold=threshold)


def _best_affordable(runner: TrialRunner, trials: Sequence[Trial], tightness: float) -> list[Trial]:
    """The best single trial inside the limits, or the lightest where none is."""
    order = ranked(runner.family, runner.task.metric, trials)
    costs = {trial.id: limit_share(trial, runner.task.constraints, tightness) for trial in order}
    fitting = [trial for trial in order if costs[trial.id] <= 1.0]
    if not fitting:
        return [min(order, key=lambda trial: costs[trial.id])]
    return [_agreed(runner, fitting, order)]


def _agreed(runner: TrialRunner, fitting: Sequence[Trial], order: Sequence[Trial]) -> Trial:
    """The best trial by its score, and by its agreement with the best of each other candidate where the metric asks for
    consensus. Both are means over the folds."""
    import numpy as np

    metric = runner.family.metrics[runner.task.metric]
    if not metric.consensus:
        return fitting[0]
    table = _aligned(runner, order)
    folds = [table.folds == fold for fold in np.unique(table.folds)]
    leaders: dict[str, Trial] = {}
    for trial in order:
        leaders.setdefault(trial.candidate, trial)
    leaders.pop(runner.family.baseline, None)

    def judged(trial: Trial) -> float:
        own = table.predictions[trial.id]
        others = [table.predictions[one.id] for name, one in leaders.items() if name != trial.candidate]
        agreed = [runner.family.agreement(own[rows], other[rows]) for other in others for rows in folds]
        return loss(metric, trial.score or 0.0) - metric.consensus * float(np.mean(agreed or [0.0]))

    return min(fitting, key=judged)


def _over_folds(runner: TrialRunner, table: _Table, prediction: Any) -> tuple[float, float]:
    """Two standard errors around the mean over the folds."""
    import numpy as np

    parts = [table.folds == fold for fold in np.unique(table.folds)]
    scores = [runner.family.score(runner.task.metric, table.truth[part], prediction[part]) for part in parts]
    error = float(np.std(scores) / np.sqrt(len(scores)))
    return float(np.mean(scores)) - 2 * error, float(np.mean(scores)) + 2 * error


def _aligned(runner: TrialRunner, trials: Sequence[Trial]) -> _Table:
    import numpy as np

    predictions = {}
    folds_of: Any = None
    for trial in trials:
        rows, prediction, folds = runner.predictions(trial)
        order = np.argsort(rows, kind="stable")
        predictions[trial.id] = prediction[order]
        rows, folds_of = rows[order], folds[order]
    truth = runner.family.training_truth(runner.data)[rows]
    return _Table(rows, truth, folds_of, predictions)


@dataclass(frozen=True)
class _Choice:
    """What members and weights are chosen from, and by."""

    runner: TrialRunner
    table: _Table
    candidates: Mapping[str, str]
    """Trial id -> its candidate, of the trials that may be members."""
    costs: Mapping[str, float] | None
    bound: float | None

    levels: Mapping[float, float] | None
    """Fold -> what errors in it are divided by, where the folds are different times."""

    def masked(self, mask: Any) -> tuple[dict[str, Any], Any]:
        """Predictions and truth of the masked rows, thinned."""
        rows = self.thinned(mask)
        return {name: self.table.predictions[name][rows] for name in self.candidates}, self.truth(rows)

    def thinned(self, mask: Any) -> Any:
        """The masked rows, or as many of them as weights are fitted on."""
        import numpy as np

        rows = np.flatnonzero(mask)
        if len(rows) > MAX_ROWS:
            rows = np.random.default_rng(self.runner.seed).choice(rows, MAX_ROWS, replace=False)
        return rows

    def truth(self, rows: Any) -> Any:
        """The truth of rows as `loss` takes it: with `levels`, its last column is the fold."""
        import numpy as np

        truth = self.table.truth[rows]
        return np.column_stack([truth, self.table.folds[rows]]) if self.levels else truth

    def loss(self, truth: Any, prediction: Any) -> float:
        if not self.levels:
            return self._loss(truth, prediction)
        parts = [(truth[:, -1] == fold, level) for fold, level in self.levels.items()]
        shape = self.table.truth.shape[1:]
        losses = [self._loss(truth[rows, :-1].reshape(-1, *shape), prediction[rows]) / level
                  for rows, level in parts if rows.any()]  # fmt: skip
        return sum(losses) / len(losses)

    def _loss(self, truth: Any, prediction: Any) -> float:
        family, metric, positive = self.runner.family, self.runner.task.metric, self.runner.positive
        threshold = family.threshold(metric, truth, prediction, positive=positive)
        score = family.score(metric, truth, prediction, positive=positive, threshold=threshold)
        smooth = TIE_WEIGHT * tie_break(family, metric, truth, prediction, positive)
        return loss(family.metrics[metric], score) + smooth

    def score(self, prediction: Any) -> float:
        """In the user's metric, of a prediction for all rows as `masked` thins them."""
        family, metric, positive = self.runner.family, self.runner.task.metric, self.runner.positive
        truth = self.table.truth[self.thinned(self.table.folds >= 0)]
        threshold = family.threshold(metric, truth, prediction, positive=positive)
        return family.score(metric, truth, prediction, positive=positive, threshold=threshold)

    def selected(self, mask: Any, bootstraps: int | None = None) -> dict[str, float]:
        """Weights by ensemble selection on the masked rows."""
        return select(*self.masked(mask), self.loss, costs=self.costs, max_cost=self.bound, bootstraps=bootstraps,
                      seed=self.runner.seed)  # fmt: skip

    def plain(self, mask: Any, _: int | None = None) -> dict[str, float]:
        """Equal weights of the best trial of each of the best candidates, of as many as are best on the masked rows."""
        return leaders(*self.masked(mask), self.loss, self.candidates, costs=self.costs, max_cost=self.bound)


def _levels(runner: TrialRunner, table: _Table) -> Mapping[float, float] | None:
    """Median loss of the trials in each fold, for errors of families whose folds are different times.

    Without it, the one hard time of a series chooses the members: there the most can be won, and by luck.
    """
    import numpy as np

    family, metric = runner.family, runner.task.metric
    if not family.dated or family.metrics[metric].higher_is_better:
        return None
    levels = {}
    for fold in np.unique(table.folds):
        rows = table.folds == fold
        losses = [family.score(metric, table.truth[rows], one[rows]) for one in table.predictions.values()]
        levels[float(fold)] = float(np.median([one for one in losses if np.isfinite(one)] or [1.0])) or 1.0
    return levels


def _blended(choice: _Choice) -> tuple[dict[str, float], Any]:
    """Weights, and the blend in which each fold's weights were fitted on the other folds.

    Selection with free weights follows the noise of few rows, above all of few rows and many alike trials; plain means
    have next to nothing to fit. What scores better cross-fitted is taken.
    """
    import numpy as np

    table = choice.table
    weights = choice.selected(table.folds >= 0)
    present = np.unique(table.folds)
    if len(choice.candidates) == 1 or len(present) < 2:
        return weights, combine(table.predictions, weights)
    free = _cross_fitted_blend(choice, choice.selected)
    plain = _cross_fitted_blend(choice, choice.plain)
    truth = choice.truth(slice(None))
    if choice.loss(truth, plain) < choice.loss(truth, free):
        return choice.plain(table.folds >= 0), plain
    return weights, free


def _cross_fitted_blend(choice: _Choice, fit: Callable[[Any, int], dict[str, float]]) -> Any:
    """Blend in which each fold's weights were fitted on the other folds."""
    import numpy as np

    table = choice.table
    blend = np.empty_like(next(iter(table.predictions.values())), dtype=float)
    for fold in np.unique(table.folds):
        inside = table.folds == fold
        blend[inside] = combine(table.predictions, fit(~inside, 2))[inside]
    return blend


def limit_share(trial: Trial, constraints: Sequence[Constraint], tightness: float = 1.0) -> float:
    """Largest share of a limit that one fold's model of the trial takes; above 1 it cannot ship inside, 0 when there is
    no limit."""
    folds = max(1, trial.fidelity.folds)
    each = {
        "latency_ms": trial.latency_ms or 0.0,
        "size_mb": trial.size_mb,
        "train_seconds": trial.fit_seconds / folds,
    }
    shares = [0.0]
    for constraint in constraints:
        limit = constraint.value
        if constraint.measure in each and constraint.comparison in ("<=", "<") and isinstance(limit, float):
            fixed = OVERHEAD_MS if constraint.measure == "latency_ms" else 0.0
            room = max((limit - fixed) * MARGIN * tightness, 1e-9)
            shares.append(each[constraint.measure] / room)
        elif constraint.measure == "memory_mb" and isinstance(limit, float) and trial.memory_mb > limit:
            shares.append(trial.memory_mb / limit)  # of an ensemble the largest counts, and not the sum
    return max(shares)
