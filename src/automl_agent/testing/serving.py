"""The HTTP side of `ModelServer`: requests in, answers or broken connections out."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from automl_agent.testing.exchange import Call, Fault, HttpAnswer

SECRET = frozenset({"authorization", "api-key", "x-api-key", "cookie"})
"""Headers that hold keys."""


@dataclass(frozen=True)
class Sent:
    """What goes back for a request."""

    answer: HttpAnswer
    delay: float = 0.0
    fault: Fault | None = None
    """How the network spoils it."""


class Server(ThreadingHTTPServer):
    """Listens on a free port of the loopback interface, one thread a request."""

    daemon_threads = True

    def __init__(
        self, complete: Callable[[Call, Mapping[str, str]], Sent], models: Callable[[Mapping[str, str]], Sent]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.complete = complete
        """Answers a question; the second argument are the headers that hold keys."""
        self.models = models
        self.closing = threading.Event()
        # The default poll would make every test half a second longer.
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no news; anything else is a mistake in a test."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def error(status: int, code: str, message: str) -> HttpAnswer:
    """An error in OpenAI's form."""
    return HttpAnswer(status, json.dumps({"error": {"message": message, "type": code, "param": None, "code": code}}))


class _Handler(BaseHTTPRequestHandler):
    """One request on its own connection. It is the `exchange.Wire` of the network's faults."""

    server: Server
    timeout = 30

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("/models"):
            self._respond(self.server.models(self._keys()))
        else:
            self._respond(Sent(error(404, "not_found", f"There is no {self.path} here.")))

    def do_POST(self) -> None:
        body = self._json()
        if not self.path.rstrip("/").endswith("/chat/completions"):
            self._respond(Sent(error(404, "not_found", f"There is no {self.path} here.")))
        elif body is None:
            self._respond(Sent(error(400, "invalid_json", "The body is not a JSON object.")))
        else:
            named = {name.lower(): value for name, value in self.headers.items()}
            call = Call(body, {}, {name: "(present)" if name in SECRET else value for name, value in named.items()})
            self._respond(self.server.complete(call, self._keys()))

    def send(self, data: bytes) -> None:
        self.wfile.write(data)

    def wait(self, seconds: float) -> bool:
        return self.server.closing.wait(seconds)

    def reset(self) -> None:
        """Break the connection, so that the other side sees an error and not an end."""
        self.connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        )
        socket.close(self.connection.detach())

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are silent."""

    def _json(self) -> dict[str, Any] | None:
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    def _keys(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower() in SECRET}

    def _respond(self, sent: Sent) -> None:
        """Send the answer, or hand its bytes to the fault. The connection is closed afterwards."""
        if sent.delay and self.wait(sent.delay):
            return
        answer, body = sent.answer, sent.answer.body.encode()
        headers = {"Content-Type": answer.content_type, "Connection": "close", **answer.headers}
        if not answer.content_type.startswith("text/event-stream"):  # a stream does not know its length beforehand
            headers["Content-Length"] = str(len(body))
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('Unknown', ''))[0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        data = "\r\n".join([*lines, "", ""]).encode() + body
        if sent.fault is not None and sent.fault.wire is not None:
            sent.fault.wire(self, data)
        else:
            self.send(data)
