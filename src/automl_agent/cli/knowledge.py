"""`automl-agent knowledge build|search|list|add|remove|sync`: the knowledge base by hand.

What notes say was written by others: it is shown without control characters.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from automl_agent.cli.folders import home_of
from automl_agent.delivery.words import short
from automl_agent.records import Note

WIDTH = 400
"""Characters of one line about a note."""


def knowledge(args: argparse.Namespace) -> int:
    """
    Raises:
        InputError: when a note or folder is not there or not valid, a source is not known, or the store cannot be
            written.
    """
    from automl_agent.knowledge import api

    home = home_of(args)
    if args.action == "list":
        return _list(args, home)
    server = args.knowledge_server
    if args.action == "search":
        return _search(args, home, server)
    if args.action == "build":
        outcome = api.build(home, _folder(args.folder), server=server)
    elif args.action == "add":
        outcome = api.add(home, args.path, args.family, server=server)
    elif args.action == "remove":
        outcome = api.remove(home, args.name, server=server)
    else:
        outcome = api.sync(home, notes=_folder(args.notes), server=server)
    print(json.dumps(outcome, indent=2, default=str) if args.json else _told(outcome))
    return 0


def _folder(given: str | None) -> Path | None:
    return Path(given).expanduser() if given else None


def _search(args: argparse.Namespace, home: Path, server: str | None) -> int:
    """Notes of the knowledge base, then those of the live sources that were named."""
    from automl_agent.knowledge import api

    notes = api.search(home, args.query, args.family, args.k, notes=_folder(args.notes), server=server)
    if args.sources:
        asked = api.search_live(home, args.query, args.sources, args.family)
        notes += asked.notes
        for text in asked.troubles.values():
            print(f"warning: {text}", file=sys.stderr)
    print(json.dumps([note.model_dump(mode="json") for note in notes], indent=2) if args.json else _listed(notes))
    return 0


def _list(args: argparse.Namespace, home: Path) -> int:
    from automl_agent.knowledge import api

    found = api.listed(home, args.family, notes=_folder(args.notes))
    if args.json:
        rows = [
            {"id": note.id, "kind": note.kind, "families": note.families, "title": note.title, "own": own}
            for note, own in found
        ]
        print(json.dumps(rows, indent=2))
        return 0
    for note, own in found:
        facts = (note.id, note.kind, ", ".join(note.families), note.title)
        print(f"{'own' if own else '':<5}{'  '.join(short(fact, WIDTH) for fact in facts)}")
    return 0


def _told(outcome: dict[str, object]) -> str:
    return "\n".join(f"{name:<12}{value}" for name, value in outcome.items())


def _listed(notes: Sequence[Note]) -> str:
    """Most relevant first: relevance, id and title, then what the note suggests and where it comes from."""
    lines = []
    for note in notes:
        lines.append(f"{note.relevance:5.2f}  {short(note.id, WIDTH)}  {short(note.title, WIDTH)}")
        suggests = ", ".join((*note.models, *note.steps))
        from_where = f"{note.kind}: {note.source}" + (f"; suggests {suggests}" if suggests else "")
        lines.append(f"       {short(from_where, WIDTH)}")
    return "\n".join(lines) or "No note fits."
