"""What was fetched, in HOME/fetched: one folder a link or name, with the files and where they are from.

HOME/fetched/NAME-HASH/         the files
HOME/fetched/NAME-HASH.json     an `Origin`: there when, and only when, all files are
HOME/fetched/NAME-HASH.part/    what is not whole yet; a later attempt goes on with it
HOME/fetched/NAME-HASH.lock     held by the process that fetches
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from automl_agent.errors import InputError
from automl_agent.execution.home import prepare_home, write_durably
from automl_agent.fetching.addresses import shown
from automl_agent.fetching.partial import Stamp
from automl_agent.fetching.protocol import Brought, Source
from automl_agent.fetching.web import MEGABYTE, Web, WebError
from automl_agent.knowledge.lock import exclusive
from automl_agent.records import Record


class Origin(Record):
    """Where the files of a folder are from."""

    given: str
    """The link (without user, password and query) or the name."""
    scheme: str
    main: str = ""
    """The file that is meant; empty for the folder."""
    title: str = ""
    target: str | None = None
    stamp: Stamp | None = None
    fetched: str
    """When, ISO 8601."""
    sha256: dict[str, str]
    """File -> checksum."""
    remarks: tuple[str, ...] = ()


def local(home: Path, source: Source, name: str, given: str, web: Web) -> tuple[Path, Origin]:
    """The path of what a user gave, fetched unless it is here already.

    A link is asked whether its file has changed; where there is no network the copy that is here is used. Named sets
    do not change under their name often enough to ask: their folder is deleted to fetch them anew.

    Raises:
        InputError: it could not be fetched.
    """
    place = _place(home, given)
    with _locked(place, web):
        origin = _whole(place)
        if origin is None or _outdated(origin, source, name, web):
            origin = _fetched(place, source, name, given, web)
    return (place / origin.main if origin.main else place), origin


def origin_of(home: Path, path: str) -> Origin | None:
    """Where a local path is from; `None` for the user's own files."""
    try:
        inside = Path(path).relative_to(home / "fetched")
    except ValueError:
        return None
    return _stored(home / "fetched" / inside.parts[0]) if inside.parts else None


def _place(home: Path, given: str) -> Path:
    plain = re.sub(r"[^\w.-]+", "-", _plainly(given)).strip("-.")[-60:].strip("-.")
    return prepare_home(home) / "fetched" / f"{plain}-{hashlib.sha256(given.encode()).hexdigest()[:12]}"


@contextmanager
def _locked(place: Path, web: Web) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(_beside(place, "lock"), max(0.0, web.left())):
            yield
    except TimeoutError as error:
        raise InputError(f"Another process is still fetching into {place}.", hint="Wait for it.") from error


def _beside(place: Path, suffix: str) -> Path:
    return place.with_name(f"{place.name}.{suffix}")


def _stored(place: Path) -> Origin | None:
    try:
        return Origin.model_validate_json(_beside(place, "json").read_bytes())
    except (OSError, ValidationError):
        return None


def _whole(place: Path) -> Origin | None:
    """What lies there, when every file is as it was."""
    origin = _stored(place)
    if origin is None or any(_sha256(place / name) != value for name, value in origin.sha256.items()):
        return None
    return origin


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _outdated(origin: Origin, source: Source, name: str, web: Web) -> bool:
    if origin.stamp is None:
        web.say(f"{_named(origin)} was fetched on {origin.fetched[:10]} and is used as it is.")
        return False
    try:
        return source.changed(name, origin.stamp, web)
    except WebError as error:
        if error.status in (404, 410):
            raise
        web.say(f"{error} The copy of {origin.fetched[:10]} is used.")
        return False


def _fetched(place: Path, source: Source, name: str, given: str, web: Web) -> Origin:
    """Fetch beside what is there, so that a copy is lost only to a better one."""
    part = _beside(place, "part")
    part.mkdir(exist_ok=True)
    _clear(path for path in part.iterdir() if not path.name.startswith("."))  # half-loaded files begin with a dot
    web.say(f"Fetching {_plainly(given)}")
    try:
        brought = source.fetch(name, part, web)
        _clear(part.glob(".*"))
        origin = _origin(part, source, given, brought)
        _clear(path for path in (place,) if path.exists())
        part.rename(place)
        write_durably(_beside(place, "json"), origin.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise InputError(f"{_plainly(given)} cannot be stored in {place}: {error.strerror or error}.") from error
    except ValueError as error:
        raise InputError(
            f"{_plainly(given)} cannot be read: {error}.", hint="Load it yourself, and give the file."
        ) from error
    size = sum((place / file).stat().st_size for file in origin.sha256) / MEGABYTE
    sums = ", ".join(f"{file} {value[:12]}" for file, value in list(origin.sha256.items())[:3])
    web.say(f"Fetched {_named(origin)}: {len(origin.sha256)} file(s), {size:.1f} MB (SHA-256 {sums})")
    for remark in brought.remarks:
        web.say(remark)
    return origin


def _clear(paths: Iterable[Path]) -> None:
    for path in list(paths):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _plainly(given: str) -> str:
    """What was given, without what may be a secret in a link."""
    return shown(given) if "://" in given else given


def _origin(place: Path, source: Source, given: str, brought: Brought) -> Origin:
    files = sorted(path for path in place.rglob("*") if path.is_file())
    return Origin(
        given=_plainly(given),
        scheme=source.scheme,
        main=brought.main,
        title=brought.title,
        target=brought.target,
        stamp=brought.stamp,
        fetched=datetime.now(UTC).isoformat(timespec="seconds"),
        sha256={path.relative_to(place).as_posix(): _sha256(path) for path in files},
        remarks=brought.remarks,
    )


def _named(origin: Origin) -> str:
    return origin.title or origin.given
