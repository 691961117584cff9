"""A stand-in for places that data come from: files with versions and ranges, and all that servers do wrong.

The forms of the answers are those that OpenML, Hugging Face and Kaggle describe (see `automl_agent.fetching`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Seen:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None


@dataclass
class Page:
    """What one path answers."""

    body: bytes = b""
    status: int = 200
    kind: str = "text/csv"
    headers: dict[str, str] = field(default_factory=dict)
    version: str | None = '"v1"'
    """Entity tag; `None` for a server that gives none (and then no ranges)."""
    breaks: list[int] = field(default_factory=list)
    """Bytes after which the connection breaks, for one request after the other."""
    pause: float = 0.0
    """Seconds before the answer."""
    drip: float = 0.0
    """Seconds between pieces of 1,000 bytes."""


Answer = Page | Callable[[Seen], Page]


class DataServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> DataServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away here on purpose."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, path: str, body: bytes | str, **facts: Any) -> str:
        """Serve a file; gives its link."""
        self.pages[path] = Page(body.encode() if isinstance(body, str) else body, **facts)
        return self.base + path

    def answer(self, path: str, value: Any, status: int = 200) -> None:
        """Serve JSON."""
        self.pages[path] = Page(json.dumps(value).encode(), status, "application/json", version=None)

    def asked(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]


class _Handler(BaseHTTPRequestHandler):
    server: DataServer
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0))))

    def _serve(self, body: Any) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        seen = Seen(parts.path, query, {name.lower(): value for name, value in self.headers.items()}, body)
        self.server.seen.append(seen)
        page = self.server.pages.get(parts.path, Page(b"nothing here", 404, "text/plain"))
        page = page(seen) if callable(page) else page
        if self.server.closing.wait(page.pause):
            return
        status, content, extra = self._part(page, seen)
        self.send_response(status)
        for name, value in {"Content-Type": page.kind, "Content-Length": str(len(content)), **extra}.items():
            self.send_header(name, value)
        if page.version:
            self.send_header("ETag", page.version)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        end = page.breaks.pop(0) if page.breaks else len(content)
        for start in range(0, min(end, len(content)), 1000):
            self.wfile.write(content[start : min(start + 1000, end)])
            if page.drip:
                self.wfile.flush()
                if self.server.closing.wait(page.drip):
                    return
        self.close_connection = True

    def _part(self, page: Page, seen: Seen) -> tuple[int, bytes, dict[str, str]]:
        """The whole, what is asked for of it, or that nothing has changed."""
        if page.version and seen.headers.get("if-none-match") == page.version:
            return 304, b"", {}
        wanted = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
        if not wanted or not page.version or seen.headers.get("if-range") != page.version:
            return page.status, page.body, {}
        start = int(wanted[1])
        if start >= len(page.body):
            return 416, b"", {}
        return 206, page.body[start:], {"Content-Range": f"bytes {start}-{len(page.body) - 1}/{len(page.body)}"}

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are silent."""


def openml(server: DataServer, number: int, name: str, *, parquet: bytes = b"", arff: str = "", **facts: Any) -> None:
    """Put a set as OpenML has it."""
    listed = {"did": number, "name": name, "version": 1, "status": "active", "format": "ARFF", "file_id": number,
              "quality": [{"name": "NumberOfInstances", "value": "150.0"}]}  # fmt: skip
    for which in ("status/active", "data_version/1"):
        server.answer(f"/api/v1/json/data/list/data_name/{name}/limit/2/{which}", {"data": {"dataset": [listed]}})
    described = {"id": str(number), "name": name, "version": "1", "format": "ARFF", "status": "active",
                 "url": server.put(f"/data/v1/download/{number}/{name}.arff", arff),
                 "md5_checksum": hashlib.md5(arff.encode()).hexdigest(), **facts}  # fmt: skip
    if parquet:
        described["parquet_url"] = server.put(f"/datasets/{number}/dataset_{number}.pq", parquet)
    server.answer(f"/api/v1/json/data/{number}", {"data_set_description": described})


def hugging_face(server: DataServer, name: str, files: dict[tuple[str, str, int], bytes]) -> None:
    """Put a set as the dataset viewer lists it: (config, split, shard) -> Parquet."""
    listed = []
    for (config, split, shard), content in files.items():
        url = server.put(f"/datasets/{name}/{config}/{split}/{shard:04}.parquet", content)
        listed.append({"dataset": name, "config": config, "split": split, "url": url,
                       "filename": f"{shard:04}.parquet", "size": len(content)})  # fmt: skip

    def parquet(seen: Seen) -> Page:
        if seen.query["dataset"] != name:
            missing = {"error": "The dataset does not exist, or is not accessible without authentication."}
            return Page(json.dumps(missing).encode(), 404, "application/json")
        answer = {"parquet_files": listed, "pending": [], "failed": [], "partial": False}
        return Page(json.dumps(answer).encode(), 200, "application/json")

    server.pages["/parquet"] = parquet


def kaggle(server: DataServer, place: str, content: bytes, *, user: str = "me", key: str = "secret") -> None:
    """Put an archive as Kaggle gives it: for the right key, by a redirect to another place."""
    token = base64.b64encode(f"{user}:{key}".encode()).decode()
    stored = server.put(f"/storage/{place}", content, kind="application/zip")

    def download(seen: Seen) -> Page:
        if seen.headers.get("authorization") != f"Basic {token}":
            return Page(json.dumps({"code": 401, "message": "Unauthenticated"}).encode(), 401, "application/json")
        return Page(b"", 302, "text/html", {"Location": stored}, None)

    server.pages[f"/api/v1/{place}"] = download
