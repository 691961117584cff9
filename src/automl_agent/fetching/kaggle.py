"""Kaggle (https://www.kaggle.com): `kaggle:titanic` (a competition), `kaggle:OWNER/NAME` (a data set).

With the user's own key, as Kaggle's own client takes it: `KAGGLE_USERNAME` and `KAGGLE_KEY`, or a token in
`KAGGLE_API_TOKEN`, or `kaggle.json` in `KAGGLE_CONFIG_DIR` or `~/.kaggle`. It is sent to Kaggle only, and kept nowhere.

Written after the REST API v1 as Kaggle describes it (`KaggleSwagger.yaml` in https://github.com/Kaggle/kaggle-api) and
tested against a stand-in server that answers in its form; it was never run against kaggle.com itself.

`KAGGLE_API_ENDPOINT` names another server.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from automl_agent.errors import InputError
from automl_agent.fetching.partial import Stamp
from automl_agent.fetching.protocol import Brought, Found
from automl_agent.fetching.unpacking import unpack
from automl_agent.fetching.web import Web, WebError

MOST = 5
_NAME = re.compile(r"(?P<owner>[\w-]+/)?(?P<name>[\w-]+)")
_KEY = ("Make one at kaggle.com/settings and put kaggle.json into ~/.kaggle, or set KAGGLE_USERNAME and KAGGLE_KEY;"
        " or download the files and give their folder.")  # fmt: skip


class Kaggle:
    scheme = "kaggle"
    title = "Kaggle"

    @property
    def _api(self) -> str:
        return os.environ.get("KAGGLE_API_ENDPOINT", "https://www.kaggle.com").rstrip("/") + "/api/v1"

    def fetch(self, name: str, folder: Path, web: Web) -> Brought:
        match = _NAME.fullmatch(name)
        if match is None:
            raise InputError(
                f"kaggle:{name} is no name at Kaggle.", hint="Accepted: kaggle:COMPETITION, kaggle:OWNER/NAME."
            )
        what = "data set" if match["owner"] else "competition"
        place = f"datasets/download/{name}" if match["owner"] else f"competitions/data/download-all/{name}"
        try:
            path = web.download(f"{self._api}/{place}", folder, name=".archive.zip", **credentials()).path
        except WebError as error:
            raise self._explained(error, name, what) from error
        if zipfile.is_zipfile(path):
            unpack(path, folder, max_bytes=8 * web.max_bytes)
        else:  # a set of one file may come as it is
            path.rename(folder / f"{match['name']}.csv")
        tables = [each for each in folder.iterdir() if not each.name.startswith(".")]
        main = tables[0].name if len(tables) == 1 and tables[0].is_file() else ""
        return Brought(main, f"the {what} {name} of Kaggle")

    def changed(self, name: str, stamp: Stamp, web: Web) -> bool:  # noqa: ARG002
        return False

    def search(self, words: Sequence[str], web: Web) -> tuple[Found, ...]:
        params = {"search": " ".join(words), "filetype": "csv", "page": "1"}
        answer = web.json(f"{self._api}/datasets/list", params=params, **credentials())
        listed = answer if isinstance(answer, list) else answer.get("datasets") or []
        return tuple(Found(f"kaggle:{each['ref']}", str(each.get("title") or each["ref"]),
                           str(each.get("subtitle") or "")) for each in listed[:MOST])  # fmt: skip

    def _explained(self, error: WebError, name: str, what: str) -> InputError:
        if error.status == 401:
            return InputError("Kaggle does not accept your key.", hint=_KEY)
        if error.status == 403:
            rules = f"https://www.kaggle.com/competitions/{name}/rules" if what == "competition" else "its page"
            return InputError(f"Kaggle does not give you the {what} {name!r}.", hint=f"Accept its rules: {rules}")
        if error.status == 404:
            return InputError(f"Kaggle has no {what} {name!r}.",
                              hint="A competition is kaggle:NAME, a data set kaggle:OWNER/NAME.")  # fmt: skip
        return error


def credentials() -> dict[str, Any]:
    """The key as arguments of a request.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    token = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    if token:
        return {"headers": {"Authorization": f"Bearer {token}"}}
    user, key = os.environ.get("KAGGLE_USERNAME", ""), os.environ.get("KAGGLE_KEY", "")
    if user and key:
        return {"auth": (user, key)}
    path = Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle") / "kaggle.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {"auth": (str(stored["username"]), str(stored["key"]))}
    except FileNotFoundError as error:
        raise InputError("Kaggle needs a key, and there is none.", hint=_KEY) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The Kaggle key in {path} cannot be read.", hint=_KEY) from error


SOURCE = Kaggle()
