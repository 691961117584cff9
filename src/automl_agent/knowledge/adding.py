"""What `knowledge add` is given becomes files of notes: a file or folder as it is, an address after a look at it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from automl_agent.delivery.words import short
from automl_agent.errors import InputError
from automl_agent.fetching.addresses import instead, name_of, safe_name, shown
from automl_agent.fetching.web import Web
from automl_agent.knowledge.notes import note_files, read_note
from automl_agent.knowledge.sources import arxiv
from automl_agent.knowledge.sources.suggesting import suggested
from automl_agent.tasks.registry import families

SECONDS = 20.0
LONGEST = 2**20
"""Bytes of a note that is loaded."""
ACCEPTED = "Accepted: a note or a folder of notes, the address of a note in our form, a paper at arXiv."


def files_of(given: str, family: str | None, folder: Path) -> tuple[Path, ...]:
    """The files of notes that are meant; what is not here yet is written into an empty folder.

    Args:
        given: a path, an address, or the id of a paper at arXiv.
        family: for a paper, the only task family that it is for; all of them otherwise.

    Raises:
        InputError: there is nothing, it cannot be loaded, or it is no note.
    """
    path, number = Path(given), arxiv.arxiv_id(given)
    paper = number is not None and not path.exists()
    if family is not None and not paper:
        raise InputError("--family is for papers of arXiv: a note says itself which families it is for.")
    if paper and number is not None:
        return (_paper(number, checked_family(family), folder),)
    if urlsplit(given).scheme in ("http", "https") and not path.exists():
        return (_loaded(given, folder),)
    if re.match(r"[a-z]{2,}://", given, re.IGNORECASE):
        raise InputError(f"{shown(given)} is no address that notes are loaded from.", hint=ACCEPTED)
    if not path.exists():
        raise InputError(f"There is no note or folder {path}.", hint=ACCEPTED)
    files = note_files(path) if path.is_dir() else (path,)
    if not files:
        raise InputError(f"The folder {path} has no notes.", hint="Notes are files that end in .md.")
    return files


def checked_family(name: str | None) -> str | None:
    """The name, if there is such a family.

    Raises:
        InputError: there is none; lists those that there are.
    """
    if name is not None and name not in families():
        raise InputError(f"There is no task family {name!r}.", hint=f"Accepted: {', '.join(families())}.")
    return name


def _web() -> Web:
    return Web(time.monotonic() + SECONDS, longest=LONGEST, patient=True)


def _loaded(address: str, folder: Path) -> Path:
    """A note in our form at an address."""
    text = _web().text(address)
    name = safe_name(name_of(address)).removesuffix(".md")
    if name.lower() in ("", "readme"):  # a readme counts as no note
        name = "note"
    path = folder / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    try:
        read_note(path)
    except InputError as error:
        page = text.lstrip()[:1] == "<"
        why = "it is a web page" if page else short(str(error).replace(str(path), name), 300).rstrip(".")
        hint = instead(address) if page else ACCEPTED
        raise InputError(f"{shown(address)} is no note in our form: {why}.", hint=hint) from error
    return path


def _paper(number: str, family: str | None, folder: Path) -> Path:
    """A note made from the abstract of a paper."""
    paper = arxiv.SOURCE.paper(number, _web())
    names = (family,) if family else tuple(families())
    title, abstract = short(paper.title, 190), short(paper.abstract, 8000)
    title = title if len(title) >= 10 else f"The paper {title}"
    models, steps = suggested(f"{title}\n{abstract}", tuple(families()[name] for name in names))
    front = {
        "title": title,
        "kind": "paper",
        "source": {"title": title, "authors": short(paper.authors, 300), "year": paper.year,
                   "address": paper.address},
        "checked": True,
        "families": list(names),
        "models": list(models),
        "steps": list(steps),
    }  # fmt: skip
    return _written(folder / f"arxiv-{re.sub(r'[^a-z0-9]+', '-', paper.id.lower())}.md", front, abstract)


def _written(path: Path, front: dict[str, object], body: str) -> Path:
    lines: Sequence[str] = ("---", yaml.safe_dump(front, sort_keys=False, allow_unicode=True).strip(), "---", "", body)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
