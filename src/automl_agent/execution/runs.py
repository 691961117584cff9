"""The manifest of a run: all that is needed to start or resume it, written before anything else happens."""

from __future__ import annotations

import re
import secrets
import unicodedata
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from pydantic import Field, ValidationError

from automl_agent.errors import InputError
from automl_agent.execution.home import checked_name, prepare_home, write_durably
from automl_agent.records import Record, Request
from automl_agent.settings import Settings

_SLUG_LENGTH = 24
_COMMON_WORDS = """
a an and are at be best build by can classify customer customers data dataset do does for forecast from get give good
have how i if in into is it least less machine make many me model most much my need of on or our out please predict
predicting prediction should table tell than that the their them there these they this to train under us use using want
we what when where whether which who will with within you your
"""


class RunManifest(Record):
    """What a run was started with."""

    run_id: str
    created: str
    """ISO 8601, UTC."""
    request: Request
    settings: Settings
    versions: dict[str, str] = Field(default_factory=dict)
    model: dict[str, str] | None = None
    """Words of the language models by role, with a `default`; `None` for the rule-based agents. Keys are not kept: they
    stay in the environment."""


def new_run_id(words: str) -> str:
    """A new id such as `20261122-132455-churn-a1b2`: sorts by time (UTC), says what it is about, can name a folder."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{now}-{_slug(words)}-{secrets.token_hex(2)}"


def _slug(words: str) -> str:
    """The telling words of a request's first sentence, in short."""
    sentence = re.split(r"[.?!;]\s|\n", words.strip(), maxsplit=1)[0]
    plain = unicodedata.normalize("NFKD", sentence).encode("ascii", "ignore").decode().lower()
    common = _COMMON_WORDS.split()
    telling = [word for word in re.findall(r"[a-z0-9]+", plain) if word not in common]
    slug = ""
    for word in telling:
        longer = f"{slug}-{word}" if slug else word[:_SLUG_LENGTH]
        if len(longer) > _SLUG_LENGTH:
            break
        slug = longer
    return slug or "run"


def write_manifest(home: Path, manifest: RunManifest) -> Path:
    """Write `home/runs/RUN/manifest.json` so that it survives whatever happens next."""
    path = _manifest_path(prepare_home(home), manifest.run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, manifest.model_dump_json(indent=2) + "\n")
    return path


def read_manifest(home: Path, run_id: str) -> RunManifest:
    """The manifest of a run.

    Raises:
        InputError: when there is no such run, or its manifest cannot be read.
    """
    path = _manifest_path(home, run_id)
    try:
        return RunManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        known = [manifest.run_id for manifest in list_runs(home)]
        near = get_close_matches(run_id, known, n=3, cutoff=0.3) or known[:3]
        hint = f"There are: {', '.join(near)}." if near else "No run has been started there yet."
        raise InputError(f"There is no run {run_id!r} in {home}.", hint=hint) from None
    except (OSError, ValidationError) as error:
        raise InputError(f"The manifest {path} cannot be read: {str(error).splitlines()[0]}.") from error


def list_runs(home: Path) -> tuple[RunManifest, ...]:
    """All runs of a home folder, the newest first. Manifests that cannot be read are left out."""
    found = []
    for path in home.glob("runs/*/manifest.json"):
        try:
            found.append(RunManifest.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            continue
    return tuple(sorted(found, key=lambda manifest: (manifest.created, manifest.run_id), reverse=True))


def _manifest_path(home: Path, run_id: str) -> Path:
    return home / "runs" / checked_name(run_id) / "manifest.json"
