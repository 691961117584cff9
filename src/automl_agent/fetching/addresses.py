"""Addresses as people and file systems see them: without secrets, with a name for the file, with a better one."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from automl_agent.errors import InputError

if TYPE_CHECKING:
    import httpx

_UNSAFE = re.compile(r"[^\w.-]+")
_PREFIX = "AUTOML_LINK_"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET = re.compile(r"token|secret|passw|signature|(^|[^a-z])(sig|key|auth|pwd)([^a-z]|$)|api.?key", re.IGNORECASE)
_SUFFIXES = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/vnd.apache.parquet": ".parquet",
    "application/zip": ".zip",
    "application/gzip": ".gz",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}
"""Content type -> suffix of a file whose link shows none."""


def shown(url: str) -> str:
    """An address without what may be a secret: user, password, query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "...=..." if parts.query else "", ""))


def filled(url: str) -> str:
    """An address with the values of its variables: `https://host/t.csv?token=${AUTOML_LINK_TOKEN}`.

    So that a secret is written down nowhere. Only variables with this prefix: a link may come from a stranger.

    Raises:
        InputError: such a variable is not set, has another prefix, or stands in a part of the link that is shown.
    """
    hidden = urlsplit(url)
    inside = hidden.query + hidden.netloc.rpartition("@")[0]

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not name.startswith(_PREFIX) or match[0] not in inside:
            raise InputError(
                f"{match[0]} in the link {shown(url)} is not filled in.",
                hint=f"Accepted are {_PREFIX}NAME variables, in the user, the password and the query of a link.",
            )
        if name not in os.environ:
            raise InputError(f"{match[0]} in the link {shown(url)}: this variable is not set.", hint=f"Set {name}.")
        return os.environ[name]

    return _VARIABLE.sub(value, url)


def holds_secret(url: str) -> bool:
    """Whether a link has what looks like a password or a key written in it."""
    parts = urlsplit(_VARIABLE.sub("", url))
    keys = [name for name, value in parse_qsl(parts.query) if value]
    return bool(parts.password) or any(_SECRET.search(name) for name in keys)


def instead(url: str) -> str:
    """What to give instead of the page that a person sees."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").removeprefix("www."), parts.path.strip("/")
    if host == "github.com" and "/blob/" in path:
        return f"Give https://raw.githubusercontent.com/{path.replace('/blob/', '/', 1)}"
    if host == "kaggle.com" and (match := re.match(r"(?:c|competitions)/([\w-]+)", path)):
        return f"Give kaggle:{match[1]}"
    if host == "kaggle.com" and (match := re.match(r"datasets/([\w-]+/[\w-]+)", path)):
        return f"Give kaggle:{match[1]}"
    if host == "huggingface.co" and (match := re.match(r"datasets/([\w.-]+(?:/[\w.-]+)?)", path)):
        return f"Give hf:{match[1]}"
    if host == "openml.org" and (match := re.match(r"d/(\d+)", path)):
        return f"Give openml:{match[1]}"
    return "Give the link of the file itself, as the page's download button has it."


def content_type(answer: httpx.Response) -> str:
    return str(answer.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def file_name(url: str, answer: httpx.Response) -> str:
    """A name for the file: what the server says, or the last part of the address, with a suffix."""
    disposition = answer.headers.get("Content-Disposition", "")
    match = re.search(r"filename\*?=(?:UTF-8'')?\"?([^\";]+)", disposition, re.IGNORECASE)
    name = safe_name(unquote(match[1])) if match else ""
    name = name or safe_name(name_of(url)) or safe_name(name_of(str(answer.url))) or "data"
    return name if "." in name else name + _SUFFIXES.get(content_type(answer), "")


def name_of(url: str) -> str:
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])


def safe_name(name: str) -> str:
    """A name without anything that a path could mind."""
    return _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip("._")[-100:]
