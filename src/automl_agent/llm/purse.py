"""The limits of cost, tokens and calls: the worst case is set aside before a request goes out, so none is exceeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from automl_agent.events import Event, ModelCalled, Remark
from automl_agent.execution.ledger import Ledger
from automl_agent.llm.answers import Answer
from automl_agent.llm.faults import Fault
from automl_agent.llm.models import ModelFacts
from automl_agent.llm.prices import Price, PriceTable
from automl_agent.records import ModelCall
from automl_agent.settings import Settings

LEAST_OUTPUT = 256
"""Tokens below which an answer is not worth a request."""
UNANSWERED = "unanswered"
"""Outcome of a request that is under way, or that a killed process left behind: it counts with its worst case."""
_CENTS_KEPT = 1e-9
"""Dollars that stay in the purse, more than sums of floats can be off."""


@dataclass(frozen=True)
class Reservation:
    """A request that may go out, as the ledger holds it."""

    number: int
    call: ModelCall
    """With the worst case."""
    price: Price | None

    @property
    def output_bound(self) -> int:
        return self.call.output_tokens


class Purse:
    """The accounts of one run. They lie in the ledger, so that they hold for all threads and after a kill."""

    def __init__(
        self, ledger: Ledger, run_id: str, settings: Settings, prices: PriceTable, emit: Callable[[Event], None]
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._settings = settings
        self._prices = prices
        self._emit = emit

    def reserve(
        self, model: ModelFacts, call: ModelCall, key: str, *, input_bound: int, output_bound: int
    ) -> Reservation | Fault:
        """Set aside what a request may cost at most. Its output bound is lowered to what the purse still allows.

        Args:
            call: Who asks for what; the tokens are filled in.
            key: Of the answer.
            input_bound: Tokens that the question can have at most.
            output_bound: Tokens that the answer may have.
        """
        price = self._prices.of(model)
        with self._ledger.exclusive():
            allowed = self._allowed(model, price, input_bound, output_bound)
            if isinstance(allowed, Fault):
                return allowed
            news = price is None and not any(made.model == call.model for made in self._ledger.calls(self._run_id))
            usd = price.of(input_bound, allowed) if price is not None else None
            worst = call.model_copy(
                update={
                    "outcome": UNANSWERED,
                    "input_tokens": input_bound,
                    "output_tokens": allowed,
                    "usd": usd,
                    "estimated": True,
                }
            )
            number = self._ledger.record_call(self._run_id, worst, key=key)
        if news:
            self._emit(
                Remark(text=f"The price of {model.name} is not known; its calls count no money.", level="warning")
            )
        return Reservation(number, worst, price)

    def settle(self, reservation: Reservation, outcome: Answer | Fault, seconds: float, kind: str) -> None:
        """Replace the worst case by what was used; it stays where nobody says, since the model may have worked."""
        changes: dict[str, object] = {"outcome": kind, "seconds": round(seconds, 3)}
        if isinstance(outcome, Answer) and outcome.reported:
            changes |= self._tokens(reservation, outcome.input_tokens, outcome.output_tokens, outcome.cached_tokens)
        elif isinstance(outcome, Fault) and not outcome.billed:
            changes |= self._tokens(reservation, 0, 0, 0)
        call = reservation.call.model_copy(update=changes)
        self._ledger.settle_call(reservation.number, call)
        self._tell(call)

    def remember(self, call: ModelCall, key: str) -> int:
        """Note an answer that came from memory, which costs nothing; gives the number of its call."""
        number = self._ledger.record_call(self._run_id, call, key=key)
        self._tell(call)
        return number

    def amend(self, number: int, kind: str) -> None:
        """Say that an answer that arrived was of no use after all."""
        self._ledger.amend_call(number, kind)

    def _tokens(self, reservation: Reservation, asked: int, answered: int, cached: int) -> dict[str, object]:
        price = reservation.price
        usd = price.of(asked, answered, cached) if price is not None else None
        return {"input_tokens": asked, "output_tokens": answered, "usd": usd, "estimated": False}

    def _allowed(self, model: ModelFacts, price: Price | None, asked: int, wanted: int) -> int | Fault:
        """Tokens that the answer may have, by all three limits."""
        settings, spent = self._settings, self._ledger.costs(self._run_id)
        if settings.max_calls is not None and spent["calls"] >= settings.max_calls:
            return Fault("limit", f"The limit of {settings.max_calls} model calls is reached.")
        allowed = wanted
        if settings.max_tokens is not None:
            left = settings.max_tokens - int(spent["input_tokens"] + spent["output_tokens"])
            allowed = min(allowed, left - asked)
        if settings.max_cost is not None:
            if price is None:
                return Fault("limit", _unpriced(model))
            left_usd = settings.max_cost - spent["usd"] - price.of(asked, 0) - _CENTS_KEPT
            allowed = min(allowed, _affordable(price, left_usd, wanted))
        if allowed < min(LEAST_OUTPUT, wanted):
            return Fault("limit", self._used_up(spent))
        return allowed

    def _used_up(self, spent: dict[str, float]) -> str:
        limits = []
        if self._settings.max_tokens is not None:
            used = int(spent["input_tokens"] + spent["output_tokens"])
            limits.append(f"{used} of {self._settings.max_tokens} tokens")
        if self._settings.max_cost is not None:
            limits.append(f"${spent['usd']:.4f} of ${self._settings.max_cost:g}")
        return f"What is left does not allow another model call: {' and '.join(limits)} are used or set aside."

    def _tell(self, call: ModelCall) -> None:
        costs = self._ledger.costs(self._run_id)
        self._emit(
            ModelCalled(
                call=call,
                calls=int(costs["calls"]),
                tokens=int(costs["input_tokens"] + costs["output_tokens"]),
                usd=costs["usd"],
            )
        )


def _affordable(price: Price, usd: float, wanted: int) -> int:
    """Tokens of output that are to be had for so many dollars, the input being paid."""
    if price.output:
        return int(usd / price.of(0, 1))
    return wanted if usd >= 0 or not price.input else 0


def _unpriced(model: ModelFacts) -> str:
    return (
        f"The price of {model.name} is not known, so that the limit of cost cannot be kept: give it in a file, as "
        f'{{"{model.name}": {{"input": 1.25, "output": 10}}}} (US dollars for a million tokens; 0 for a server of your '
        "own), with --prices or Settings.prices."
    )
