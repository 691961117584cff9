"""OpenML (https://www.openml.org): `openml:31`, `openml:credit-g`, `openml:credit-g@1`.

Written after the REST API v1 (https://www.openml.org/apis) and recorded answers of it, which scikit-learn ships with
its tests; the search after the Elasticsearch queries of OpenML's own web page. Tested against a stand-in server that
answers in these forms; it was never run against openml.org itself.

`OPENML_ENDPOINT` and `OPENML_SEARCH_ENDPOINT` name other servers.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from automl_agent.errors import InputError
from automl_agent.fetching.partial import Stamp
from automl_agent.fetching.protocol import Brought, Found
from automl_agent.fetching.web import Web, WebError

MOST = 5
"""Sets that a search asks for."""
_NAME = re.compile(r"(?P<name>[^@/?#]+)(?:@(?P<version>\d+))?")


class OpenML:
    scheme = "openml"
    title = "OpenML"

    @property
    def _api(self) -> str:
        return os.environ.get("OPENML_ENDPOINT", "https://www.openml.org").rstrip("/") + "/api/v1/json/data"

    @property
    def _search(self) -> str:
        return os.environ.get("OPENML_SEARCH_ENDPOINT", "https://www.openml.org/es").rstrip("/") + "/data/_search"

    def fetch(self, name: str, folder: Path, web: Web) -> Brought:
        match = _NAME.fullmatch(name)
        if match is None:
            raise InputError(f"openml:{name} is no data set of OpenML.", hint="Accepted: openml:31, openml:NAME@1.")
        number = name if name.isdigit() else self._number(match["name"], match["version"], web)
        facts = self._asked(f"{self._api}/{number}", f"openml:{name}", web)["data_set_description"]
        if "sparse" in str(facts.get("format", "")).lower():
            raise InputError(f"openml:{name} is a sparse table, which is not read.", hint="Give a dense one.")
        left_out = [*_several(facts.get("row_id_attribute")), *_several(facts.get("ignore_attribute"))]
        file = self._table(facts, folder, web, left_out)
        targets = _several(facts.get("default_target_attribute"))
        title = f"{facts['name']}, version {facts.get('version', 1)} (OpenML {facts['id']})"
        remarks = (
            [f"OpenML says to ignore these columns, which were left out: {', '.join(left_out)}"] if left_out else []
        )
        if facts.get("status", "active") != "active":
            remarks.append(f"OpenML calls this set {facts['status']}.")
        return Brought(file, title, targets[0] if len(targets) == 1 else None, remarks=tuple(remarks))

    def changed(self, name: str, stamp: Stamp, web: Web) -> bool:  # noqa: ARG002
        return False  # a version of a set stays as it is

    def search(self, words: Sequence[str], web: Web) -> tuple[Found, ...]:
        query = {"multi_match": {"query": " ".join(words), "fields": ["name^3", "description"]}}
        active = {"bool": {"must": query, "filter": [{"term": {"status": "active"}}]}}
        fields = ["data_id", "name", "description", "qualities.NumberOfInstances"]
        answer = web.json(self._search, body={"size": MOST, "query": active, "_source": fields})
        return tuple(_found(hit["_source"]) for hit in answer["hits"]["hits"] if "data_id" in hit.get("_source", {}))

    def _number(self, name: str, version: str | None, web: Web) -> str:
        """Number of a set: of this version, or of the oldest active one, as other clients take it."""
        which = f"data_version/{version}" if version else "status/active"
        place = f"{self._api}/list/data_name/{quote(name, safe='')}/limit/2/{which}"
        sets = self._asked(place, f"openml:{name}" + (f"@{version}" if version else ""), web)["data"]["dataset"]
        return str(sets[0]["did"])

    def _asked(self, url: str, given: str, web: Web) -> Any:
        try:
            return web.json(url)
        except WebError as error:
            if error.status not in (404, 412):  # 412 is how OpenML says that it knows no such set
                raise
            raise InputError(f"OpenML has no active data set {given!r}.", hint="Look it up on openml.org.") from error

    def _table(self, facts: Mapping[str, Any], folder: Path, web: Web, left_out: Sequence[str]) -> str:
        """Bring the table, as Parquet where OpenML has it so, and store it without columns that are no features."""
        import pyarrow.parquet as pq

        from automl_agent.fetching.arff import read_arff

        stem = re.sub(r"[^\w.-]+", "_", str(facts["name"])).strip("._") or "table"
        parquet = str(facts.get("parquet_url") or facts.get("minio_url") or "")
        table = None
        if parquet.endswith((".pq", ".parquet")):
            try:
                table = pq.read_table(web.download(parquet, folder, name=f".{stem}.pq").path)
            except (WebError, OSError, ValueError) as error:  # the ARFF file is what a set is defined by
                web.say(f"The Parquet file cannot be used ({error}); the ARFF file is loaded instead.")
        if table is None:
            path = web.download(str(facts["url"]), folder, name=f".{stem}.arff").path
            _check_md5(path, str(facts.get("md5_checksum") or ""))
            table = read_arff(path)
        kept = [name for name in table.column_names if name not in left_out]
        pq.write_table(table.select(kept), folder / f"{stem}.parquet")
        return f"{stem}.parquet"


def _several(value: Any) -> list[str]:
    """Names in a field that holds none, one, several with commas between, or a list."""
    names = value.split(",") if isinstance(value, str) else value or []
    return [name.strip() for name in names if name.strip()]


def _check_md5(path: Path, expected: str) -> None:
    if expected:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != expected:
            path.unlink()
            raise InputError("The file from OpenML is damaged: its checksum is not what OpenML says.",
                             hint="Try again.")  # fmt: skip


def _found(facts: Mapping[str, Any]) -> Found:
    rows = (facts.get("qualities") or {}).get("NumberOfInstances")
    about = " ".join(str(facts.get("description") or "").split())
    return Found(f"openml:{facts['data_id']}", str(facts.get("name", "")), about, int(float(rows)) if rows else None)


SOURCE = OpenML()
