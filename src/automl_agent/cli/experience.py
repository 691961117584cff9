"""`automl-agent experience list|export|import|forget`: what earlier runs measured, by hand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from automl_agent.cli.folders import home_of
from automl_agent.delivery.words import number, plural
from automl_agent.errors import InputError
from automl_agent.knowledge.experience import Episode, Experience


def experience(args: argparse.Namespace) -> int:
    """
    Raises:
        InputError: a file cannot be read or written, or an id is not known.
    """
    kept = Experience(home_of(args))
    match args.action:
        case "list":
            episodes = kept.episodes()
            told = [one.model_dump(mode="json") for one in episodes]
            print(json.dumps(told, indent=2) if args.json else _listed(episodes))
            return 0
        case "export":
            try:
                count, done = kept.export(Path(args.file)), f"written to {args.file}"
            except OSError as error:
                raise InputError(f"The file {args.file} cannot be written: {error.strerror}.") from error
        case "import":
            count, done = kept.load(Path(args.file)), f"taken over from {args.file}"
        case _:
            if bool(args.ids) == args.all:
                raise InputError("Nothing was said of what to forget.", hint="Give ids, or --all.")
            count, done = kept.forget(*args.ids), "forgotten"
    print(json.dumps({"runs": count}) if args.json else f"{plural(count, 'run')} {done}")
    return 0


def _listed(episodes: tuple[Episode, ...]) -> str:
    lines = []
    for one in episodes:
        size = f"{one.facts.get('rows', 0):,.0f} rows, {one.facts.get('columns', 0):,.0f} columns"
        members = ", ".join(sorted(one.members, key=lambda name: -one.members[name]))
        lines.append(f"{one.id}  {one.at[:10]}  {one.family}, {size}: {one.metric} {number(one.score)} with {members}")
    return "\n".join(lines) or "Nothing is kept yet: every finished run adds to it."
