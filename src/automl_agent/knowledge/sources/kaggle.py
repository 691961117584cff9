"""Kaggle (https://www.kaggle.com): titles of public notebooks that many found good, with the user's own key.

Written after `/kernels/list` of the REST API v1 as Kaggle describes it (`KaggleSwagger.yaml` in
https://github.com/Kaggle/kaggle-api), and the fields that Kaggle's own client reads from its answer. The list holds
titles, not what the notebooks say, so a note is as short. Tested against a stand-in server that answers in this form;
it was never run against kaggle.com itself.

The key and `KAGGLE_API_ENDPOINT` are those of `fetching.kaggle`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from automl_agent.fetching.kaggle import credentials
from automl_agent.fetching.web import Web
from automl_agent.records import Note

_REF = re.compile(r"/?(?:code/)?(?P<ref>[\w-]+/[\w-]+)")


class Kaggle:
    name = "kaggle"
    title = "Kaggle"

    def search(self, words: Sequence[str], family: str | None, web: Web, k: int) -> tuple[Note, ...]:  # noqa: ARG002
        place = os.environ.get("KAGGLE_API_ENDPOINT", "https://www.kaggle.com").rstrip("/") + "/api/v1/kernels/list"
        asked = {"search": " ".join(words), "language": "python", "sortBy": "voteCount", "pageSize": str(k)}
        answer = web.json(place, params=asked, **credentials())
        listed = answer if isinstance(answer, list) else answer.get("kernels") or []
        return tuple(note for each in listed if (note := _note(each)) is not None)


def _note(facts: Mapping[str, Any]) -> Note | None:
    match = _REF.fullmatch(str(facts.get("ref") or ""))
    title = str(facts.get("title") or "")
    if match is None or not title:
        return None
    author, run = str(facts.get("author") or match["ref"].split("/")[0]), str(facts.get("lastRunTime") or "")[:10]
    source = f"{author} ({run or 'no date'}): a notebook at Kaggle, https://www.kaggle.com/code/{match['ref']}"
    text = f"A notebook at Kaggle called {title!r}, with {facts.get('totalVotes') or 0} votes."
    return Note(id=f"kaggle:{match['ref']}", title=title, kind="kaggle", source=source, families=(), text=text)


SOURCE = Kaggle()
