"""The bundle's server and programs, in processes of their own that cannot import the library."""

from __future__ import annotations

import asyncio
import csv
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from automl_agent.delivery import checks, jobs
from automl_agent.errors import InputError
from tiny_bundle import make_bundle, make_table

TOKEN = "a-secret"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    make_bundle(root)
    return root


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[tuple[int, subprocess.Popen[bytes], Path]]:
    """A real server with a token; its log is a file."""
    port, log = checks._free_port(), home / "server.log"
    command = [sys.executable, "-B", "serve.py", "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=home / "bundle", env=os.environ | {"BUNDLE_TOKEN": TOKEN}, stdout=file, stderr=file
        )
        try:
            while checks._health(port) is None:
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield port, process, log
        finally:
            process.kill()
            process.wait()


def ask(
    port: int, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} | headers
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, content, sent)
        response = connection.getresponse()
        text = response.read().decode()
        answer = json.loads(text) if response.headers["content-type"] == "application/json" else {"text": text}
        return response.status, answer, dict(response.headers)
    finally:
        connection.close()


ROW = {"mean radius": 9.0, "size": 1.0, "colour": "red", "seen": "2024-01-05"}


def test_predictions_agree_with_the_known_ones(home: Path, server: Any) -> None:
    golden = json.loads((home / "bundle" / "golden.json").read_text())
    status, answer, headers = ask(server[0], "POST", "/predict", {"rows": golden["rows"], "reasons": True})
    assert status == 200
    assert answer["predictions"] == golden["predictions"]
    for row, expected in zip(answer["probabilities"], golden["scores"], strict=True):
        assert [row["benign"], row["malignant"]] == pytest.approx(expected, abs=1e-9)
    assert answer["warnings"] == []
    assert {"column", "value", "contribution"} == set(answer["reasons"][0][0])
    assert len(headers["x-request-id"]) == 32


def test_what_is_odd_is_predicted_with_a_warning(server: Any) -> None:
    status, answer, _ = ask(
        server[0], "POST", "/predict", {"rows": [{"mean radius": 99, "colour": "pink", "size": None}]}
    )
    assert status == 200
    found = {(warning["column"], warning["problem"]) for warning in answer["warnings"]}
    assert found == {("mean radius", "out_of_range"), ("colour", "unseen_category"), ("seen", "missing_column")}
    assert any("pink" in warning["text"] for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mean radius": "nine"}, "mean radius"),
        ({"mean radius": True}, "mean radius"),
        ({"mean radius": float("nan")}, "mean radius"),
        ({"mean radius": float("inf")}, "mean radius"),
        ({"colour": 3}, "colour"),
        ({"colour": ["red"]}, "colour"),
        ({"colour": "r" * 2000}, "colour"),
        ({"seen": 20240105}, "seen"),
        ({"note": "dropped in training"}, "note"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(server: Any, change: dict[str, Any], field: str) -> None:
    status, answer, _ = ask(server[0], "POST", "/predict", {"rows": [ROW, ROW | change]})
    assert status == 422
    assert [found["field"] for found in answer["fields"]] == [f"rows.1.{field}"]
    assert "rrrr" not in json.dumps(answer), "values are not echoed"


@pytest.mark.parametrize("body", [{"rows": []}, {"rows": [ROW] * 1001}, {"rows": [ROW], "more": 1}, {}, b"{", b"[]"])
def test_other_bodies_are_refused(server: Any, body: Any) -> None:
    assert ask(server[0], "POST", "/predict", body)[0] == 422


def test_a_thousand_rows_are_answered(server: Any) -> None:
    status, answer, _ = ask(server[0], "POST", "/predict", {"rows": [ROW] * 1000})
    assert (status, len(answer["predictions"])) == (200, 1000)


def test_token_is_asked_for_before_the_body_is_read(server: Any) -> None:
    port = server[0]
    for path in ("/schema", "/metrics", "/openapi.json", "/nowhere"):
        assert ask(port, "GET", path, Authorization="Bearer wrong")[0] == 401
    assert ask(port, "GET", "/healthz", Authorization="")[0] == 200
    assert ask(port, "GET", "/readyz", Authorization="") [:2] == (200, {"status": "ready"})  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")  # and no body
        assert client.recv(100).startswith(b"HTTP/1.1 401")


def test_bodies_have_a_stated_and_bounded_length(server: Any) -> None:
    port = server[0]
    status, answer, _ = ask(port, "POST", "/predict", b" " * 1_000_001)
    assert (status, "1000000" in answer["error"]) == (413, True)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        head = (
            f"POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        client.sendall(head.encode() + b"0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 411")


def test_the_server_describes_itself(server: Any) -> None:
    port = server[0]
    schema = ask(port, "GET", "/openapi.json")[1]["components"]["schemas"]
    assert set(schema["Row"]["properties"]) == {"mean radius", "size", "colour", "seen"}
    assert schema["Row"]["additionalProperties"] is False
    assert ask(port, "GET", "/schema")[1]["target"] == "diagnosis"
    ask(port, "POST", "/predict", {"rows": [ROW]})
    metrics = dict(line.rsplit(" ", 1) for line in ask(port, "GET", "/metrics")[1]["text"].splitlines())
    assert int(metrics['bundle_requests_total{status="200"}']) > 0
    assert int(metrics["bundle_rows_total"]) > 0


def test_logs_are_json_without_payloads(server: Any) -> None:
    port, _, log = server
    ask(port, "POST", "/predict", {"rows": [ROW | {"colour": "very-private"}]})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"request_id", "path", "status", "ms"} <= set(next(line for line in lines if line["message"] == "request"))
    assert "very-private" not in log.read_text()
    assert TOKEN not in log.read_text()


def request_in_process(bundle: Path, receive: Any, **options: Any) -> list[dict[str, Any]]:
    """What the application sends for one POST /predict."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-length", b"10"), (b"content-type", b"application/json")]
    scope = {
        **{"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""},
        **{"http_version": "1.1", "scheme": "http", "server": ("x", 80), "client": ("x", 1), "root_path": ""},
    }
    with jobs.runtime(bundle, "ensemble", "serve", "guard") as (ensemble, serve, guard):
        guard.BODY_SECONDS = 0.05
        app = serve.build_app(ensemble.Ensemble.load(bundle), **options)
        asyncio.run(app(scope, receive, send))
    return sent


def test_too_many_at_once_and_too_slow(home: Path) -> None:
    async def never() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    busy = request_in_process(home / "bundle", never, in_flight=0)
    assert busy[0]["status"] == 429
    assert (b"retry-after", b"1") in busy[0]["headers"]
    assert request_in_process(home / "bundle", never)[0]["status"] == 408


def test_clients_that_send_their_bodies_slowly_take_no_prediction_from_others(home: Path) -> None:
    """Eight predictions at once are allowed: as many heads without bodies must not use them up."""
    with checks._server(home / "bundle", time.monotonic() + 30) as (port, _), ExitStack() as slow:
        for _ in range(12):
            client = slow.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        time.sleep(0.3)
        other = slow.enter_context(closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)))
        sample = json.loads((home / "bundle" / "sample_request.json").read_text())
        assert checks._post(other, sample)["predictions"]


def test_sigterm_ends_the_server(home: Path) -> None:
    with (
        checks._server(home / "bundle", time.monotonic() + 30) as (port, process),
        socket.create_connection(("127.0.0.1", port)),
    ):
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)


# ---------------------------------------------------------------- checks


def spoil(bundle: Path, name: str, text: str, tmp_path: Path) -> Path:
    """A copy of a bundle with text put before one of its files, and hashed anew."""
    import shutil

    copy = Path(shutil.copytree(bundle, tmp_path / "spoiled"))
    (copy / name).write_text(text + (copy / name).read_text())
    with jobs.runtime(copy, "seal") as (seal,):
        seal.write_manifest(copy)
    return copy


def test_check_server(home: Path) -> None:
    found = checks.check_server(home / "bundle", 30)
    assert found.ok, found.text
    assert found.http_ms is not None


def test_the_server_cannot_import_the_library(home: Path, tmp_path: Path) -> None:
    found = checks.check_server(spoil(home / "bundle", "serve.py", "import automl_agent\n", tmp_path), 30)
    assert not found.ok
    assert "runs without automl_agent" in found.text


def test_no_secret_reaches_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-private")
    (tmp_path / "show.py").write_text("import os, sys\nprint(sorted(os.environ))\nsys.exit(7)\n")
    done = checks.run_isolated(tmp_path, "show.py", [], 30)
    assert done.returncode == 7
    assert "OPENAI_API_KEY" not in done.stdout


def test_a_server_that_is_wrong_or_silent_is_found_out(home: Path, tmp_path: Path) -> None:
    wrong = spoil(home / "bundle", "schema.json", "", tmp_path)
    golden = json.loads((wrong / "golden.json").read_text())
    golden["scores"][0] = [0.5, 0.5]
    (wrong / "golden.json").write_text(json.dumps(golden))
    with jobs.runtime(wrong, "seal") as (seal,):
        seal.write_manifest(wrong)
    assert "503" in checks.check_server(wrong, 30).text
    (wrong / "serve.py").write_text("import time\ntime.sleep(60)\n")
    started = time.monotonic()
    silent = checks.check_server(wrong, 1.0)
    assert (silent.ok, "in time" in silent.text) == (False, True)
    assert time.monotonic() - started < 20, "it was killed, not waited for"


def test_a_damaged_bundle_is_not_served(home: Path, tmp_path: Path) -> None:
    copy = spoil(home / "bundle", "schema.json", "", tmp_path)
    (copy / "model/m0/fold0/tiny.json").unlink()
    (copy / "model/m0/fold0/tiny.json").write_text("{}")
    assert "was changed" in checks.check_server(copy, 30).text
    verified = checks.verify_bundle(copy)
    assert [check["ok"] for check in verified] == [False]


def test_nothing_outlives_a_killed_host(tmp_path: Path) -> None:
    (tmp_path / "sleep.py").write_text(
        "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(60)\n"
    )
    code = f"from pathlib import Path; from automl_agent.delivery.checks import run_isolated as run\n" \
           f"run(Path({str(tmp_path)!r}), 'sleep.py', [], 60)"  # fmt: skip
    host = subprocess.Popen([sys.executable, "-c", code])
    pid, deadline = tmp_path / "pid", time.monotonic() + 20
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    host.kill()
    host.wait()
    while time.monotonic() < deadline:
        try:
            os.kill(int(pid.read_text()), 0)
        except ProcessLookupError:
            return
        if (
            Path(f"/proc/{pid.read_text()}/stat").exists()
            and " Z " in Path(f"/proc/{pid.read_text()}/stat").read_text()
        ):
            return  # dead, and nobody here to bury it
        time.sleep(0.05)
    pytest.fail("the program still runs")


# ---------------------------------------------------------------- predict.py


def test_predict_names_and_counts_what_is_odd(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = make_table(tmp_path / "new.csv", "classification")[:4]
    rows[0]["colour"] = "pink"
    rows[1]["mean radius"] = "-99.5"
    rows[2]["mean radius"] = "many"
    for row in rows:
        del row["seen"]
    with (tmp_path / "new.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = checks.predict_file(home / "bundle", tmp_path / "new.csv", tmp_path / "out.csv", reasons=True)
    with out.open(newline="") as file:
        written = list(csv.DictReader(file))
    added = ["prediction", "probability_benign", "probability_malignant", "reasons"]
    assert list(written[0]) == [*rows[0], *added]
    assert len(written) == 4
    for row in written:
        label = "benign" if float(row["probability_benign"]) > 0.5 else "malignant"
        assert row["prediction"] == label
    assert written[0]["note"] == "'=patient 0", "a spreadsheet must not run it"
    assert written[1]["mean radius"] == "-99.5", "a number stays a number"
    said = capsys.readouterr().err
    assert "column 'seen' is missing" in said
    assert "column 'colour': 1 values were never seen in training (pink)" in said
    assert "column 'mean radius': 1 values lie outside the range seen in training (-99.5)" in said
    assert "column 'mean radius': 1 values are not numbers and are taken as unknown (many)" in said


def test_predict_refuses_in_one_line(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        checks.predict_file(home / "bundle", tmp_path / "absent.csv", tmp_path / "out.csv")
    (tmp_path / "broken.csv").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match=r"broken\.csv"):
        checks.predict_file(home / "bundle", tmp_path / "broken.csv", tmp_path / "out.csv")
    with pytest.raises(InputError, match="is not a bundle"):
        checks.predict_file(tmp_path, tmp_path / "broken.csv")
    assert not (tmp_path / "out.csv").exists()
