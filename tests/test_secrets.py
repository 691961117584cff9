"""No secret that a run can see turns up in what it leaves or says: a canary in every variable and file.

The model obeys an attacker: what it writes prints the environment and reads the files of keys, and a second run is
refused by a server that repeats the key in its error.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from automl_agent.testing import ModelServer, faults
from conftest import CANCER
from data_server import DataServer, Page
from model_scripts import careless

MARK = "canary7f3a9c"
VARIABLES = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "AZURE_OPENAI_API_KEY", "LANGSMITH_API_KEY", "HF_TOKEN",
    "KAGGLE_API_TOKEN", "KAGGLE_KEY", "KAGGLE_USERNAME", "CHROMA_TOKEN", "BUNDLE_TOKEN", "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN", "DATABASE_URL", "MY_OWN_PASSWORD", "SOMETHING_ELSE", "AUTOML_LINK_A", "AUTOML_LINK_B",
)  # fmt: skip
FILES = (
    ".netrc", ".kaggle/kaggle.json", ".cache/huggingface/token", ".ssh/id_rsa", ".aws/credentials", "work/.env",
)  # fmt: skip
SPIES = """import pandas as pd

def fit(frame, target):
    return {'leak': found()}

def transform(frame, state):
    print(found())
    if frame.shape[1] > 3:
        raise ValueError(found()[:500])
    return pd.DataFrame({'x': 1.0}, index=frame.index)

def found():
    os = pd.io.common.os
    texts = [str(dict(os.environ))]
    for place in PLACES:
        try:
            with open(place) as file:
                texts.append(file.read())
        except OSError as error:
            texts.append(str(error))
    return str(texts)
"""


@dataclass
class Host:
    """A machine of somebody who keeps keys everywhere."""

    folder: Path
    canaries: dict[str, str]
    """The secret of each variable and file."""

    def run(self, *arguments: str, base_url: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable, "-m", "automl_agent.cli", "run", *arguments, "--model", "openai:stand-in", "--base-url",
            base_url, "--home", str(self.folder / "home"), "--budget", "120", "--trials", "8", "--plans", "2", "--json",
        ]  # fmt: skip
        environment = {
            **os.environ,
            **{name: self.canaries[name] for name in VARIABLES},
            "HOME": str(self.folder / "user"),
            "TMPDIR": str(self.folder / "tmp"),
            "XDG_CACHE_HOME": str(self.folder / "user" / ".cache"),
        }
        return subprocess.run(
            command, cwd=self.folder / "user" / "work", env=environment, capture_output=True, text=True, timeout=400
        )

    def found_in(self, text: str | bytes) -> set[str]:
        """Whose secrets stand in a text."""
        content = text.encode() if isinstance(text, str) else text
        return {owner for owner, secret in self.canaries.items() if secret.encode() in content}

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """All that lies in the run's folders, what is packed unpacked."""
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if not path.is_file() or name in {f"user/{file}" for file in FILES}:
                continue
            yield name, path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    for member in archive.namelist():
                        yield f"{name}/{member}", archive.read(member)
            elif path.suffix == ".parquet":
                yield f"{name} (unpacked)", pd.read_parquet(path).to_csv().encode()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    # Half of them look like keys. The other half look like nothing, so that no masking by shape can save them.
    shapes = (f"{MARK}-", f"sk-{MARK}-")
    canaries = {owner: f"{shapes[place % 2]}{place:02}" for place, owner in enumerate((*VARIABLES, *FILES))}
    for name in FILES:
        path = tmp_path / "user" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"machine example.org password {canaries[name]}\n")
    (tmp_path / "tmp").mkdir()
    return Host(tmp_path, canaries)


def test_no_secret_is_kept_or_said(host: Host, figure: Callable[[str], None]) -> None:
    places = [str(host.folder / "user" / name) for name in FILES] + [
        "/proc/self/environ",
        f"/proc/{os.getpid()}/environ",
    ]
    spies = SPIES.replace("PLACES", repr(places))
    refusal = faults.http_error(
        "repeats the key", 401, "invalid_api_key", f"Incorrect API key provided: {host.canaries['OPENAI_API_KEY']}."
    )
    with DataServer() as data, ModelServer(careless(spies)) as obeys, ModelServer(fault=refusal) as refuses:
        data.pages["/table.csv"] = Page(CANCER.read_bytes())
        port = data.server_address[1]
        link = f"http://me:${{AUTOML_LINK_A}}@127.0.0.1:{port}/table.csv?token=${{AUTOML_LINK_B}}"
        runs = [
            host.run("Predict the diagnosis.", "--data", link, "--out", "linked", base_url=obeys.base_url),
            host.run("Predict the diagnosis.", "--data", str(CANCER), "--out", "refused", base_url=refuses.base_url),
        ]
    for run in runs:
        assert run.returncode == 0, run.stderr
    assert [call for call in obeys.requests if not call.schema], "the model wrote no code: nothing was attacked"
    places_searched = 0
    for name, content in host.kept():
        places_searched += 1
        assert not host.found_in(content), (name, host.found_in(content))
    said = [text for run in runs for text in (run.stdout, run.stderr)]
    assert data.seen[0].query == {"token": host.canaries["AUTOML_LINK_B"]}
    asked = [str(call.body) for server in (obeys, refuses) for call in server.requests]
    for text in (*said, *asked):
        assert not host.found_in(text), (host.found_in(text), text[:300])
    figure(
        f"{len(host.canaries)} secrets, 2 runs: 0 found in {places_searched} files and members, {len(asked)} prompts, "
        f"{len(said)} outputs"
    )
