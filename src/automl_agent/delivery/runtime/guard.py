"""What stands before the model in the server: who may ask, how much, how slowly; and one line in the log for each."""

import asyncio
import hmac
import json
import logging
import time
import uuid
from collections import Counter
from typing import Any

import h11
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

BODY_SECONDS = 10.0
"""In which a body must have come."""
HEAD_SECONDS = 10.0
"""In which the head of a request must have come, counted from the connection or the last answer."""
ANSWER_SECONDS = 60.0
"""In which a client must have read an answer that it is slow to take."""
MAX_CONNECTIONS = 256
WAITING = 8
"""Bodies that may be on their way at once, as a multiple of the predictions: a client that sends its body slowly takes
the place of no prediction."""
OPEN_PATHS = ("/healthz", "/readyz")
log = logging.getLogger("bundle")
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class JsonLines(logging.Formatter):
    """One JSON object a line; never a payload or a header."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {"time": round(record.created, 3), "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(fields | getattr(record, "fields", {}))


class Connection(H11Protocol):
    """A connection that ends when its client stalls: uvicorn waits without end for a head, and for an answer to be
    read."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._since, self._unread = self.loop.time(), 0
        self._watch = self.loop.call_later(1.0, self._look)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.write(BUSY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        try:
            super().handle_events()
        except h11.LocalProtocolError:  # garbage behind a request that was answered: nothing can be said any more
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # its body is broken: this is the answer, and the application's is dropped
        super().send_400_response(msg)

    def _look(self) -> None:
        """Once a second: a client has its time again whenever the server works for it, or has got rid of an answer."""
        unread, before = self.transport.get_write_buffer_size(), self._unread
        works = self.cycle is not None and not self.cycle.response_complete
        if not unread and (works or before):
            self._since = self.loop.time()
        self._unread = unread
        if self.loop.time() - self._since > (ANSWER_SECONDS if unread else HEAD_SECONDS):
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(1.0, self._look)


class Guard:
    """Answers what must not reach the model (wrong token, body too large or too slow, too many at once); logs all."""

    def __init__(self, app: Any, *, token: str, in_flight: int, counters: Counter[str], limit: int) -> None:
        self.app, self.token, self.free, self.counters = app, token.encode(), in_flight, counters
        self.limit, self.room = limit, WAITING * max(1, in_flight)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, identity, seen = time.perf_counter(), uuid.uuid4().hex, {"status": 0}
        scope.setdefault("state", {})["request_id"] = identity

        async def tagged(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message = message | {"headers": [*message.get("headers", []), (b"x-request-id", identity.encode())]}
            await send(message)

        try:
            await self._answer(scope, receive, tagged)
        except Exception as error:
            log.error("failed", extra={"fields": {"request_id": identity, "error": type(error).__name__}})
            if not seen["status"]:
                await refuse(500, "internal error", identity)(scope, receive, tagged)
        seconds = time.perf_counter() - started
        self.counters[f'requests_total{{status="{seen["status"]}"}}'] += 1
        self.counters["request_seconds_sum"] += seconds  # type: ignore[assignment]
        fields = {"request_id": identity, "method": scope["method"], "path": scope["path"], "status": seen["status"]}
        log.info("request", extra={"fields": fields | {"ms": round(seconds * 1000, 2)}})

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        headers, identity = dict(scope["headers"]), scope["state"]["request_id"]
        given = headers.get(b"authorization", b"")
        if self.token and scope["path"] not in OPEN_PATHS and not hmac.compare_digest(given, b"Bearer " + self.token):
            return await refuse(401, "a bearer token is needed", identity)(scope, receive, send)
        if scope["method"] in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or b"transfer-encoding" in headers:  # chunks would count, and not the stated length
            return await refuse(411, "Content-Length is needed", identity)(scope, receive, send)
        if len(length) > 15 or int(length) > self.limit:
            return await refuse(413, f"the body may have {self.limit} bytes at most", identity)(scope, receive, send)
        busy = refuse(429, "too many requests at once", identity, {"Retry-After": "1"})
        if self.free <= 0 or self.room <= 0:
            return await busy(scope, receive, send)
        self.room -= 1
        try:
            body = await asyncio.wait_for(_read(receive), BODY_SECONDS)
        except TimeoutError:
            return await refuse(408, "the body came too slowly", identity)(scope, receive, send)
        finally:
            self.room += 1
        if len(body) != int(length):
            return await refuse(400, "the body ended early", identity)(scope, receive, send)
        if self.free <= 0:
            return await busy(scope, receive, send)
        answer: list[Any] = []

        async def keep(message: Any) -> None:
            answer.append(message)

        self.free -= 1
        try:
            await self.app(scope, _replay(body, receive), keep)
        finally:
            self.free += 1
        for message in answer:  # only now: who is slow to read takes the place of no prediction either
            await send(message)
        return None


async def _read(receive: Any) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _replay(body: bytes, receive: Any) -> Any:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return waiting.pop() if waiting else await receive()

    return again


def refuse(status: int, error: str, identity: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    return JSONResponse({"error": error, **more, "request_id": identity}, status_code=status, headers=headers)
