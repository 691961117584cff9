"""What is kept of a finished run, in HOME/runs/RUN/finished.json, so that another run can vary it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from automl_agent.errors import InputError
from automl_agent.execution.home import checked_name, prepare_home, write_durably
from automl_agent.execution.runs import read_manifest
from automl_agent.records import DataProfile, Grade, Record, Request, Solution, TaskSpec
from automl_agent.settings import Settings


class FinishedRun(Record):
    """A run that got to a task, and what came of it."""

    run_id: str
    finished: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    """ISO 8601, UTC."""
    request: Request
    """As it was carried out: with seed, budget, trials and cost of the settings where it named none."""
    task: TaskSpec
    profile: DataProfile | None = None
    solution: Solution | None = None
    """`None` for a run that only made plans."""
    grade: Grade | None = None


def write_finished(home: Path, run: FinishedRun) -> None:
    path = _path(prepare_home(home), run.run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, run.model_dump_json(indent=2) + "\n")


def find_finished(home: Path, name: str) -> FinishedRun:
    """The finished run of this id, or whose result lies in this folder; `last` is the one that delivered a model last.

    Raises:
        InputError: there is no such run, or it never got to a task.
    """
    if name == "last":
        return _last(home)
    result = Path(name).expanduser() / "result.json"
    if result.is_file():
        return _of_result(home, result)
    if Path(name).expanduser().is_dir():
        raise InputError(f"The folder {name} holds no result of a run (result.json).", hint="Give the id of a run.")
    if not _path(home, name).is_file():
        raise _missing(home, name)
    return _read(_path(home, name))


def taken_over(request: Request, earlier: FinishedRun, settings: Settings) -> Request:
    """The request with what the earlier run was given where this one is given nothing.

    Data are not taken over unseen: they must be what the earlier run read.

    Raises:
        InputError: the earlier run's data are gone, or were changed since.
    """
    before = earlier.request
    update: dict[str, object] = {"based_on": earlier.run_id}
    if not request.data:
        check_unchanged(earlier)
        update |= {"data": before.data, "test_data": request.test_data or before.test_data}
    for name in ("budget", "trials", "max_cost", "seed"):
        if getattr(request, name) is None and name not in settings.model_fields_set:
            update[name] = getattr(before, name)
    return request.model_copy(update=update)


def check_unchanged(run: FinishedRun) -> None:
    """
    Raises:
        InputError: when what the run read is gone, or holds something else now.
    """
    for place, known in (run.profile.sources if run.profile else {}).items():
        again = checksum(place)
        if again == known:
            continue
        what = "are gone, or cannot be read" if not again else "were changed since"
        raise InputError(
            f"The data of run {run.run_id} {what}: {place}.",
            hint="Give the data with --data: then the two runs cannot share trials or a test.",
        )


def checksum(place: str) -> str:
    """A checksum of a file's content, or of a folder's names and sizes; empty when there is nothing to be read."""
    path = Path(place)
    try:
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        if not path.is_dir():
            return ""
        listing = sorted((str(p.relative_to(path)), p.stat().st_size) for p in path.rglob("*") if p.is_file())
    except OSError:
        return ""
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def checksums(request: Request) -> Mapping[str, str]:
    """The checksums of all that a request gives, by path."""
    places = [*request.data, *([request.test_data] if request.test_data else [])]
    return {place: checksum(place) for place in places}


def _path(home: Path, run_id: str) -> Path:
    return home / "runs" / checked_name(run_id) / "finished.json"


def _read(path: Path) -> FinishedRun:
    try:
        return FinishedRun.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"What was kept of run {path.parent.name} cannot be read: {reason}.",
                         hint="Start it again, with the same version.") from error  # fmt: skip


def _last(home: Path) -> FinishedRun:
    found = []
    for path in home.glob("runs/*/finished.json"):
        try:
            found.append(_read(path))
        except InputError:
            continue
    if not found:
        raise InputError(f"There is no finished run in {home}.", hint="Give the id of a run, or its folder and --home.")
    return max(found, key=lambda run: (run.solution is not None, run.finished))


def _of_result(home: Path, result: Path) -> FinishedRun:
    try:
        run_id = str(json.loads(result.read_text(encoding="utf-8"))["run_id"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{result} is not the result of a run.", hint="Give the id of a run.") from error
    if not _path(home, run_id).is_file():
        if not (home / "runs" / run_id).is_dir():
            raise InputError(f"Run {run_id}, whose result {result} is, is not in {home}.",
                             hint="Give the home that it was run in with --home.")  # fmt: skip
        raise _missing(home, run_id)
    return _read(_path(home, run_id))


def _missing(home: Path, run_id: str) -> InputError:
    """Why nothing is kept of a run."""
    read_manifest(home, run_id)  # raises where there is no such run
    try:
        result = json.loads((home / "runs" / run_id / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        result = {}
    status = result.get("status", "") if isinstance(result, dict) else ""
    if status in ("refused", "needs_answer"):
        return InputError(f"Run {run_id} never got to a task: {result.get('reason', status)}",
                          hint="Start a run of its own with the words and the data.")  # fmt: skip
    if (error := home / "runs" / run_id / "error.txt").is_file():
        return InputError(f"Run {run_id} never got to a result: {error.read_text(encoding='utf-8').strip()}")
    if status:
        return InputError(f"Run {run_id} was made by a version that kept too little of it to be varied.")
    return InputError(f"Run {run_id} has not finished.", hint=f"Continue it with: automl-agent run --resume {run_id}")
