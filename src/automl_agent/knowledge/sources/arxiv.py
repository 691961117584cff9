"""arXiv (https://arxiv.org): abstracts of papers.

Written after the arXiv API User's Manual (https://info.arxiv.org/help/api/user-manual.html: `search_query` with field
prefixes and AND/OR, `id_list`, `max_results`, `sortBy`, the Atom answer, errors as an entry whose id holds
`/api/errors`), which asks for no more than one request in three seconds: a run sends one, and answers are kept.
Tested against a stand-in server that answers in this form; it was never run against arxiv.org itself.

`ARXIV_API_ENDPOINT` names another server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from automl_agent.errors import InputError
from automl_agent.fetching.web import Web, WebError
from automl_agent.records import Note

FIELDS = {
    "tabular_classification": "tabular data",
    "tabular_regression": "tabular data",
    "tabular_clustering": "clustering",
    "text_classification": "text classification",
    "image_classification": "image classification",
    "forecasting": "time series forecasting",
    "node_classification": "node classification",
}
"""Task family -> what its papers call it; other families by their name."""
AUTHORS_SHOWN = 3
_ATOM = "{http://www.w3.org/2005/Atom}"
_ID = r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?"
_GIVEN = re.compile(
    rf"(?:arxiv:\s*|https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/)?{_ID}(?:\.pdf)?/?(?:[?#].*)?",
    re.IGNORECASE,
)
_ENTRY = re.compile(rf"https?://arxiv\.org/abs/{_ID}")


@dataclass(frozen=True)
class Paper:
    id: str
    """Without its version: `2410.02958`."""
    title: str
    authors: str
    year: int
    abstract: str

    @property
    def address(self) -> str:
        return f"https://arxiv.org/abs/{self.id}"

    def note(self) -> Note:
        source = f"{self.authors} ({self.year}): {self.title}, {self.address}"
        return Note(
            id=f"arxiv:{self.id}", title=self.title, kind="paper", source=source, families=(), text=self.abstract
        )


class Arxiv:
    name = "arxiv"
    title = "arXiv"

    def search(self, words: Sequence[str], family: str | None, web: Web, k: int) -> tuple[Note, ...]:
        query = " OR ".join(f'all:"{word}"' for word in words)
        if family:
            query = f'all:"{FIELDS.get(family, family.replace("_", " "))}" AND ({query})'
        asked = {"search_query": query, "max_results": str(k), "sortBy": "relevance", "sortOrder": "descending"}
        return tuple(paper.note() for paper in self._papers(asked, web))

    def paper(self, number: str, web: Web) -> Paper:
        """The paper of this id.

        Raises:
            InputError: arXiv has none, or was not reached.
        """
        papers = self._papers({"id_list": number, "max_results": "1"}, web)
        if not papers:
            raise InputError(f"arXiv has no paper {number}.", hint="Look it up on arxiv.org.")
        return papers[0]

    def _papers(self, asked: Mapping[str, str], web: Web) -> list[Paper]:
        place = os.environ.get("ARXIV_API_ENDPOINT", "https://export.arxiv.org").rstrip("/") + "/api/query"
        answer = web.text(place, params=asked)
        if "<!DOCTYPE" in answer or "<!ENTITY" in answer:  # a feed has none; entities can grow without bound
            raise WebError("arXiv answered something else than an Atom feed.")
        try:
            feed = ElementTree.fromstring(answer)
        except (ElementTree.ParseError, ValueError) as error:
            raise WebError("arXiv answered something else than an Atom feed.") from error
        if feed.tag != f"{_ATOM}feed":
            raise WebError("arXiv answered something else than an Atom feed.")
        return [paper for entry in feed.iter(f"{_ATOM}entry") if (paper := _paper(entry)) is not None]


def arxiv_id(given: str) -> str | None:
    """The id in `2410.02958`, `arXiv:2410.02958v2` or a link to the abstract or the PDF; `None` for anything else."""
    match = _GIVEN.fullmatch(given.strip())
    return match["id"] if match else None


def _paper(entry: Any) -> Paper | None:
    """`None` for what is no paper, such as the entry in which arXiv puts an error."""
    match = _ENTRY.match(_text(entry, "id"))
    title, abstract, year = _text(entry, "title"), _text(entry, "summary"), _text(entry, "published")[:4]
    if match is None or not title or not abstract or not year.isdecimal():
        return None
    names = [_text(author, "name") for author in entry.iter(f"{_ATOM}author")]
    authors = ", ".join(names[:AUTHORS_SHOWN]) + (" and others" if len(names) > AUTHORS_SHOWN else "")
    return Paper(match["id"], title, authors or "unknown authors", int(year), abstract)


def _text(element: Any, name: str) -> str:
    return " ".join((element.findtext(f"{_ATOM}{name}") or "").split())


SOURCE = Arxiv()
