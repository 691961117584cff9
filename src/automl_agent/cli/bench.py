"""`automl-agent bench SUITE`: runs and scores the sentences of a suite as the paper does; goes on where it stopped."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from automl_agent.cli.folders import home_of
from automl_agent.cli.models import model_words
from automl_agent.cli.suites import Build, Entry, Outcome, Setup, averages, key, read_suite, run_entry
from automl_agent.delivery.words import number
from automl_agent.errors import InputError
from automl_agent.execution.home import write_durably


def bench(args: argparse.Namespace, build: Build | None = None) -> int:
    """Run a suite. Outcomes lie in `OUT/outcomes.jsonl`, one for each sentence and setup; those are not run again.

    Raises:
        InputError: the suite cannot be read, or has no sentence of a name that was given.
    """
    suite = read_suite(Path(args.suite))
    setup = Setup(
        budget=args.budget or 120.0,
        trials=args.trials,
        plans=args.plans or 3,
        retrieval=not args.no_retrieval,
        decomposition=not args.no_decomposition,
        verification=not args.no_verification,
        model=model_words(args.model),
        base_url=args.base_url,
        seed=args.seed or 0,
    )
    out = Path(args.out or Path("automl-runs", f"bench-{suite.name}")).expanduser().absolute()
    out.mkdir(parents=True, exist_ok=True)
    entries = _chosen(suite.entries, args.only)
    known = _known(out / "outcomes.jsonl")
    outcomes = []
    for place, entry in enumerate(entries, 1):
        name = key(entry, setup)
        if name not in known:
            print(f"[{place}/{len(entries)}] {entry.name}: {entry.words}", file=sys.stderr, flush=True)
            known[name] = run_entry(entry, setup, out / name, home_of(args), build or _build_graph())
            _append(out / "outcomes.jsonl", name, setup, known[name])
        outcomes.append(known[name])
    result = {"suite": suite.name, "setup": setup.model_dump(mode="json"), "averages": averages(outcomes),
              "outcomes": [_shown(one) for one in outcomes]}  # fmt: skip
    write_durably(out / "summary.json", json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2) if args.json else table(suite.name, setup, outcomes))
    return 0


def _chosen(entries: tuple[Entry, ...], names: list[str] | None) -> tuple[Entry, ...]:
    unknown = sorted(set(names or ()) - {entry.name for entry in entries})
    if unknown:
        listed = ", ".join(entry.name for entry in entries)
        raise InputError(f"The suite has no entry {unknown[0]!r} (--only).", hint=f"There are: {listed}.")
    return tuple(entry for entry in entries if not names or entry.name in names)


def _known(path: Path) -> dict[str, Outcome]:
    """Outcomes of earlier runs; a line that a kill cut short does not count."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            stored = json.loads(line)
            found[stored["key"]] = Outcome.model_validate(stored["outcome"])
        except (ValueError, KeyError):
            continue
    return found


def _append(path: Path, name: str, setup: Setup, outcome: Outcome) -> None:
    line = {"key": name, "setup": setup.title, "outcome": outcome.model_dump(mode="json")}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _shown(outcome: Outcome) -> dict[str, Any]:
    return outcome.model_dump(mode="json") | {"comprehensive": outcome.comprehensive}


def table(name: str, setup: Setup, outcomes: list[Outcome]) -> str:
    """The outcomes as a Markdown table, and their averages."""
    lines = [f"{name} ({setup.title}; {setup.budget:g} s, seed {setup.seed})", "",
             "| sentence | kind | status | metric | score | SR | NPS | CS | s | USD |", "|" + "---|" * 10]  # fmt: skip
    lines += [
        f"| {one.entry} | {one.kind} | {one.status} | {one.metric} | {number(one.score)} | {one.success:.2f} "
        f"| {one.performance:.3f} | {one.comprehensive:.3f} | {one.seconds:.0f} | {one.usd:.2f} |"
        for one in outcomes
    ]
    for kind, mean in averages(outcomes).items():
        lines.append(
            f"| **mean, {kind}** | | {mean['sentences']:.0f} | | | {mean['success']:.3f} | {mean['performance']:.3f} "
            f"| {mean['comprehensive']:.3f} | {mean['seconds']:.0f} | {mean['usd']:.2f} |"
        )
    failed = [f"{one.entry}: {one.reason}" for one in outcomes if one.success < 1 and one.reason]
    return "\n".join([*lines, *([""] if failed else []), *failed])


def _build_graph() -> Build:
    from automl_agent.graph import build_graph

    return build_graph
