"""Hugging Face data sets (https://huggingface.co/datasets): `hf:imdb`, `hf:OWNER/NAME`, `hf:OWNER/NAME@CONFIG`.

The Parquet files that Hugging Face makes of every public set are listed by the dataset viewer
(https://huggingface.co/docs/dataset-viewer/parquet) and loaded over plain HTTP; sets are searched at the Hub
(https://huggingface.co/docs/hub/api). Written after these pages and tested against a stand-in server that answers in
their forms; it was never run against huggingface.co itself.

`HF_ENDPOINT` and `HF_DATASETS_SERVER` name other servers, `HF_TOKEN` is sent to them where it is set.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from automl_agent.errors import InputError
from automl_agent.fetching.partial import Stamp
from automl_agent.fetching.protocol import Brought, Found
from automl_agent.fetching.web import Web, WebError

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 5
_NAME = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<config>.+))?")
_SPLITS = ("train", "test")
"""What is loaded; without a train split, the only split that there is."""


class HuggingFace:
    scheme = "hf"
    title = "Hugging Face"

    @property
    def hub(self) -> str:
        return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")

    @property
    def _server(self) -> str:
        return os.environ.get("HF_DATASETS_SERVER", "https://datasets-server.huggingface.co").rstrip("/")

    @property
    def headers(self) -> dict[str, str]:
        token = os.environ.get("HF_TOKEN", "").strip()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def fetch(self, name: str, folder: Path, web: Web) -> Brought:
        match = _NAME.fullmatch(name)
        if match is None:
            raise InputError(f"hf:{name} is no data set of Hugging Face.", hint="Accepted: hf:OWNER/NAME@CONFIG.")
        listed, called = self._listed(match["name"], web)
        config = _config(listed, match["config"], f"hf:{name}")
        files = [file for file in listed if file["config"] == config]
        splits = list(dict.fromkeys(file["split"].removeprefix("partial-") for file in files))
        wanted = [split for split in splits if split in _SPLITS]
        if "train" not in wanted:
            if len(splits) != 1:
                raise InputError(f"hf:{name} has no part called train.", hint=f"Its parts: {', '.join(splits)}.")
            wanted = splits
        for split in wanted:
            parts = [file for file in files if file["split"].removeprefix("partial-") == split]
            self._load(parts, folder, "train" if split != "test" else "test", web)
        remarks = [f"Only {', '.join(wanted)} of {called} are used; it also has: {', '.join(rest)}."
                   for rest in [[split for split in splits if split not in wanted]] if rest]  # fmt: skip
        if any(file["split"].startswith("partial-") for file in files):
            remarks.append(f"Hugging Face offers the first 5 GB of {called} only.")
        main = "train.parquet" if len(wanted) == 1 else ""
        return Brought(main, f"{called} ({config})", remarks=tuple(remarks))

    def changed(self, name: str, stamp: Stamp, web: Web) -> bool:  # noqa: ARG002
        return False

    def search(self, words: Sequence[str], web: Web) -> tuple[Found, ...]:
        params = {"search": " ".join(words), "sort": "downloads", "direction": "-1", "limit": str(MOST)}
        answer = web.json(f"{self.hub}/api/datasets", params=params, headers=self.headers)
        usable = [each for each in answer if not each.get("private") and not each.get("gated")]
        return tuple(Found(f"hf:{each['id']}", each["id"], about(each)) for each in usable)

    def _listed(self, name: str, web: Web) -> tuple[list[dict[str, Any]], str]:
        """The Parquet files of a set, and its full name: old ones (`imdb`) are known to the Hub only."""
        try:
            return self._parquet(name, web), name
        except WebError as error:
            if error.status != 404:
                raise
        try:
            facts = web.json(f"{self.hub}/api/datasets/{quote(name)}", headers=self.headers)
        except WebError as error:
            if error.status not in (401, 404):  # 401 is what the Hub says of sets that are not there
                raise
            raise InputError(f"Hugging Face has no public data set {name!r}.",
                             hint="Look it up on huggingface.co/datasets.") from error  # fmt: skip
        full = str(facts.get("id") or name)
        try:
            return self._parquet(full, web), full
        except WebError as error:
            raise InputError(f"Hugging Face has made no Parquet files of {full!r}.",
                             hint="Download its files and give their paths.") from error  # fmt: skip

    def _parquet(self, name: str, web: Web) -> list[dict[str, Any]]:
        answer = web.json(f"{self._server}/parquet", params={"dataset": name}, headers=self.headers)
        files: list[dict[str, Any]] = answer.get("parquet_files") or []
        if not files:
            raise WebError(f"Hugging Face has no Parquet files of {name!r} yet.", status=404)
        return files

    def _load(self, files: Sequence[Mapping[str, Any]], folder: Path, name: str, web: Web) -> None:
        """Load the shards of a split one by one and store them as one file."""
        import pyarrow.parquet as pq

        total = sum(int(file.get("size") or 0) for file in files)
        web.check_size(str(files[0]["url"]), total)
        writer = None
        for number, file in enumerate(files):
            shard = web.download(str(file["url"]), folder, name=f".{name}-{number}.parquet", headers=self.headers).path
            source = pq.ParquetFile(shard)
            classes = _classes(source.schema_arrow)
            for group in range(source.num_row_groups):
                table = _named(source.read_row_group(group), classes).replace_schema_metadata(None)
                writer = writer or pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
                writer.write_table(table)
        if writer is not None:
            writer.close()


def _config(files: Sequence[Mapping[str, Any]], asked: str | None, given: str) -> str:
    configs = list(dict.fromkeys(str(file["config"]) for file in files))
    if asked in configs:
        return str(asked)
    if asked is None and len(configs) == 1:
        return configs[0]
    if asked is None and "default" in configs:
        return "default"
    name = given.partition("@")[0]
    raise InputError(f"{given} is several tables in one." if asked is None else f"{name} has no part {asked!r}.",
                     hint=f"Give {name}@ and one of: {', '.join(configs[:12])}.")  # fmt: skip


def _classes(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the classes that columns hold the numbers of: Hugging Face keeps them in the file's metadata."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {
        name: feature["names"]
        for name, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }


def _named(table: pa.Table, classes: Mapping[str, list[str]]) -> pa.Table:
    """The table with classes by name; a number that has none (-1 for an unlabelled row) is missing."""
    import pyarrow as pa

    for name, names in classes.items():
        place = table.schema.get_field_index(name)
        codes = table.column(place).to_pylist()
        labels = [names[code] if code is not None and 0 <= code < len(names) else None for code in codes]
        table = table.set_column(place, name, pa.array(labels, pa.string()))
    return table


def about(facts: Mapping[str, Any]) -> str:
    """What the Hub says of a set, its description or else its tags that are words."""
    tags = [str(tag) for tag in facts.get("tags") or [] if ":" not in str(tag)]
    return " ".join(str(facts.get("description") or " ".join(tags)).split())


SOURCE = HuggingFace()
