"""What a language model is shown of a request: the words, and a look at the data as far as the user shares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_agent.agents.privacy import Veil
from automl_agent.agents.understanding.deliverables import ARTEFACTS
from automl_agent.agents.understanding.limits import MEASURES
from automl_agent.agents.understanding.looking import Look
from automl_agent.llm.prompt import Prompt, as_table, rendered
from automl_agent.tasks.family import Peek, PeekColumn
from automl_agent.tasks.words.mentions import mentions

PROMPTS = Path(__file__).parents[1] / "prompts"
EXAMPLES = 2
"""Examples of a column of numbers; categories show as many as may be shared, since users ask about one of them."""


def request_prompt(look: Look, veil: Veil) -> Prompt:
    """The question of the Prompt Agent."""
    families = {name: look.families[name] for name in look.peeks}
    columns = look.table.columns if look.table else ()
    return rendered(
        PROMPTS,
        "request",
        words=shown_words(look.request.words, look.table, veil),
        columns=as_table([_shown(column, veil) for column in columns]),
        rows=veil.share_rows,
        tasks={name: family.title for name, family in families.items()},
        metrics={name: list(family.metrics) for name, family in families.items()},
        measures=list(MEASURES),
        deliverables=list(ARTEFACTS),
    )


def shown_words(words: str, table: Peek | None, veil: Veil) -> str:
    """The user's words; where names are not shared, with every mention of a column replaced, in whatever form."""
    if veil.share_names or table is None:
        return words
    for mention in reversed(mentions(words, table)):
        words = words[: mention.start] + veil.hide(mention.column) + words[mention.end :]
    return veil.hide_text(words)


def _shown(column: PeekColumn, veil: Veil) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": veil.hide(column.name), "kind": column.kind, "distinct": column.distinct}
    if column.missing:
        shown["missing"] = column.missing
    if veil.share_rows:
        most = EXAMPLES if column.kind == "number" else veil.share_rows
        shown["examples"] = [veil.hide_text(value) for value in column.examples[: min(most, veil.share_rows)]]
    return shown
