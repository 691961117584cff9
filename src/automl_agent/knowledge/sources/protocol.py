"""What a place is that knowledge is asked for while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from automl_agent.fetching.web import Web
from automl_agent.records import Note


class KnowledgeSource(Protocol):
    """Finds notes in one place. Whatever it raises costs its notes, not the run.

    What it returns is not trusted (see `asking.admitted`): texts are made harmless, ids get the source's name in front,
    and of the models and steps that a note names only those of the task family are kept.
    """

    name: str
    """What the user calls it and its notes' ids begin with: lower case, `arxiv`."""
    title: str
    """For people: `arXiv`."""

    def search(self, words: Sequence[str], family: str | None, web: Web, k: int) -> tuple[Note, ...]:
        """Up to `k` notes, the most relevant first.

        Args:
            words: what the request is about, at most five words.
            family: name of the task family; `None` where it is not known.
            web: the network within the bounds of this question: its deadline, 2 MB for an answer, and patience with
                a server that is busy.

        Raises:
            InputError: it failed (`Web` raises those of the network), or something that it needs (a key) is not there.
        """
        ...
