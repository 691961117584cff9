"""The server under what strangers send: requests made from its own OpenAPI, broken HTTP, floods, clients that stall."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import requests

from openapi_cases import all_asked, cases, described
from server_driver import HOST, Server, connect, posted, raw, started
from tiny_bundle import make_bundle

AT_ONCE = 32
FEW = pytest.param(300, id="300")
MANY = pytest.param(10_000, id="10000", marks=[pytest.mark.long, pytest.mark.timeout(1800)])
ROW = {"mean radius": 9.0, "size": 1.0, "colour": "red", "seen": "2024-01-05"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("log") / "server.log"
    with started(bundle, log, "--in-flight", str(AT_ONCE)) as server:
        yield server


@pytest.mark.parametrize("count", [FEW, MANY])
def test_no_request_that_its_own_openapi_suggests_makes_the_server_fail_or_grow(
    server: Server, count: int, figure: Callable[[str], None]
) -> None:
    todo = cases(described(server), count)
    random.Random(0).shuffle(todo)
    answers = all_asked(server, todo[: count // 10], AT_ONCE)
    before = server.resident_mb()
    answers += all_asked(server, todo[count // 10 :], AT_ONCE)
    after = server.resident_mb()
    statuses = Counter(status for status, _ in answers)
    assert max(statuses) < 500 and statuses[200] > count / 20 and statuses[422] > count / 20, statuses
    assert after - before < 0.1 * before, f"{before:.0f} MB became {after:.0f} MB"
    p99 = float(np.quantile([seconds for _, seconds in answers], 0.99)) * 1000
    told = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
    figure(
        f"{count} requests, {AT_ONCE} at once: {told}; no 5xx; p99 {p99:.0f} ms; "
        f"memory {before:.0f} MB after {count // 10}, {after:.0f} MB after all"
    )


CLOSE = b"Connection: close"
BIG = b" " * (1 << 20)
CHUNKED = b"POST /predict HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"100000\r\n" + BIG + b"\r\n"
HOSTILE: dict[str, tuple[list[bytes], set[int]]] = {
    "100 MB announced": ([posted(b"", length=b"100000000"), *[BIG] * 95], {413}),
    "100 MB announced by a GET": ([b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 100000000\r\n\r\n",
                                   *[BIG] * 95], {200}),
    "100 MB in chunks": ([CHUNKED, *[CHUNK] * 100, b"0\r\n\r\n"], {411}),
    "100 MB in chunks beside a small length": ([posted(b"", b"Transfer-Encoding: chunked", length=b"10"),
                                                *[CHUNK] * 100, b"0\r\n\r\n"], {411, 400}),
    "chunks that are none": ([CHUNKED, b"zzzz\r\n" * 1000], {411, 400}),
    "more than announced": ([posted(json.dumps({"rows": [ROW]}).encode() + b"{" * 5000, length=b"5")], {422, 400}),
    "two lengths": ([posted(b"{}", b"Content-Length: 3")], {400}),
    "a length below nought": ([posted(b"{}", length=b"-2")], {400, 411}),
    "a length that is no number": ([posted(b"{}", length=b"0x2")], {400, 411}),
    "a length of 5,000 digits": ([posted(b"{}", length=b"9" * 5000)], {400, 413}),
    "no length": ([b"POST /predict HTTP/1.1\r\n" + HOST + b"\r\n"], {411}),
    "no HTTP": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)], {400}),
    "HTTP/2": ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], {400, 401}),
    "HTTP/0.9": ([b"GET /healthz\r\n\r\n"], {400}),
    "a header without a colon": ([b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n"], {400}),
    "NUL in a header": ([b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n"], {400}),
    "no host": ([b"GET /healthz HTTP/1.1\r\n\r\n"], {400}),
    "a header of 1 MB": ([b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * (1 << 20) + b"\r\n\r\n"], {400}),
    "100,000 headers": ([b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100_000 + b"\r\n"], {400}),
    "a path of 10 KB": ([b"GET /" + b"%00" * 3400 + b" HTTP/1.1\r\n" + HOST + b"\r\n"], {404, 400}),
    "a path up": ([b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n"], {404}),
    "an unknown method": ([b"BREW /predict HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"], {405}),
    "a web socket": ([b"GET /predict HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
                      b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n\r\n"], {405}),
    "garbage behind an answer": ([b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"\x00\x01" * 5000], {200, 400}),
    "1,000 requests in one go": ([b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 1000], {200}),
}  # fmt: skip


def row(text: str) -> bytes:
    return ('{"rows": [' + text + "]}").encode()


BODIES: dict[str, tuple[bytes, set[int]]] = {
    "lists 400,000 deep": (b"[" * 400_000, {400, 422}),
    "objects 150,000 deep": (b'{"a":' * 150_000, {400, 422}),
    "a value 100,000 deep": (row('{"colour": ' + "[" * 100_000 + "]" * 100_000 + "}"), {400, 422}),
    "a value 300 deep": (row('{"colour": ' + "[" * 300 + "]" * 300 + "}"), {422}),
    "an integer of 500,000 digits": (row('{"size": ' + "9" * 500_000 + "}"), {400, 422}),
    "an integer of 400 digits": (row('{"size": ' + "9" * 400 + "}"), {422}),
    "the largest numbers": (row('{"size": 1.7e308, "mean radius": -1.7e308}'), {200, 422}),
    "numbers beyond": (row('{"size": 1e999}'), {422}),
    "not a number": (row('{"size": NaN}'), {422}),
    "half a letter as a value": (row('{"colour": "\\ud800"}'), {422}),
    "half a letter as a name": (row('{"\\ud800": 1}'), {422}),
    "a name of 900,000 letters": (row('{"' + "n" * 900_000 + '": 1}'), {422}),
    "100,000 unknown fields": (row("{" + ", ".join(f'"{i}": 1' for i in range(80_000)) + "}"), {422}),
    "100,000 rows of nothing": (row(", ".join(["{}"] * 100_000)), {422}),
    "1,000 rows of wrong types": (row(", ".join(['{"size": "a", "mean radius": [], "seen": 3}'] * 1000)), {422}),
    "a field twice": (row('{"size": "a", "size": 1}'), {200}),
    "UTF-16": ('{"rows": [{"size": 1}]}'.encode("utf-16"), {200, 400, 422}),
    "bytes that are no letters": (b'{"rows": [{"colour": "\xff\xfe"}]}', {400, 422}),
    "no JSON": (b"\x00" * 1000, {400, 422}),
    "nothing": (b"", {422}),
}


def held(server: Server, name: str, parts: list[bytes], expected: set[int]) -> None:
    server.forget_peak()
    before = server.resident_mb()
    statuses = raw(server.port, parts)
    assert statuses and set(statuses) <= expected, f"{name}: {statuses}"
    assert requests.get(f"{server.url}/healthz", timeout=10).status_code == 200
    most = server.resident_mb(peak=True)
    assert most - before < 60, f"{name}: {before:.0f} MB became {most:.0f} MB"


@pytest.mark.parametrize("name", HOSTILE)
def test_broken_http_is_refused_and_the_server_goes_on(server: Server, name: str) -> None:
    held(server, name, *HOSTILE[name])


@pytest.mark.parametrize("name", BODIES)
def test_a_body_made_to_break_a_parser_is_refused(server: Server, name: str) -> None:
    body, expected = BODIES[name]
    held(server, name, [posted(body, CLOSE)], expected)


def test_nothing_but_health_is_told_without_the_token(server: Server) -> None:
    for path in ("/docs", "/openapi.json", "/metrics", "/schema", "/predict", "/docs/oauth2-redirect", "//healthz",
                 "/healthz/", "/readyz/../metrics", "/HEALTHZ", "/nowhere"):  # fmt: skip
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            assert raw(server.port, [f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()]) == [
                401
            ], path
    assert requests.get(f"{server.url}/readyz", timeout=10).json() == {"status": "ready"}


def test_the_log_of_all_this_is_json_and_holds_no_failure(server: Server) -> None:
    assert server.complaints() == []


# ---------------------------------------------------------------- clients that stall


def drips(client: socket.socket, text: bytes, before: bytes = b"") -> None:
    """Send a text byte by byte, after what comes at once, until the server closes the connection."""
    try:
        client.sendall(before)
        for byte in text:
            client.send(bytes([byte]))
            time.sleep(0.1)
    except OSError:
        pass


def ends(client: socket.socket, seconds: float) -> bool:
    """Whether the server closes the connection in time, whatever it says before."""
    client.settimeout(seconds)
    try:
        while client.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


LARGE = json.dumps({"rows": [ROW] * 1000}).encode()
SHORT = "guard.HEAD_SECONDS, guard.BODY_SECONDS, guard.ANSWER_SECONDS = 1.0, 1.0, 2.0"
STALLS = [
    pytest.param(SHORT, 8, 1, id="short"),
    pytest.param("pass", 8, 3, id="as it ships", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
]


@pytest.mark.parametrize(("limits", "each", "waves"), STALLS)
def test_clients_that_stall_are_cut_off_and_the_others_are_answered(
    bundle: Path, tmp_path: Path, limits: str, each: int, waves: int, figure: Callable[[str], None]
) -> None:
    with started(bundle, tmp_path / "log", "--in-flight", str(2 * each), limits=limits) as server:
        asked_properly(server, LARGE, 2 * each)
        memory, seconds, waits = [server.resident_mb()], 0.0, list[float]()
        for _ in range(waves):
            cut, waited = stalled(server, each)
            seconds, waits = max(seconds, cut), waits + waited
            memory.append(server.resident_mb())
        assert server.complaints() == []
    assert memory[-1] - memory[0] < 100, memory
    figure(
        f"{4 * each} clients at once that stall (silent, dripping heads, dripping bodies, reading nothing) cut off "
        f"within {seconds:.0f} s, {waves} times; meanwhile {len(waits)} of {len(waits)} others answered, the slowest "
        f"in {max(waits):.2f} s; memory {', '.join(f'{each:.0f}' for each in memory)} MB"
    )


def asked_properly(server: Server, body: bytes, at_once: int) -> None:
    """So many clients ask the same and read the answers, again and again: what that takes is no growth."""
    with ThreadPoolExecutor(at_once) as clients:
        answers = clients.map(lambda _: raw(server.port, [posted(body, CLOSE)]), range(10 * at_once))
        assert set(chain.from_iterable(answers)) == {200}


def stalled(server: Server, each: int) -> tuple[float, list[float]]:
    """Let clients of four kinds stall until all are cut off: the seconds, and those that others waited meanwhile."""
    big, one = posted(LARGE), posted(json.dumps({"rows": [ROW]}).encode(), CLOSE)
    assert raw(server.port, [one]) == [200]
    time.sleep(0.5)
    before = server.connections()
    silent, heads, bodies, deaf = ([connect(server.port, small=True) for _ in range(each)] for _ in range(4))
    threads = [threading.Thread(target=drips, args=(client, b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 3000))
               for client in heads]  # fmt: skip
    threads += [threading.Thread(target=drips, args=(client, b" " * 3000, posted(b"", length=b"3000")))
                for client in bodies]  # fmt: skip
    threads += [threading.Thread(target=_floods, args=(client, big)) for client in deaf]
    begun, waits, statuses = time.monotonic(), [], Counter[int]()
    for thread in threads:
        thread.start()
    while server.connections() > before and time.monotonic() < begun + 150:
        asked_at = time.monotonic()
        statuses += Counter(raw(server.port, [one]))
        waits.append(time.monotonic() - asked_at)
        time.sleep(0.05)
    cut = time.monotonic() - begun
    assert server.connections() <= before, "a connection that stalls is kept"
    assert set(statuses) == {200}, statuses
    for thread in threads:
        thread.join(30)
    for client in (*silent, *heads, *bodies, *deaf):
        assert ends(client, 5)
        client.close()
    return cut, waits


def _floods(client: socket.socket, request: bytes) -> None:
    """Ask for more than any buffer holds, and read nothing."""
    try:
        for _ in range(150):
            client.sendall(request)
    except OSError:
        pass


def test_more_connections_than_allowed_are_told_so(bundle: Path, tmp_path: Path) -> None:
    with started(bundle, tmp_path / "log", limits="guard.MAX_CONNECTIONS = 5") as server:
        idle = [connect(server.port) for _ in range(5)]
        with connect(server.port) as late:
            assert late.recv(100).startswith(b"HTTP/1.1 429 ")
        for client in idle:
            client.close()
        deadline = time.monotonic() + 20
        while raw(server.port, [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]) != [200]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
