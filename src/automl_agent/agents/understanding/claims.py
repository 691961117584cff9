"""What a language model's answer about a request is worth: only what names something that exists, with a true quote."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import get_args

from automl_agent.agents.privacy import Veil
from automl_agent.agents.understanding.answer import RequestAnswer, Said
from automl_agent.agents.understanding.claimed_limits import read_limits
from automl_agent.agents.understanding.deliverables import ARTEFACTS
from automl_agent.agents.understanding.looking import Look
from automl_agent.agents.understanding.quotes import was_said
from automl_agent.errors import InputError
from automl_agent.records import Constraint, User
from automl_agent.tasks.family import Peek
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.columns import require_column
from automl_agent.tasks.words.lexicon import UNITS, akin
from automl_agent.tasks.words.metric import named_metric


@dataclass(frozen=True)
class Claim:
    """Something that exists, and the user's words that are said to mean it."""

    value: str
    quote: str


@dataclass(frozen=True)
class Claims:
    """What is left of an answer. `None` where it named nothing that exists, or quoted what was not said."""

    target: Claim | None = None
    """A column, as written in the data."""
    family: Claim | None = None
    """A task family that can read the data."""
    metric: Claim | None = None
    """The name of a metric of any family."""
    positive: Claim | None = None
    """A class; whether the target has it is checked with the target."""
    constraints: tuple[Constraint, ...] = ()
    time: Claim | None = None
    group: Claim | None = None
    weight: Claim | None = None
    by: tuple[Claim, ...] = ()
    ignore: tuple[Claim, ...] = ()
    """From `time` on only where the quote speaks of the column: nothing else could check them."""
    deliverables: tuple[str, ...] = ()
    expertise: Claim | None = None
    language: str = ""


def read_claims(answer: RequestAnswer, look: Look, veil: Veil, shown: str) -> Claims:
    """Check an answer against the data and the words.

    Args:
        answer: of the model.
        look: request and data.
        veil: what the model was not shown.
        shown: the words as they were shown to the model; its quotes must stand there.
    """
    table, metrics = look.table, look.metrics

    def claim(said: Said, known: Callable[[str], str | None]) -> Claim | None:
        value = known(veil.reveal(said.value.strip())) if said.value.strip() else None
        return Claim(value, veil.reveal_text(said.quote.strip())) if value and was_said(said.quote, shown) else None

    def column(name: str) -> str | None:
        return _existing(name, table)

    def described(said: Said) -> Claim | None:
        found = claim(said, column)
        return found if found and _speaks_of(found.quote, found.value) else None

    def metric(name: str) -> str | None:
        try:
            return named_metric(name, metrics)
        except InputError:
            return None

    wanted = claim(answer.metric, metric)
    if wanted and tx.low(answer.metric.quote) == tx.low(answer.target.quote):
        wanted = None  # what is to be predicted does not say what matters: a model that quotes one thing for all
    said_deliverables = (claim(said, _one_of(ARTEFACTS)) for said in answer.deliverables)
    return Claims(
        target=claim(answer.target, column),
        family=claim(answer.task, _one_of(look.peeks)),
        metric=wanted,
        positive=claim(answer.positive, str.strip),
        constraints=read_limits(answer.constraints, metrics, shown, veil),
        time=described(answer.time),
        group=described(answer.group),
        weight=described(answer.weight),
        by=tuple(found for said in answer.by if (found := described(said))),
        ignore=tuple(found for said in answer.ignore if (found := described(said))),
        deliverables=tuple(dict.fromkeys(found.value for found in said_deliverables if found)),
        expertise=claim(answer.expertise, _one_of(get_args(User.model_fields["expertise"].annotation))),
        language=answer.language.strip().lower()[:2] if answer.language.strip().isascii() else "",
    )


def _one_of(names: Iterable[str]) -> Callable[[str], str | None]:
    known = {tx.low(name).replace(" ", "_"): name for name in names}
    return lambda name: known.get(tx.low(name).replace(" ", "_"))


def _existing(name: str, table: Peek | None) -> str | None:
    if table is None:
        return None
    try:
        return require_column(name, table, "model")
    except InputError:
        return None


def _speaks_of(quote: str, column: str) -> bool:
    """Whether a word of the quote is like a part of the column's name."""
    likenesses = (tx.same, tx.kin, tx.misspelt, tx.shortened, akin)
    parts = [part for part in tx.names(column) if part not in UNITS]
    return any(alike(word, part) for word in tx.names(quote) for part in parts for alike in likenesses)
