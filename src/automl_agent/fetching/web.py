"""HTTP with bounds: size, time, attempts. Whatever goes wrong is one line that says what, where and what to do.

A download that broke goes on where it stopped (`Range` with `If-Range`, RFC 9110 sections 13 and 14), in the same call
and in a later one, as long as the server gives its files a version (`ETag` or `Last-Modified`).
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from automl_agent.errors import InputError
from automl_agent.fetching.addresses import content_type, file_name, instead, name_of, safe_name, shown
from automl_agent.fetching.partial import Part, Stamp

if TYPE_CHECKING:
    import httpx

MEGABYTE = 1e6
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 20.0
"""A server that sends nothing for so long is given up."""
ATTEMPTS = 4
PAUSE = 0.3
"""Seconds before the second attempt; each further one waits twice as long."""
TELL_SECONDS = 1.0
LONGEST_ANSWER = 16 * 2**20
BUSY = (429, 503)
BUSY_PAUSE = 1.0
"""Seconds before a busy server that names no time is asked again; each further wait is twice as long."""
_MARKUP = re.compile(rb"\s*(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)


class WebError(InputError):
    """A request that failed. `status` is the HTTP status; 0 where the server was not reached or broke off.

    `retry_after`: seconds after which the server said to ask again, if it did.
    """

    def __init__(self, message: str, *, hint: str = "", status: int = 0, retry_after: float | None = None) -> None:
        self.status, self.retry_after = status, retry_after
        super().__init__(message, hint=hint)


@dataclass(frozen=True)
class Download:
    path: Path
    size: int
    stamp: Stamp


@dataclass
class Web:
    """The network within the bounds of one fetch or search."""

    deadline: float
    """On the monotonic clock, for everything together."""
    max_bytes: int = 500_000_000
    """Of all files together."""
    say: Callable[[str], None] = lambda _text: None
    """Shows progress."""
    connect: float = CONNECT_SECONDS
    longest: int = LONGEST_ANSWER
    """Bytes of one answer that is no file."""
    patient: bool = False
    """Whether an answer is asked for again when the server is busy (429, 503): after the time that it names, within
    the deadline."""
    loaded: int = field(default=0, init=False)
    """Bytes of finished downloads."""

    def left(self) -> float:
        return self.deadline - time.monotonic()

    # ------------------------------------------------------------ answers

    def json(self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
             auth: tuple[str, str] | None = None, body: Any = None) -> Any:  # fmt: skip
        """The JSON that a server answers a GET with, or with a `body` (sent as JSON) a POST.

        Raises:
            WebError: it was not reached, refused, or answered something else.
        """
        content = self._answered(url, params=params, headers=headers, auth=auth, body=body)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise WebError(f"{shown(url)} answered something else than JSON.") from error

    def text(self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
             ) -> str:  # fmt: skip
        """The text (UTF-8) that a server answers a GET with.

        Raises:
            WebError: it was not reached, refused, or answered no text.
        """
        try:
            return self._answered(url, params=params, headers=headers).decode()
        except UnicodeDecodeError as error:
            raise WebError(f"{shown(url)} answered something else than text.") from error

    def _answered(self, url: str, **request: Any) -> bytes:
        """The body of an answer; a busy server is asked again where we are patient and it wants us to."""
        for attempt in range(ATTEMPTS):
            try:
                return self._asked(url, **request)
            except WebError as error:
                pause = BUSY_PAUSE * 2**attempt if error.retry_after is None else error.retry_after
                if not self.patient or error.status not in BUSY or attempt == ATTEMPTS - 1 or pause >= self.left():
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _asked(self, url: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None,
               auth: tuple[str, str] | None = None, body: Any = None) -> bytes:  # fmt: skip
        import httpx

        self._check_reachable(url)
        method = "GET" if body is None else "POST"
        try:
            with (
                self._client(headers) as client,
                client.stream(method, url, params=params, json=body, auth=auth) as answer,
            ):
                self._check_status(url, answer)
                content = b""
                for block in answer.iter_bytes():
                    content += block
                    if len(content) > self.longest or self.left() <= 0:
                        raise WebError(f"The answer of {shown(url)} is too long or too slow.")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._translated(url, error) from error
        return content

    def changed(self, url: str, stamp: Stamp) -> bool:
        """Whether a file has another version now; true where the server does not say.

        Raises:
            WebError: the server was not reached or refused.
        """
        import httpx

        if not (stamp.etag or stamp.modified):
            return True
        self._check_reachable(url)
        known = {"If-None-Match": stamp.etag, "If-Modified-Since": stamp.modified}
        try:
            with (
                self._client({name: value for name, value in known.items() if value}) as client,
                client.stream("GET", url) as answer,
            ):
                if answer.status_code != 304:
                    self._check_status(url, answer)
                return answer.status_code != 304
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._translated(url, error) from error

    # ------------------------------------------------------------ files

    def download(self, url: str, folder: Path, *, name: str = "", headers: Mapping[str, str] | None = None,
                 auth: tuple[str, str] | None = None) -> Download:  # fmt: skip
        """Bring a file into a folder, under `name` or the name that the server or the link gives it.

        What a broken attempt has left in the folder is taken up, when the server still has the same version.

        Raises:
            WebError: not reached, refused, too large, too slow, or a web page instead of data.
        """
        import httpx

        self._check_reachable(url)
        part = Part(folder / f".{safe_name(name or name_of(url)) or 'data'}.part", url)
        problem: Exception | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(max(0.0, min(PAUSE * 2 ** (attempt - 1), self.left())))
            if self.left() <= 0:
                break
            try:
                with self._client({**(headers or {}), **part.continuing()}) as client:
                    return self._received(client, url, part, folder, name, auth)
            except _TryAgain as error:
                problem = error
            except httpx.TransportError as error:
                if isinstance(error, _hopeless()):
                    raise self._translated(url, error) from error
                problem = error
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                raise self._translated(url, error) from error
        raise self._broken(url, part, problem)

    def _received(self, client: httpx.Client, url: str, part: Part, folder: Path, name: str,
                  auth: tuple[str, str] | None) -> Download:  # fmt: skip
        """One attempt: the whole file, or its end where the beginning is there."""
        with client.stream("GET", url, auth=auth) as answer:
            if answer.status_code == 416 and part.size:  # the beginning that we have is no part of it any more
                part.remove()
                raise _TryAgain
            self._check_status(url, answer)
            stamp = Stamp(etag=answer.headers.get("ETag", ""), modified=answer.headers.get("Last-Modified", ""))
            continued = answer.status_code == 206 and part.continues(answer.headers.get("Content-Range", ""))
            if answer.status_code == 206 and not continued:
                part.remove()
                raise _TryAgain
            if not continued:
                part.begin(stamp if _plain(answer) else Stamp())  # what was decoded is counted otherwise
            whole = _whole_size(answer, part.size if continued else 0)
            self.check_size(url, whole or 0)
            part.whole = whole
            self._write(url, answer, part)
        final = folder / (name or file_name(url, answer))
        size = part.finish(final)
        self.loaded += size
        return Download(final, size, stamp)

    def _write(self, url: str, answer: httpx.Response, part: Part) -> None:
        told = time.monotonic()
        page = content_type(answer) in _PAGES
        with part.path.open("ab") as file:
            size = file.tell()
            for block in answer.iter_bytes():  # as they come: a broken connection loses none
                if size == 0 and (_MARKUP.match(block[:2000]) or (page and block.lstrip().startswith(b"<"))):
                    raise _web_page(url)
                size += len(block)
                self.check_size(url, size)
                file.write(block)
                now = time.monotonic()
                if now > self.deadline:
                    raise _TryAgain
                if now - told > TELL_SECONDS:
                    told = now
                    self.say(f"{shown(url)}: {_megabytes(size, part.whole)}")
        if part.whole is not None and size < part.whole:
            raise _TryAgain

    # ------------------------------------------------------------ what can go wrong

    def _client(self, headers: Mapping[str, str] | None) -> httpx.Client:
        import httpx

        patience = max(0.1, min(SILENCE_SECONDS, self.left()))
        common = {"User-Agent": f"automl-agent/{version('automl-agent')}", "Accept-Encoding": "identity"}
        return httpx.Client(
            timeout=httpx.Timeout(patience, connect=max(0.1, min(self.connect, self.left()))),
            headers={**common, **(headers or {})},
            verify=_certificates(),
            follow_redirects=True,
            max_redirects=10,
        )

    def _check_reachable(self, url: str) -> None:
        """Resolve the host's name, or the proxy's, with a bound: a system without a network can take minutes for it."""
        parts = urlsplit(url)
        if not parts.hostname:
            raise WebError(f"{shown(url)} is not an address.")
        proxy = getproxies().get(parts.scheme, "")
        host = parts.hostname if not proxy or proxy_bypass(parts.hostname) else urlsplit(proxy).hostname
        found: list[OSError | None] = []

        def look() -> None:
            try:
                socket.getaddrinfo(host, None)
                found.append(None)
            except OSError as error:
                found.append(error)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(max(0.0, min(self.connect, self.left())))
        if not found or found[0] is not None:
            text = f"{shown(url)} cannot be reached: the name {host!r} is not known here."
            raise WebError(text, hint=_NO_NETWORK)

    def _check_status(self, url: str, answer: httpx.Response) -> None:
        status, place = answer.status_code, shown(url)
        if status < 400:
            return
        if status in (404, 410):
            raise WebError(f"There is nothing at {place} ({status}).", hint="Check the link.", status=status)
        if status in (401, 403, 407):
            raise WebError(f"{place} may not be read ({status}).", hint="It may need an account.", status=status)
        if status == 429 or status >= 500:
            wait = _wait(answer.headers.get("Retry-After", ""))
            raise WebError(
                f"{place} cannot answer now ({status}).", hint="Try again later.", status=status, retry_after=wait
            )
        raise WebError(f"{place} refused the request ({status}).", status=status)

    def check_size(self, url: str, size: int) -> None:
        """
        Raises:
            WebError: so many bytes more would be too many.
        """
        if self.loaded + size > self.max_bytes:
            allowed = f"at most {self.max_bytes / MEGABYTE:,.0f} MB may be loaded"
            seen = f"{(self.loaded + size) / MEGABYTE:,.1f} MB"
            raise WebError(f"{shown(url)} is too large: {seen} or more, and {allowed}.", hint="Raise --max-download.")

    def _translated(self, url: str, error: Exception) -> WebError:
        import httpx

        place, text = shown(url), " ".join(str(error).split())[:200]
        if isinstance(error, WebError):
            return error
        if isinstance(error, httpx.TooManyRedirects):
            return WebError(f"{place} leads in circles: more than 10 redirects.")
        if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
            return WebError(f"{place} is not an address, or leads to one that is not http or https.")
        if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            return WebError(f"{place} sent nothing for too long.", hint="Try again later.")
        if isinstance(error, httpx.TransportError):
            why = "no answer" if isinstance(error, httpx.ConnectTimeout) else text or type(error).__name__
            return WebError(f"{place} cannot be reached: {why}.", hint=_NO_NETWORK)
        return WebError(f"{place} cannot be stored: {text}.")

    def _broken(self, url: str, part: Part, problem: Exception | None) -> WebError:
        kept = f"{_megabytes(part.size, part.whole)} came and are kept" if part.resumable else "nothing is kept"
        again = " Start it again to go on from there." if part.resumable else ""
        if self.left() <= 0:
            return WebError(
                f"{shown(url)} was not loaded in time: {kept}.{again}", hint="Or give more time (--budget)."
            )
        why = " ".join(str(problem).split())[:100] or "it ended too early"
        return WebError(f"The connection to {shown(url)} broke {ATTEMPTS} times ({why}): {kept}.{again}")


_NO_NETWORK = "Check the address and the network, or download the file and give its path."
_PAGES = ("text/html", "application/xhtml+xml")


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Loaded once: it takes longer than most requests."""
    import httpx

    return httpx.create_ssl_context()


class _TryAgain(Exception):
    """This attempt came to nothing, the next one may not."""


def _hopeless() -> tuple[type[Exception], ...]:  # a function, since httpx is imported when it is needed
    """Faults of the network that another attempt would meet again."""
    import httpx

    return httpx.UnsupportedProtocol, httpx.ProxyError, httpx.ConnectError, httpx.ConnectTimeout


def _wait(said: str) -> float | None:
    """Seconds that a `Retry-After` names, as a number or as a date (RFC 9110, section 10.2.3); `None` for neither."""
    if said.strip().isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return None


def _web_page(url: str) -> WebError:
    return WebError(f"{shown(url)} is a web page, not data.", hint=instead(url))


def _whole_size(answer: httpx.Response, before: int) -> int | None:
    """Bytes of the whole file, when the server says so."""
    length = answer.headers.get("Content-Length", "")
    return before + int(length) if _plain(answer) and length.isdigit() else None


def _plain(answer: httpx.Response) -> bool:
    """Whether the bytes come as they are, and not packed for the way."""
    return str(answer.headers.get("Content-Encoding", "identity")) == "identity"


def _megabytes(size: int, whole: int | None) -> str:
    return f"{size / MEGABYTE:.1f}" + (f" of {whole / MEGABYTE:.1f} MB" if whole else " MB")
