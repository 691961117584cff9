"""`automl-agent run`: starts or resumes a run of the graph, with checkpoints on disk, and delivers its result."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from automl_agent import __version__
from automl_agent.cli.ask import Ask, Reply, left_open, on_terminal, reply_to, typed
from automl_agent.cli.folders import RunFolder, find_run, home_of
from automl_agent.cli.kept import check_named_code, stored_state
from automl_agent.cli.models import MODEL_LIMITS, MODEL_OPTIONS, check_words, model_settings, model_words
from automl_agent.cli.progress import Progress, View
from automl_agent.cli.signals import INTERRUPTED, Stopper, stopping
from automl_agent.delivery.summary import summarize
from automl_agent.errors import AutoMLError, InputError, StorageError
from automl_agent.execution.finished import FinishedRun, find_finished, taken_over
from automl_agent.execution.runs import RunManifest, new_run_id, read_manifest
from automl_agent.execution.storage import GO_ON, storage_error
from automl_agent.knowledge.sources.registry import named_sources
from automl_agent.records import Report, Request
from automl_agent.settings import Settings

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite import SqliteSaver

Build = Callable[..., Any]
"""`automl_agent.build_graph`, or a stand-in with the same keywords."""

NAMED = ("family", "target", "positive", "metric", "time", "group", "weight")
"""Options that name one thing, as the fields of a request do."""
REQUEST_OPTIONS = ("words", "based_on", "data", "test_data", *NAMED, "ignore", "by", "set")
SETTINGS_OPTIONS = (
    "budget", "trials", "plans", "max_rows", "max_memory", "max_download", "cpus", "seed", "plan_only", "out",
    "sources", "experience", "notes", "knowledge_server",
)  # fmt: skip
CHANGEABLE = ("budget", "trials", "cpus", "max_memory", *MODEL_LIMITS)
"""What a resumed run may be given anew; all else would make it another run."""


def run(args: argparse.Namespace, build: Build | None = None) -> int:
    """Run a request to its result.

    Raises:
        InputError: bad options, bad data, an unwritable folder, or a run that another process works on.
    """
    logging.getLogger("automl_agent.knowledge.store").addHandler(logging.NullHandler())  # a run tells it as remarks
    if args.resume:
        known = find_run(home_of(args), args.resume)
        folder = RunFolder(known.home, resumed_manifest(args, known.manifest))
    else:
        manifest = fresh_manifest(args)
        check_writable(Path(manifest.settings.out or "."))
        check_words(manifest.model, manifest.settings)
        check_knowledge(manifest.settings)
        folder = RunFolder.create(manifest, approve=bool(args.approve))
    args.out = str(folder.out)  # where an error log would go
    with ExitStack() as held:
        try:
            held.enter_context(folder.lease())
        except InputError:
            if not args.resume:
                folder.discard()
            raise
        report = _kept(folder, lambda: _follow(args, folder, build))
    if report is None:
        return INTERRUPTED
    print(report.model_dump_json(indent=2) if args.json else summarize(report))
    return report.exit_status


def _kept(folder: RunFolder, work: Callable[[], Report]) -> Report | None:
    """The result of the work, kept in the run's folders; so is the reason when there is none."""
    there = folder.out.exists()
    try:
        report = work()
        folder.finish(report)
    except KeyboardInterrupt:
        print(f"Stopped. Continue with: automl-agent run --resume {folder.run_id}", file=sys.stderr)
        return None
    except Exception as error:
        found = storage_error(error, (folder.path, folder.out))
        folder.fail(str(found) if found else f"{type(error).__name__}: {error}")
        if not there:
            with suppress(OSError):  # nothing half-written: an empty folder goes, any other stays
                folder.out.rmdir()
        if found is None:
            raise
        problem = str(found).removesuffix(found.hint).strip()
        how = found.hint.replace(GO_ON, f"continue with: automl-agent run --resume {folder.run_id}")
        raise StorageError(problem, hint=how) from error
    return report


def fresh_manifest(args: argparse.Namespace) -> RunManifest:
    """What the options say. Limits go to the settings only, so that a resumed run can be given new ones."""
    earlier = find_finished(home_of(args), args.based_on) if args.based_on is not None else None
    if earlier is None and not (args.words or "").strip():
        hint = 'Put it first: automl-agent run "REQUEST" --data FILE' if args.data else ""
        raise InputError("The REQUEST is missing: say in plain words what you want.", hint=hint)
    for name in NAMED:
        if getattr(args, name) is not None and not getattr(args, name).strip():
            raise InputError(f"{_option(name)} is empty.", hint="Leave it out to have it inferred.")
    request = Request(
        words=args.words or "",
        based_on=earlier.run_id if earlier else None,
        data=tuple(_absolute(place) for place in args.data or ()),
        test_data=_absolute(args.test_data) if args.test_data else None,
        ignore=tuple(args.ignore or ()),
        by=tuple(args.by or ()),
        options=dict(args.set or ()),
        **{name: getattr(args, name) for name in NAMED},
    )
    if earlier is not None:
        taken_over(request, earlier, Settings())  # data that are gone or changed are found out before any work
    settled, model = _settled(earlier, home_of(args)) if earlier else ({}, None)
    model = model_words(args.model) or model
    given = {"home": args.home, "retrieval": True, **settled, **_given(args, SETTINGS_OPTIONS)}
    if args.no_retrieval:
        given["retrieval"] = False
    if given.get("notes"):
        given["notes"] = _absolute(given["notes"])
    settings = _settings(given | model_settings(_given(args, MODEL_OPTIONS), model))
    if args.sources and args.no_retrieval:
        raise InputError("--sources and --no-retrieval exclude each other.")
    if earlier is not None:
        check_named_code(settings, args, earlier.run_id)
    named_sources(settings.sources)  # one that is not known is found out before any work
    run_id = new_run_id(request.words or (earlier.task.words if earlier else ""))
    out = Path(settings.out or Path("automl-runs", run_id)).expanduser().absolute()
    return RunManifest(
        run_id=run_id,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        request=request,
        settings=settings.model_copy(update={"out": str(out), "home": str(settings.home_path)}),
        model=model,
        versions={"automl_agent": __version__, "python": platform.python_version()},
    )


def _settled(earlier: FinishedRun, home: Path) -> tuple[dict[str, Any], dict[str, str] | None]:
    """Settings and models of the run that is varied; of a run from Python only what its request says."""
    limits = {name: getattr(earlier.request, name) for name in ("budget", "trials", "seed", "max_cost")}
    settings, model = {}, None
    with suppress(InputError):
        manifest = read_manifest(home, earlier.run_id)
        settings, model = manifest.settings.model_dump(exclude={"out", "home", "plan_only"}), manifest.model
    return {**settings, **{name: value for name, value in limits.items() if value is not None}}, model


def resumed_manifest(args: argparse.Namespace, manifest: RunManifest) -> RunManifest:
    """The manifest of a run that goes on, with the limits that may be given anew.

    Raises:
        InputError: when an option is given that would make it another run.
    """
    fixed = (*REQUEST_OPTIONS, *SETTINGS_OPTIONS, *MODEL_OPTIONS, "model", "no_retrieval", "approve")
    check_named_code(manifest.settings, args, manifest.run_id)
    same = {"sandbox": manifest.settings.sandbox, "sources": manifest.settings.sources}
    for name, value in _given(args, (name for name in fixed if name not in CHANGEABLE)).items():
        if name in same and same[name] == (tuple(value) if name == "sources" else value):
            continue
        option = {"words": "REQUEST", "based_on": "--from"}.get(name) or _option(name)
        raise InputError(
            f"{option} cannot be given together with --resume: a resumed run keeps what it started with.",
            hint=f"Only {', '.join(map(_option, CHANGEABLE))} can change.",
        )
    settings = _settings({**manifest.settings.model_dump(), **_given(args, CHANGEABLE)})
    return manifest.model_copy(update={"settings": settings})


def check_writable(out: Path) -> None:
    """Fail before any work, and without making the folder.

    Raises:
        InputError: when results could not be written to this folder.
    """
    there = next(folder for folder in (out, *out.parents) if folder.exists())
    if not there.is_dir():
        raise InputError(f"Output folder {out} cannot be made: {there} is a file.", hint="Give another one with --out.")
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        reason = f"Output folder {out} is not writable: {error.strerror}."
        raise InputError(reason, hint="Give another one with --out.") from error


def check_knowledge(settings: Settings) -> None:
    """Fail before any work where the notes or the server that were named cannot be used.

    Raises:
        InputError: names the folder, or the note's file and field, or the address.
    """
    from automl_agent.knowledge.store import KnowledgeStore

    if settings.retrieval:
        KnowledgeStore.of(settings).check()


def _given(args: argparse.Namespace, names: Any) -> dict[str, Any]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _settings(given: dict[str, Any]) -> Settings:
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        what = first["msg"][0].lower() + first["msg"][1:]
        raise InputError(f"{_option(first['loc'][0])} {first['input']}: {what}.") from error


def _option(name: object) -> str:
    return f"--{str(name).replace('_', '-')}"


def _absolute(place: str) -> str:
    """Paths survive a change of folder before a resume; links and names of data sets stay as they are."""
    path = Path(place).expanduser()
    return str(path.absolute()) if path.exists() else place


def _follow(args: argparse.Namespace, folder: RunFolder, build: Build | None) -> Report:
    """Drive the graph to its report, with progress, signals and questions."""
    settings = folder.manifest.settings
    view = View(folder.run_id, args.started, settings.budget)
    progress = Progress(view)
    report = None

    def notify(text: str) -> None:
        view.note = text
        if not progress.live:
            os.write(2, f"{text}\n".encode())

    try:
        with stopping(folder.run_id, notify) as stopper, _checkpoints(folder.home) as checkpointer:
            graph = (build or _build_graph())(
                folder.manifest.model, settings=settings, require_approval=folder.approve, checkpointer=checkpointer
            )
            report = _drive(graph, folder, Replies(args, progress, stopper), progress)
    finally:
        progress.close(report)
    return report


class Replies:
    """Replies to interrupts: what the options say, else what the person at the terminal says."""

    def __init__(self, args: argparse.Namespace, progress: Progress, stopper: Stopper) -> None:
        self._answer: str | None = args.answer
        self._yes: bool = args.yes
        self._progress, self._stopper = progress, stopper

    def to(self, value: Any) -> Reply | None:
        """The reply, or `None` when there is nobody to ask. `--answer` answers the first question only."""
        ask: Ask | None = typed if on_terminal() else None
        with self._progress.paused(), self._stopper.question():
            reply = reply_to(value, answer=self._answer, yes=self._yes, ask=ask)
        if "approve" not in value:
            self._answer = None
        return reply


def _drive(graph: Any, folder: RunFolder, replies: Replies, progress: Progress) -> Report:
    """Stream the graph until its state holds a report, or a question stays open.

    A run is finished when its state says so. That no node is next proves nothing: a kill between two writes of a
    checkpoint leaves such a state too, and going on from it finishes the run.
    """
    from langgraph.types import Command

    settings = folder.manifest.settings
    config = {"configurable": {"thread_id": folder.run_id}}
    state = stored_state(graph, folder)
    pending: Any = {"request": folder.manifest.request} if state.created_at is None else None
    if state.values.get("report") is None:
        clock = folder.ledger.clock(folder.run_id, settings.budget, time.monotonic() - progress.view.started)
        progress.view.left = clock.remaining
    while (report := state.values.get("report")) is None:
        if state.interrupts:
            answers = {interrupt.id: replies.to(interrupt.value) for interrupt in state.interrupts}
            if None in answers.values():
                value = next(item.value for item in state.interrupts if answers[item.id] is None)
                return left_open(value, folder.run_id, versions=folder.manifest.versions)
            pending = Command(resume=answers)
        for part in graph.stream(
            pending, config, context=settings, stream_mode=["custom", "updates"], durability="sync", version="v2"
        ):
            if part["type"] == "custom":
                progress.show(part["data"])
                folder.log(part["data"])
        state = stored_state(graph, folder)
        if state.values.get("report") is None and not state.interrupts:
            raise AutoMLError("The run ended without a result.")
    assert isinstance(report, Report)
    return report


def _build_graph() -> Build:
    from automl_agent.graph import build_graph  # a second and more of imports: after the progress view is there

    return build_graph


@contextmanager
def _checkpoints(home: Path) -> Iterator[SqliteSaver]:
    """The checkpoints of all runs in one file; a minute of patience with other writers."""
    from langgraph.checkpoint.sqlite import SqliteSaver

    with closing(sqlite3.connect(home / "checkpoints.sqlite", check_same_thread=False, timeout=60)) as connection:
        yield SqliteSaver(connection)
