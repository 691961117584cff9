"""Several tables that belong together: many rows of one to one row of another, joined by a column that names that row.

Only this simple kind is done (a left join of two or three tables); whatever is not clear becomes a question, whose
answers are sentences that the words of a request may hold as well: "Join customers.csv to orders.csv by customer_id."
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.frames import stored_data
from automl_agent.records import Question, Request
from automl_agent.tasks.tables.kinds import find_kind
from automl_agent.tasks.tables.reading import Table, read_table
from automl_agent.tasks.tables.sources import Joined, Source, Sources

if TYPE_CHECKING:
    import pandas as pd

MOST = 3
"""Tables that are looked at for what they have in common."""
SPOKEN = re.compile(
    r"\bjoin(?:ed)?\b.{0,200}?\b(?:by|on|via|using|over)\s+(?:the\s+)?(?:column\s+|key\s+)?\S+"
    r"|\b(?:use|take)\s+(?:only\s+\S+|\S+\s+(?:alone|only))",
    re.IGNORECASE | re.DOTALL,
)
"""Where words speak of tables that belong together: what stands there is not to be predicted."""
COVERED = 0.5
"""Share of the rows that must find a partner, for a column to be taken as the link between two tables."""


@dataclass(frozen=True)
class Link:
    """Many rows of one table belong to one row of another."""

    many: int
    one: int
    """Positions of the tables."""
    key: str
    """Column of the table with many rows, and `its`, of the other one: there each value stands once."""
    its: str


def related(found: tuple[Source, ...], request: Request) -> Sources | None:
    """The tables as one; `None` when nothing links them, or one of them is no table.

    Raises:
        InputError: the target is in a table of which one row belongs to many: that takes more than a join.
    """
    stamps = tuple((each.path.stat().st_mtime_ns, each.path.stat().st_size) for each in found)
    return _related(found, stamps, request.words, request.target)


@lru_cache(maxsize=8)  # every family that looks asks
def _related(found: tuple[Source, ...], _stamps: tuple[tuple[int, int], ...], words: str, target: str | None
             ) -> Sources | None:  # fmt: skip
    if (alone := _alone(found, words)) is not None:
        return Sources(alone, unused=tuple(each for each in found if each != alone))
    try:
        tables = [read_table(each) for each in found]
    except InputError:
        return None
    links = _links(found, [table.frame for table in tables])
    if not links:
        return None
    said = [link for link in links if _sentence(found, link).rstrip(".").lower() in words.lower()]
    members = sorted({place for link in said for place in (link.many, link.one)}) or list(range(len(found)))
    links = said or _named(links, words)
    starts = [place for place in members if _reached(place, links) >= set(members)]
    holders = _holders(found, tables, members, words, target)
    if len(holders) == 1 and holders[0] not in starts and any(link.one == holders[0] for link in links):
        raise _needs_sums(found, links, holders[0], target)
    start = holders[0] if len(holders) == 1 and holders[0] in starts else starts[0] if len(starts) == 1 else None
    if start is None or _unclear(start, links):
        return replace(Sources(found[holders[0] if holders else 0]), question=_question(found, links))
    return _joined(found, tables, start, links)


# ---------------------------------------------------------------- what belongs to what


def _links(found: Sequence[Source], frames: Sequence[pd.DataFrame]) -> list[Link]:
    links = []
    for many, one in ((m, o) for m in range(len(frames)) for o in range(len(frames)) if m != o):
        if set(frames[many].columns) == set(frames[one].columns):
            continue  # parts of one table, which is another matter
        for key, its in _alike(found[one], frames[many], frames[one]):
            if _belongs(frames[many][key], frames[one][its]):
                links.append(Link(many, one, key, its))
    return links


def _alike(one: Source, many_frame: pd.DataFrame, one_frame: pd.DataFrame) -> Iterable[tuple[str, str]]:
    """Columns of the same name, and `customer_id` with the `id` of customers."""
    flat = {str(name).strip().casefold(): str(name) for name in one_frame.columns}
    stem = re.sub(r"ies$", "y", one.stem) if one.stem.endswith("ies") else one.stem.removesuffix("s")
    for name in map(str, many_frame.columns):
        its = flat.get(name.strip().casefold())
        if its is None and "id" in flat and re.sub(r"[\s_-]", "", name).casefold() in (f"{stem}id", f"{one.stem}id"):
            its = flat["id"]
        if its is not None:
            yield name, its


def _belongs(many: pd.Series[Any], one: pd.Series[Any]) -> bool:
    """Whether each value stands once on one side, and most rows of the other have one of these values.

    Measured values (with decimals) name no row, even where each is there once.
    """
    import pandas as pd

    from automl_agent.tasks.tables.shared.table_values import labels

    names, of_many = pd.Series(labels(one)), pd.Series(labels(many)).dropna()
    if names.isna().any() or names.duplicated().any() or of_many.nunique() < 2:
        return False
    if names.str.fullmatch(r"[+-]?\d*[.,]\d+(?:[eE][+-]?\d+)?").any():
        return False
    return bool(of_many.isin(set(names)).mean() >= COVERED)


def _reached(start: int, links: Sequence[Link]) -> set[int]:
    """The tables that rows of one lead to."""
    reached, added = {start}, True
    while added:
        new = {link.one for link in links if link.many in reached} - reached
        reached |= new
        added = bool(new)
    return reached


def _unclear(start: int, links: Sequence[Link]) -> bool:
    """Whether several columns, or several tables, lead to the same table."""
    reached = _reached(start, links)
    ends = [link.one for link in links if link.many in reached and link.one != start]
    return len(ends) > len(set(ends))


# ---------------------------------------------------------------- what the words say


def _alone(found: Sequence[Source], words: str) -> Source | None:
    """The only table that the words want."""
    flat = words.lower()
    wanted = []
    for each in found:
        name = re.escape(each.name.lower())
        if re.search(rf"\b(?:use|take) (?:only {name}|{name} (?:alone|only))", flat):
            wanted.append(each)
    return wanted[0] if len(wanted) == 1 else None


def _named(links: Sequence[Link], words: str) -> list[Link]:
    """The links by columns that the words name ("joined by customer_id"), or all."""
    said = [link for link in links
            if re.search(rf"\b(?:by|on|via|using|over) (?:the )?(?:column |key )?['\"`]?{re.escape(link.key)}\b", words,
                         re.IGNORECASE)]  # fmt: skip
    return said or list(links)


def _holders(found: Sequence[Source], tables: Sequence[Table], members: Sequence[int], words: str, target: str | None
             ) -> list[int]:  # fmt: skip
    """The tables that hold what is to be predicted, as far as that is sure."""
    from automl_agent.tasks.tables.peeking import peek
    from automl_agent.tasks.words.target import certain, decided, find_target

    wish = SPOKEN.sub(" ", words)

    def holds(place: int) -> bool:
        if target is not None:
            return target.casefold() in (str(name).casefold() for name in tables[place].frame.columns)
        if found[place].member:
            return False
        seen = peek(Request(words=wish, data=(str(found[place].path),)))
        matches = find_target(wish, seen) if seen else ()
        return len(decided(matches)) == 1 and certain(matches)

    return [place for place in members if holds(place)]


def _sentence(found: Sequence[Source], link: Link) -> str:
    return f"Join {found[link.one].name} to {found[link.many].name} by {link.key}."


def _question(found: Sequence[Source], links: Sequence[Link]) -> Question:
    choices = [*(_sentence(found, link) for link in links), *(f"Use {each.name} alone." for each in found)]
    text = f"{len(found)} tables were given, and it is not clear how they belong together. What shall be done?"
    return Question(field="join", text=text, choices=tuple(dict.fromkeys(choices)))


def _needs_sums(found: Sequence[Source], links: Sequence[Link], holder: int, target: str | None) -> InputError:
    link = next(link for link in links if link.one == holder)
    here, there = found[holder].name, found[link.many].name
    what = f"{target!r}, the target," if target else "What is to be predicted"
    return InputError(
        f"{what} is in {here}, of which each row belongs to several rows of {there} (by {link.key!r}): that needs sums"
        " or counts, which are not made.",
        hint=f'Give {here} alone, or say "use {here} alone"; or add such columns to it.',
    )


# ---------------------------------------------------------------- the join


def _joined(found: Sequence[Source], tables: Sequence[Table], start: int, links: Sequence[Link]) -> Sources:
    frame = _plain(tables[start])
    columns: Mapping[int, dict[str, str]] = {start: {name: name for name in map(str, frame.columns)}}
    """For each table that is in, what its columns are called now."""
    joined, done = [], {start}
    while new := [link for link in links if link.many in done and link.one not in done]:
        link = new[0]
        frame, called, facts = _add(
            frame, columns[link.many][link.key], _plain(tables[link.one]), link, found[link.one]
        )
        columns = {**columns, link.one: called}
        joined.append(facts)
        done.add(link.one)
    title = " + ".join([found[start].name, *(each.name for each in joined)])
    path = Path(stored_data([frame])[0])
    unused = tuple(each for place, each in enumerate(found) if place not in done)
    return Sources(Source(path, title=title), joined=tuple(joined), unused=unused)


def _add(frame: pd.DataFrame, key: str, other: pd.DataFrame, link: Link, source: Source
         ) -> tuple[pd.DataFrame, dict[str, str], Joined]:  # fmt: skip
    """The frame with the columns of another one, row by row; what they are called; and what is to be told."""
    import pandas as pd

    from automl_agent.tasks.tables.shared.table_values import labels

    places = pd.Index(labels(other[link.its])).get_indexer(pd.Index(labels(frame[key])))
    partner = other.drop(columns=link.its).reset_index(drop=True).reindex(places).set_axis(frame.index)
    called = {str(name): _free(str(name), source.stem, frame) for name in partner.columns}
    partner.columns = pd.Index(called.values())
    facts = Joined(source.name, key, tuple(called.values()), len(other), int((places < 0).sum()))
    return pd.concat([frame, partner], axis=1), {**called, link.its: key}, facts


def _free(name: str, stem: str, frame: pd.DataFrame) -> str:
    """A name that is not taken yet."""
    taken = set(map(str, frame.columns))
    while name in taken:
        name = f"{stem}_{name}"
    return name


def _plain(table: Table) -> pd.DataFrame:
    """The rows as read; numbers with decimal commas as numbers: the joined table forgets how they were written."""
    from automl_agent.tasks.tables.shared.table_values import numbers

    frame, decimal = table.frame.reset_index(drop=True), table.options["decimal"]
    if decimal == ".":
        return frame
    values = {name: numbers(frame[name], decimal)[0] for name in frame.columns
              if find_kind(frame[name], decimal, str(name)).kind == "number"}  # fmt: skip
    return frame.assign(**values)
