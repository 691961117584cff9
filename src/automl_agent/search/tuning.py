"""Optuna search over a candidate's declared space: ask, run, tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_agent.records import CandidateChoice, Params, Trial
from automl_agent.tasks.family import Candidate, MetricSpec, loss

if TYPE_CHECKING:
    import optuna


class Tuner:
    """A TPE study over one candidate's space, seeded by what was measured before (Bergstra et al. 2011; Optuna)."""

    def __init__(
        self, candidate: Candidate, metric: MetricSpec, seed: int, space: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """
        Args:
            space: Where to search instead of the candidate's whole space.
        """
        import optuna

        self.candidate = candidate
        self.called = candidate.name
        """What trials call the candidate: a user's own goes by the path of its file."""
        self.metric = metric
        self.space = space or candidate.space
        self._open: dict[str, optuna.trial.Trial] = {}
        self._fixed: Params = {}
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=6, multivariate=True)
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # its one line about a new study is not for the host's log
        try:
            self.study = optuna.create_study(direction="minimize", sampler=sampler)
        finally:
            optuna.logging.set_verbosity(level)

    def learn(self, trial: Trial) -> None:
        """Take a finished trial of the same candidate and fidelity into the study."""
        import optuna

        self.called = trial.candidate
        if trial.score is None:
            return
        distributions = {name: _distribution(spec) for name, spec in self.space.items()}
        params = {
            name: trial.params[name] for name in distributions if _fits(distributions[name], trial.params.get(name))
        }
        self.study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions={name: distributions[name] for name in params},
                value=loss(self.metric, trial.score),
            )
        )

    def ask(self, base: Params, plan: str) -> tuple[str, CandidateChoice]:
        """The next configuration: `base`, with every parameter of the space suggested."""
        trial = self.study.ask({name: _distribution(spec) for name, spec in self.space.items()})
        token = f"{plan}:{trial.number}"
        self._open[token] = trial
        params = {**base, **trial.params}
        return token, CandidateChoice(candidate=self.called, params=params, reason=f"tuning trial {trial.number}")

    def tell(self, token: str, score: float | None) -> None:
        import optuna

        trial = self._open.pop(token)
        if score is None:
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self.study.tell(trial, loss(self.metric, score))


def _distribution(spec: Mapping[str, Any]) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match spec["type"]:
        case "float":
            return FloatDistribution(spec["low"], spec["high"], log=spec.get("log", False))
        case "int":
            return IntDistribution(spec["low"], spec["high"], log=spec.get("log", False))
        case "categorical":
            return CategoricalDistribution(spec["choices"])
    raise ValueError(f"A search space knows the types float, int and categorical, not {spec['type']!r}.")


def _fits(distribution: optuna.distributions.BaseDistribution, value: Any) -> bool:
    from optuna.distributions import CategoricalDistribution

    if value is None or isinstance(value, list):
        return False
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return bool(distribution.low <= value <= distribution.high)  # type: ignore[attr-defined]
