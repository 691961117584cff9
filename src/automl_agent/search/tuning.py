"""Optuna search over a candidate's declared space: ask, run, tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from automl_agent.records import CandidateChoice, Fidelity, Params, Trial
from automl_agent.tasks.family import Candidate, MetricSpec, loss

if TYPE_CHECKING:
    import optuna

PATIENCE_EACH = 5
"""Trials of a study without a promising one, for each parameter and once more, after which it ends."""


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


@dataclass
class Study:
    """A candidate that is tuned."""

    tuner: Tuner
    base: Trial
    """The best trial so far, whose data steps all others take over."""
    fidelity: Fidelity
    cost: float
    """Seconds that one of its trials is taken to need at this fidelity on one worker."""
    seconds: float = 0.0
    """Spent on it; where trials are counted, as its cost says: what comes next must not depend on the clock."""
    idle: int = 0
    """Trials since one was promising."""
    known: list[Params] = field(default_factory=list)

    @property
    def promises(self) -> bool:
        """Whether more trials may bring something: a space of one parameter is soon known."""
        return self.idle < PATIENCE_EACH * (1 + len(self.tuner.space))

    def learn(self, trial: Trial) -> None:
        self.known.append(trial.params)
        self.tuner.learn(trial)

    def ask(self) -> tuple[str, CandidateChoice]:
        """The next of the portfolio that was not tried, or what the tuner suggests."""
        for params in self.tuner.candidate.portfolio:
            if params not in self.known:
                self.known.append(params)
                return "", CandidateChoice(candidate=self.tuner.called, params=params, reason="portfolio")
        return self.tuner.ask(self.base.params, self.base.plan)

    def tell(self, token: str, trial: Trial) -> None:
        if token:
            self.tuner.tell(token, trial.score)
        else:
            self.tuner.learn(trial)


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
