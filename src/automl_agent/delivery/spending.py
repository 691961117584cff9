"""What the calls of language models came to: in all, and by who asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from automl_agent.delivery.words import money, number, plural
from automl_agent.records import ModelCall

_OUTCOMES = {
    "auth": "key refused",
    "limit": "over a limit",
    "not_found": "no such model",
    "schema": "wrong form",
    "server": "server error",
    "unparsable": "not readable",
}
"""Names of outcomes that do not speak for themselves."""


@dataclass(frozen=True)
class Spending:
    """Some calls, summed up."""

    calls: tuple[ModelCall, ...]

    @property
    def outcomes(self) -> dict[str, int]:
        """How the calls ended: `ok` first, then the commonest."""
        counts: dict[str, int] = {}
        for call in self.calls:
            counts[call.outcome] = counts.get(call.outcome, 0) + 1
        return dict(sorted(counts.items(), key=lambda pair: (pair[0] != "ok", -pair[1], pair[0])))

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(call.model for call in self.calls))

    @property
    def seconds(self) -> float:
        return sum(call.seconds for call in self.calls)

    @property
    def input_tokens(self) -> int:
        return sum(call.input_tokens for call in self.calls if not call.cached)

    @property
    def output_tokens(self) -> int:
        return sum(call.output_tokens for call in self.calls if not call.cached)

    @property
    def cached(self) -> int:
        return sum(call.cached for call in self.calls)

    @property
    def estimated(self) -> int:
        """Calls without a reported usage: their tokens are an upper bound."""
        return sum(call.estimated for call in self.calls)

    @property
    def unpriced(self) -> int:
        """Calls of models whose price is not known."""
        return sum(call.usd is None and not call.cached for call in self.calls)

    @property
    def money(self) -> str:
        """What it cost, as far as prices are known."""
        return priced(sum(call.usd or 0.0 for call in self.calls if not call.cached), self.unpriced)

    def __str__(self) -> str:
        """`12 calls, 31,412 tokens, $0.042`; as in the ledger, answers from memory cost nothing and are told apart."""
        tokens = plural(self.input_tokens + self.output_tokens, "token")
        memory = f", {number(self.cached)} more from memory" if self.cached else ""
        return f"{plural(len(self.calls) - self.cached, 'call')}, {tokens}, {self.money}{memory}"


def by_role(calls: Iterable[ModelCall]) -> dict[str, Spending]:
    """The calls of each role, in the order in which the roles first asked."""
    roles: dict[str, list[ModelCall]] = {}
    for call in calls:
        roles.setdefault(call.role, []).append(call)
    return {role: Spending(tuple(made)) for role, made in roles.items()}


def outcome_name(outcome: str) -> str:
    """How a call ended, for people."""
    return _OUTCOMES.get(outcome, outcome.replace("_", " "))


def priced(usd: float, unknown: int) -> str:
    """Money in words, where the price of some calls may not be known."""
    if not unknown:
        return money(usd)
    return f"at least {money(usd)}" if usd else "price not known"
