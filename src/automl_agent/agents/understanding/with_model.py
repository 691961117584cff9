"""The Prompt Agent with a language model: the rules read first, the model fills what they left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from automl_agent.agents.privacy import Veil
from automl_agent.agents.understanding.answer import RequestAnswer
from automl_agent.agents.understanding.claims import read_claims
from automl_agent.agents.understanding.looking import Look, look_at
from automl_agent.agents.understanding.merging import merged
from automl_agent.agents.understanding.prompt import likeliest, read
from automl_agent.agents.understanding.showing import request_prompt, shown_words
from automl_agent.errors import InputError
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.tasks.family import TaskFamily
from automl_agent.tasks.words.columns import plausible

if TYPE_CHECKING:
    from automl_agent.llm.client import Client


def understand_with(client: Client, request: Request, families: Mapping[str, TaskFamily], *, share_names: bool,
                    share_rows: int, write_code: bool = True, patience: float | None = None
                    ) -> TaskSpec | Question:  # fmt: skip
    """The task that a request means, by rules and the model of the role `prompt`, which is asked once.

    Without a model, without data, or without a usable answer this is `understand`. How the two meet is told in
    `merging.merged`.

    Args:
        client: asks the language models of the run.
        request: words, data, and what the caller fixed.
        families: installed task families by name.
        share_names: whether the model sees the names of columns.
        share_rows: how many values of a column it sees.
        write_code: whether a model may write a whole program for work that no family covers.
        patience: seconds that the model may take.

    Raises:
        InputError: as `understand`.
    """
    look = look_at(request, families)
    if isinstance(look, Question):
        return look
    return read_with(client, look, share_names=share_names, share_rows=share_rows, write_code=write_code,
                     patience=patience)  # fmt: skip


def read_with(client: Client, look: Look, *, share_names: bool, share_rows: int, write_code: bool = True,
              patience: float | None = None) -> TaskSpec | Question:  # fmt: skip
    """The same, once the data were looked at."""
    if not client.speaks("prompt"):
        return read(look)
    ruled, objection = _ruled(look)
    result = ruled
    veil = Veil(tuple(column.name for column in look.table.columns) if look.table else (), share_names, share_rows)
    answer = client.ask("prompt", request_prompt(look, veil), RequestAnswer, patience=patience).value
    if answer is not None:
        claims = read_claims(answer, look, veil, shown_words(look.request.words, look.table, veil))
        result = merged(look, ruled, claims, program=write_code and client.speaks("coder"))
    if objection is not None and result is ruled:
        raise objection
    return result


def _ruled(look: Look) -> tuple[TaskSpec | Question, InputError | None]:
    """What the rules make of a request. What they object to in a target that they guessed is open, like a question.

    Raises:
        InputError: when they object to what was said.
    """
    try:
        return read(look), None
    except InputError as error:
        guessed = any(each.field == "target" and not each.sure for each in likeliest(look)[1].inferences)
        if not guessed or look.table is None:
            raise
        return Question(field="target", text=str(error), choices=plausible(look.table)), error
