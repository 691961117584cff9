"""What the command line keeps of a run beside its manifest, in HOME/runs/RUN.

manifest.json   request, settings and versions (`execution.runs`)
approve         there when the plans shall be approved
events.jsonl    one progress event a line
result.json     the result, as printed by `--json`
error.txt       why the run could not go on
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from automl_agent.errors import InputError
from automl_agent.events import Event
from automl_agent.execution.home import prepare_home, write_durably
from automl_agent.execution.ledger import Ledger
from automl_agent.execution.runs import RunManifest, list_runs, read_manifest, write_manifest
from automl_agent.records import Report
from automl_agent.settings import Settings

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def home_of(args: argparse.Namespace) -> Path:
    """The home folder that `--home` names, or the default one."""
    return Settings(home=args.home).home_path


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    home: Path
    manifest: RunManifest

    @classmethod
    def create(cls, manifest: RunManifest, *, approve: bool) -> RunFolder:
        """
        Raises:
            InputError: when home cannot be written.
        """
        folder = cls(manifest.settings.home_path, manifest)
        (prepare_home(folder.home) / "runs").mkdir(exist_ok=True)
        try:
            folder.path.mkdir()
        except FileExistsError:
            text = f"Another run was just given the name {manifest.run_id}, too."
            raise InputError(text, hint="Start this one again.") from None
        if approve:  # before the manifest: a run that can be resumed asks for what it was told to ask
            (folder.path / "approve").touch()
        write_manifest(folder.home, manifest)
        return folder

    @property
    def run_id(self) -> str:
        return self.manifest.run_id

    @property
    def path(self) -> Path:
        return self.home / "runs" / self.run_id

    @property
    def out(self) -> Path:
        """Folder of the result."""
        return Path(self.manifest.settings.out or Path("automl-runs", self.run_id)).absolute()

    @property
    def approve(self) -> bool:
        return (self.path / "approve").exists()

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.home)

    def lease(self) -> AbstractContextManager[None]:
        """Hold the run and its output folder for this process; raises `InputError` when another one has them."""
        return self.ledger.lease(self.run_id, self.out.resolve())

    def discard(self) -> None:
        """Forget a run that could not begin."""
        shutil.rmtree(self.path, ignore_errors=True)

    def log(self, event: Event) -> None:
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(event.model_dump_json() + "\n")

    def events(self) -> Iterator[Event]:
        """All events so far; a line cut short by a kill is left out."""
        log = self.path / "events.jsonl"
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
            try:
                yield _EVENT.validate_json(line)
            except ValidationError:
                continue

    def finish(self, report: Report) -> None:
        """Keep the result, also beside the bundle."""
        text = report.model_dump_json(indent=2) + "\n"
        (self.path / "error.txt").unlink(missing_ok=True)
        write_durably(self.path / "result.json", text)
        self.out.mkdir(parents=True, exist_ok=True)
        write_durably(self.out / "result.json", text)

    def fail(self, reason: str) -> None:
        with suppress(OSError):  # on a full disk, or where the folder is gone: whoever called says what happened
            write_durably(self.path / "error.txt", reason)

    def error(self) -> str:
        """Why the run could not go on; empty when it could."""
        file = self.path / "error.txt"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def report(self) -> Report | None:
        try:
            return Report.model_validate_json((self.path / "result.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def status(self) -> str:
        """The result's status, `running`, `failed` or `stopped` (killed, and can be continued)."""
        report = self.report()
        if report is not None and report.status != "needs_answer":
            return report.status
        if self.ledger.worker_of(self.run_id):
            return "running"
        return report.status if report else "failed" if self.error() else "stopped"


def all_runs(home: Path) -> list[RunFolder]:
    """Newest first; runs whose manifest cannot be read are left out."""
    return [RunFolder(home, manifest) for manifest in list_runs(home)]


def find_run(home: Path, name: str) -> RunFolder:
    """The run of this id; `last` is the newest.

    Raises:
        InputError: when there is none.
    """
    if name == "last":
        runs = all_runs(home)
        if not runs:
            raise InputError(f"There is no last run in {home}.", hint="No run has been started there yet.")
        return runs[0]
    return RunFolder(home, read_manifest(home, name))
