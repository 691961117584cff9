"""What is kept of a run is looked at before it is used: anybody may have changed it."""

from __future__ import annotations

import argparse
from typing import Any

from automl_agent.cli.folders import RunFolder
from automl_agent.errors import InputError
from automl_agent.records import Report
from automl_agent.settings import Settings


def check_named_code(settings: Settings, args: argparse.Namespace, run_id: str) -> None:
    """Code that what was kept of a run names is imported only where this command names it, too.

    Raises:
        InputError: names the code, and how to say that it is yours.
    """
    for option, kept, given in (("--sandbox", (settings.sandbox,), (args.sandbox,)),
                                ("--sources", settings.sources, args.sources or ())):  # fmt: skip
        for name in kept:
            if ":" in name and name not in given:
                raise InputError(f"What is kept of run {run_id} names code to be imported: {name}.",
                                 hint=f"If it is yours, say so: {option} {','.join(kept)}.")  # fmt: skip


def stored_state(graph: Any, folder: RunFolder) -> Any:
    """The state that the checkpoints of a run hold.

    Raises:
        InputError: they cannot be read, or hold what no run writes; of that, nothing has been made.
    """
    place = f"The checkpoints of run {folder.run_id} in {folder.home / 'checkpoints.sqlite'}"
    hint = "Start the run again."
    try:
        state = graph.get_state({"configurable": {"thread_id": folder.run_id}})
    except Exception as error:  # whatever a damaged file makes SQLite, msgpack or LangGraph raise
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{place} cannot be read: {type(error).__name__}: {text}.", hint=hint) from error
    if not isinstance(state.values.get("report"), Report | None):
        raise InputError(f"{place} hold a report that no run wrote.", hint=hint)
    return state
