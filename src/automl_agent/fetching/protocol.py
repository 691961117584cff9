"""What a place is that data come from, and the small records that it speaks in.

A source is registered under its scheme, what stands before the colon in `openml:credit-g`, by an entry point of the
group `automl_agent.sources`, so that another package can add one:

    [project.entry-points."automl_agent.sources"]
    s3 = "my_package.s3:SOURCE"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from automl_agent.fetching.partial import Stamp
from automl_agent.fetching.web import Web


@dataclass(frozen=True)
class Brought:
    """What a source has put into a folder."""

    main: str = ""
    """Name in the folder of the file that is meant; empty for the whole folder."""
    title: str = ""
    """The set in a few words, for people: name, version, part."""
    target: str | None = None
    """The column that the source itself says is to be predicted."""
    stamp: Stamp | None = None
    """What the server said of the version, so that it can be asked later whether it changed."""
    remarks: tuple[str, ...] = ()
    """What was left out or changed."""


@dataclass(frozen=True)
class Found:
    """A set that a search turned up."""

    name: str
    """What fetches it: `openml:31`."""
    title: str
    about: str = ""
    """What the source says of it; only the beginning is used."""
    rows: int | None = None


class Source(Protocol):
    """Brings data from one place. Failures are `InputError`s of one line; `Web` raises those of the network."""

    scheme: str
    title: str
    """For people: `OpenML`."""

    def fetch(self, name: str, folder: Path, web: Web) -> Brought:
        """Put the files of a set into an existing folder.

        Args:
            name: what stands behind the colon; for links the whole link.
            folder: may hold what an earlier, broken attempt has left (`Web.download` goes on with it).
        """
        ...

    def changed(self, name: str, stamp: Stamp, web: Web) -> bool:
        """Whether what was fetched before is out of date."""
        ...

    def search(self, words: Sequence[str], web: Web) -> tuple[Found, ...]:
        """Sets that the words may mean; empty where the source cannot be searched.

        Raises:
            InputError: the search failed, or something that it needs (a key) is not there.
        """
        ...
