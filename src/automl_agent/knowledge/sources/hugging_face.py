"""Hugging Face (https://huggingface.co): models and data sets of a subject, the most loaded first.

Written after the Hub's API (https://huggingface.co/docs/hub/api: `/api/models` and `/api/datasets` with `search`,
`pipeline_tag` or `filter`, `sort`, `direction`, `limit`) and programs that call it. What is listed are names and tags,
with a description for data sets. Tested against a stand-in server that answers in this form; it was never run against
huggingface.co itself.

`HF_ENDPOINT` names another server, `HF_TOKEN` is sent to it where it is set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from automl_agent.fetching import hugging_face
from automl_agent.fetching.web import Web
from automl_agent.records import Note

TASKS = {
    "tabular_classification": "tabular-classification",
    "tabular_regression": "tabular-regression",
    "text_classification": "text-classification",
    "image_classification": "image-classification",
    "forecasting": "time-series-forecasting",
    "node_classification": "graph-ml",
}
"""Task family -> the Hub's tag for it."""
SEARCHED = 2
"""Words that are searched for: the Hub looks for all of them in a name."""
_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")


class HuggingFace:
    name = "hf"
    title = "Hugging Face"

    def search(self, words: Sequence[str], family: str | None, web: Web, k: int) -> tuple[Note, ...]:
        tag = TASKS.get(family or "", "")
        models = self._listed("models", words, {"pipeline_tag": tag} if tag else {}, web, k)
        sets = self._listed("datasets", words, {"filter": f"task_categories:{tag}"} if tag else {}, web, k)
        notes = [_note(each, "model") for each in models[: (k + 1) // 2]]
        notes += [_note(each, "dataset") for each in sets[: k - len(notes)]]
        return tuple(note for note in notes if note is not None)

    def _listed(
        self, what: str, words: Sequence[str], task: Mapping[str, str], web: Web, k: int
    ) -> list[Mapping[str, Any]]:
        asked = {"search": " ".join(words[:SEARCHED]), "sort": "downloads", "direction": "-1", "limit": str(k)}
        source = hugging_face.SOURCE
        answer = web.json(f"{source.hub}/api/{what}", params={**asked, **task}, headers=source.headers)
        return [each for each in answer if not each.get("private") and not each.get("gated")]


def _note(facts: Mapping[str, Any], kind: str) -> Note | None:
    name = str(facts.get("id") or "")
    if not _ID.fullmatch(name):
        return None
    what, folder = ("model", "") if kind == "model" else ("data set", "datasets/")
    when = str(facts.get("lastModified") or facts.get("createdAt") or "")[:10] or "no date"
    owner = name.split("/")[0] if "/" in name else "Hugging Face"
    about = f"A {what} at Hugging Face, loaded {facts.get('downloads') or 0} times: {hugging_face.about(facts)}"
    return Note(
        id=f"hf:{kind}s/{name}",
        title=f"{name}, a {what}",
        kind=kind,
        source=f"{owner} ({when}): {name}, https://huggingface.co/{folder}{name}",
        families=(),
        text=about,
    )


SOURCE = HuggingFace()
