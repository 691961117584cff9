"""`automl-agent knowledge build|search|add|remove|sync`: the knowledge base by hand."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from automl_agent.cli.folders import home_of
from automl_agent.records import Note


def knowledge(args: argparse.Namespace) -> int:
    """
    Raises:
        InputError: when a note or folder is not there or not valid, or the store cannot be written.
    """
    from automl_agent.knowledge import api

    home, server = home_of(args), args.knowledge_server
    if args.action == "search":
        notes = api.search(home, args.query, args.family, args.k, notes=_folder(args.notes), server=server)
        print(json.dumps([note.model_dump(mode="json") for note in notes], indent=2) if args.json else _listed(notes))
        return 0
    if args.action == "build":
        outcome = api.build(home, _folder(args.folder), server=server)
    elif args.action == "add":
        outcome = api.add(home, Path(args.path), server=server)
    elif args.action == "remove":
        outcome = api.remove(home, args.name, server=server)
    else:
        outcome = api.sync(home, notes=_folder(args.notes), server=server)
    print(json.dumps(outcome, indent=2, default=str) if args.json else _told(outcome))
    return 0


def _folder(given: str | None) -> Path | None:
    return Path(given).expanduser() if given else None


def _told(outcome: dict[str, object]) -> str:
    return "\n".join(f"{name:<12}{value}" for name, value in outcome.items())


def _listed(notes: Sequence[Note]) -> str:
    """Most relevant first: relevance, id and title, then what the note suggests and where it comes from."""
    lines = []
    for note in notes:
        lines.append(f"{note.relevance:5.2f}  {note.id}  {note.title}")
        suggests = ", ".join((*note.models, *note.steps))
        lines.append(f"       {note.kind}: {note.source}" + (f"; suggests {suggests}" if suggests else ""))
    return "\n".join(lines) or "No note fits."
