"""A bundle's server in a process of its own, and clients of every kind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from automl_agent.delivery import checks

TOKEN = "a-secret"
HOST = b"Host: x\r\nAuthorization: Bearer a-secret\r\nContent-Type: application/json\r\n"


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def resident_mb(self, *, peak: bool = False) -> float:
        """Memory that the process holds; the most since `forget_peak`."""
        status, name = Path(f"/proc/{self.process.pid}/status").read_text(), "VmHWM" if peak else "VmRSS"
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def connections(self) -> int:
        """Sockets that it has open."""
        links = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return sum(str(link.readlink()).startswith("socket:") for link in links if link.is_symlink())

    def complaints(self) -> list[dict[str, object]]:
        """The lines of its log that tell of a failure; all must be JSON."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["level"] not in ("info", "warning")]


@contextmanager
def started(bundle: Path, log: Path, *options: str, token: str = TOKEN, limits: str = "pass") -> Iterator[Server]:
    """The server of a bundle. `limits` is Python that changes the numbers of `guard`."""
    port = checks._free_port()
    program = f"import sys; sys.path.insert(0, '.'); import guard, serve; {limits}; serve.main()"
    command = [sys.executable, "-B", "-c", program, "--port", str(port), *options]
    program_log = log.open("wb")
    environment = os.environ | {"BUNDLE_TOKEN": token}
    with program_log, subprocess.Popen(command, cwd=bundle, env=environment, stdout=program_log,
                                       stderr=program_log) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while checks._health(port) is None:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield Server(port, process, log)
        finally:
            process.kill()


def connect(port: int, *, small: bool = False) -> socket.socket:
    client = socket.socket()
    if small:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", port))
    return client


def posted(body: bytes, *headers: bytes, length: bytes | None = None) -> bytes:
    """A POST /predict as bytes."""
    more = b"".join(header + b"\r\n" for header in headers)
    stated = b"Content-Length: %b\r\n" % (length if length is not None else b"%d" % len(body))
    return b"POST /predict HTTP/1.1\r\n" + HOST + stated + more + b"\r\n" + body


def raw(port: int, parts: Sequence[bytes]) -> list[int]:
    """Send bytes as they are, and read until the server closes or has said all: the statuses of its answers."""
    told = b""
    with connect(port) as client:
        client.settimeout(10)
        try:
            for part in parts:
                client.sendall(part)
        except OSError:  # it has heard enough
            pass
        try:
            while part := client.recv(1 << 16):
                told += part
                client.settimeout(0.3)
        except OSError:
            pass
    return [int(part[:3]) for part in told.split(b"HTTP/1.1 ")[1:]]
