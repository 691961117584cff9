"""A team's Chroma server: a real one for what members share, stand-ins for all that a server can do wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from automl_agent import build_graph
from automl_agent.cli import main as command
from automl_agent.cli.doctor import _server_checks
from automl_agent.errors import InputError
from automl_agent.knowledge import server as server_module
from automl_agent.knowledge import store as store_module
from automl_agent.knowledge.embedding import HashedWords
from automl_agent.knowledge.notes import received_note
from automl_agent.knowledge.server import TOKEN, Access, ServerError, ServerIndex
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.records import Note
from automl_agent.settings import Settings
from conftest import CANCER
from written_notes import write

CHROMA = "import sys; sys.argv[0] = 'chroma'; from chromadb.cli.cli import app; app()"


class ChromaServer:
    """`chroma run` on a free port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHROMA, "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, start_new_session=True,
            env={**os.environ, "ANONYMIZED_TELEMETRY": "False"},
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            with suppress(OSError), urlopen(f"http://{self.address}/api/v2/heartbeat", timeout=5):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("the Chroma server does not start")
            time.sleep(0.05)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=20)


class StandIn(ThreadingHTTPServer):
    """Answers every request alike, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, status: int, body: bytes, *, pause: float = 0.0, drip: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body, self.pause, self.drip = status, body, pause, drip
        self.seen: list[tuple[str, str | None]] = []
        """Paths with their Authorization headers."""
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *args: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        self.server.closing.wait(self.server.pause)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        with suppress(OSError):
            for byte in self.server.body:
                self.wfile.write(bytes([byte]))
                if self.server.drip and self.server.closing.wait(self.server.drip):
                    return

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    running = ChromaServer(tmp_path_factory.mktemp("chroma"))
    yield running
    running.stop()


@pytest.fixture
def library(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The library's notes of one test: other notes are other vectors, so tests share a server, but no collection."""
    folder = tmp_path / "library"
    write(folder, "zebras", f"Zebras graze in the savanna. {request.node.name}")
    write(folder, "trains", "Trains run on rails between stations.")
    return folder


def member(tmp_path: Path, name: str, library: Path, server: str, **notes: str) -> KnowledgeStore:
    """The store of a member of the team, with notes of his own."""
    for title, text in notes.items():
        write(tmp_path / name / "knowledge" / "notes", title, text)
    return KnowledgeStore(tmp_path / name, library, server=server)


def found(store: KnowledgeStore, words: str, k: int = 9) -> dict[str, str]:
    return {note.id: note.text for note in store.search(words, family="tabular_regression", k=k)}


# ---------------------------------------------------------------- what members share


def test_members_find_each_others_notes(server: ChromaServer, tmp_path: Path, library: Path) -> None:
    with member(tmp_path, "a", library, server.address, volcanoes="Volcanoes erupt with lava and ash.") as a:
        done = a.update()
        assert (done["shared"], done["server"], done["notes"]) == (1, server.address, 3)
    with member(tmp_path, "b", library, server.address, penguins="Penguins swim under the ice.") as b:
        assert b.search("lava and ash", k=1)[0].id == "volcanoes"  # words that only the other has
        note = b.search("lava and ash", k=1)[0]
        assert note.source == "a team (2026): House rule" and note.models == ("linear",) and note.applies
    with a:
        assert set(found(a, "ice and lava")) == {"volcanoes", "penguins", "zebras", "trains"}
        assert a.update()["shared"] == 0  # nothing is sent twice
        assert a.search("lava", family="tabular_classification") == ()
    assert a.warnings == b.warnings == []


def test_notes_of_one_name_lie_side_by_side(server: ChromaServer, tmp_path: Path, library: Path) -> None:
    """One's own counts; whoever has none gets one of them; editing replaces one's own only."""
    with member(tmp_path, "a", library, server.address, rule="Volcanoes are measured on Mondays.") as a:
        a.update()
    with member(tmp_path, "b", library, server.address, rule="Volcanoes are measured on Fridays.") as b:
        assert "Fridays" in found(b, "volcanoes")["rule"]
    with member(tmp_path, "c", library, server.address) as c:
        assert set(found(c, "volcanoes measured on Mondays")) == {"rule", "zebras", "trains"}
    with member(tmp_path, "a", library, server.address, rule="Volcanoes are measured at night.") as a:
        assert "night" in found(a, "volcanoes")["rule"]
    with c:
        texts = {found(c, f"volcanoes measured {when}")["rule"] for when in ("on Mondays", "on Fridays", "at night")}
    assert {text.split()[-1] for text in texts} == {"Fridays.", "night."}


def test_a_note_of_the_team_replaces_one_of_the_library(server: ChromaServer, tmp_path: Path, library: Path) -> None:
    with member(tmp_path, "a", library, server.address, zebras="Zebras kick, as our team knows.") as a:
        a.update()
    with member(tmp_path, "b", library, server.address) as b:
        assert found(b, "zebras")["zebras"] == "Zebras kick, as our team knows."


def test_what_one_put_there_one_takes_out(server: ChromaServer, tmp_path: Path, library: Path) -> None:
    with member(tmp_path, "a", library, server.address, volcanoes="Volcanoes erupt.", ash="Ash falls.") as a:
        a.update()
    with member(tmp_path, "b", library, server.address) as b:
        with pytest.raises(InputError, match="no note of your own named 'volcanoes'"):
            b.remove("volcanoes")
        assert {"volcanoes", "ash"} <= set(found(b, "volcanoes, ash"))
    with a:
        done = a.remove("volcanoes")
        assert (done["files"], done["withdrawn"], done["shared"]) == (1, 1, 0)
    with b:
        assert "volcanoes" not in found(b, "volcanoes") and "ash" in found(b, "ash")


def test_the_command_line_shares(
    server: ChromaServer, tmp_path: Path, place: Path, library: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(store_module, "default_folder", lambda: library)
    note = write(tmp_path, "volcanoes", "Volcanoes erupt with lava and ash.")
    there = ["--knowledge-server", f"http://{server.address}"]
    assert command.main(["knowledge", "add", str(note), *there, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shared"] == 1
    other = ["--home", str(tmp_path / "other"), *there]
    assert command.main(["knowledge", "search", "lava and ash", "--k", "1", *other]) == 0
    assert "volcanoes" in capsys.readouterr().out
    assert command.main(["knowledge", "remove", "volcanoes", *there, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["withdrawn"] == 1
    ((_, check),) = _server_checks(server.address)
    assert check().level == "ok"


def test_what_a_server_says_is_data(
    server: ChromaServer, tmp_path: Path, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not validate is left out."""
    with member(tmp_path, "a", library, server.address, volcanoes="Volcanoes erupt with lava and ash.") as a:
        a.update()
        shared = a._connected()
        good = a._ours["volcanoes"].model_dump()
        bad = [
            "no note", "{}", "[" * 1000, json.dumps({**good, "when": {"rows": "rm -rf"}}),
            json.dumps({**good, "surprise": 1}), json.dumps({**good, "text": "x" * 100_000}),
        ]  # fmt: skip
        vector = shared.embedding.embed_query("lava and ash")
        shared._collection.add(
            ids=[f"bad-{place}" for place in range(len(bad))], embeddings=[vector] * len(bad), documents=bad,
            metadatas=[{"families": ["tabular_regression"]}] * len(bad),
        )  # fmt: skip
    with member(tmp_path, "b", library, server.address) as b:
        assert set(found(b, "lava and ash")) == {"volcanoes", "zebras", "trains"}
    assert any("not valid" in text for text in b.warnings)


def test_no_embedding_function_of_a_server_is_built(server: ChromaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection can name one with parameters, such as a model to load with its code: Chroma would, while adding."""
    from chromadb.api.fastapi import FastAPI
    from chromadb.utils.embedding_functions import known_embedding_functions

    class Built(BaseException):
        @staticmethod
        def build_from_config(config: dict[str, Any]) -> Any:
            raise Built

    named = {"embedding_function": {"type": "known", "name": "hostile", "config": {}}}
    schema = {"defaults": {"float_list": {"vector_index": {"enabled": True, "config": named}}}, "keys": {}}
    plain = FastAPI.create_collection

    def hostile(self: FastAPI, *args: Any, **kwargs: Any) -> Any:
        model = plain(self, *args, **kwargs)
        model.serialized_schema = schema
        return model

    monkeypatch.setitem(known_embedding_functions, "hostile", Built)
    monkeypatch.setattr(FastAPI, "create_collection", hostile)
    words = HashedWords.learn(["trains run"])
    index = ServerIndex(server.address, words, "owner")
    note = Note(id="a", title="Trains on rails", kind="practice", source="us", families=("f",), text="They run.")
    assert index.share([note]) == 1
    assert [hit.note.id for hit in index.nearest(words.embed_query("trains"), "f")] == ["a"]
    index._collection.get_model().serialized_schema = schema
    with pytest.raises(Built):
        index._collection.add(ids=["x"], embeddings=[words.embed_query("x")], documents=["x"])
    index.close()


def test_a_server_that_dies_costs_its_notes_only(tmp_path: Path, library: Path, place: Path) -> None:
    mortal = ChromaServer(tmp_path)
    try:
        with member(tmp_path, "a", library, mortal.address, volcanoes="Volcanoes erupt.") as a:
            a.update()
        with member(tmp_path, "b", library, mortal.address) as b:
            assert "volcanoes" in found(b, "volcanoes")
            mortal.stop()
            assert set(found(b, "volcanoes")) == {"zebras", "trains"}  # in the middle of it
            assert len(b.warnings) == 1 and "notes of others are left out" in b.warnings[0]
            with pytest.raises(ServerError):
                b.update()
    finally:
        mortal.stop()
    settings = Settings(plan_only=True, knowledge_server=mortal.address)
    report = build_graph(settings=settings).invoke({"request": "Predict the diagnosis", "data": str(CANCER)})["report"]
    assert any(plan["notes"] for plan in report.plans)
    assert any(mortal.address in text for text in report.warnings)
    assert command.main(["knowledge", "sync", "--knowledge-server", mortal.address]) == 2


# ---------------------------------------------------------------- what a server can do wrong

IDENTITY = b'{"user_id": "", "tenant": "default_tenant", "databases": ["default_database"]}'


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>a proxy</html>", "no Chroma server"),
        (200, b"[1, 2]", "no Chroma server"),
        (200, IDENTITY, "KeyError|TypeError|Error"),  # whatever is asked, the answer is the same
        (401, b"{}", TOKEN),
        (500, b"oops " * 1000, "500"),
        (302, b"", "302"),
    ],
)
def test_strange_answers(status: int, body: bytes, said: str, tmp_path: Path, library: Path) -> None:
    with StandIn(status, body) as strange, member(tmp_path, "a", library, strange.address) as store:
        assert set(found(store, "zebras")) == {"zebras", "trains"}
        (warning,) = store.warnings
        assert len(warning) < 500
        with pytest.raises(ServerError, match=said):
            store.update()


@pytest.mark.parametrize(("pause", "drip"), [(30.0, 0.0), (0.0, 0.1)])
def test_a_slow_server_is_not_waited_for(
    pause: float, drip: float, tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "SECONDS", 0.3)
    with StandIn(200, IDENTITY, pause=pause, drip=drip) as slow, member(tmp_path, "a", library, slow.address) as store:
        start = time.monotonic()
        assert set(found(store, "zebras")) == {"zebras", "trains"}
        assert time.monotonic() - start < 5
        assert "no answer" in store.warnings[0] or "timed out" in store.warnings[0]


def test_the_token_is_sent_and_told_to_nobody(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(TOKEN, "s3cret-token")
    with StandIn(200, IDENTITY) as stand_in, member(tmp_path, "a", library, stand_in.address, mine="Mine.") as store:
        store.search("zebras")
        assert len(stand_in.seen) > 1  # by us, and by Chroma's client
        assert {header for _, header in stand_in.seen} == {"Bearer s3cret-token"}
    assert "s3cret" not in caplog.text + " ".join(store.warnings)
    monkeypatch.setenv(TOKEN, "s3cret token")
    with pytest.raises(InputError) as error:
        Access.of("127.0.0.1:8000")
    assert TOKEN in str(error.value) and "s3cret" not in str(error.value)


def test_addresses() -> None:
    def url(address: str) -> str:
        return Access.of(address).url

    assert (
        url("notes.example")
        == url("notes.example:8000")
        == url("http://notes.example/")
        == ("http://notes.example:8000")
    )
    assert url("https://notes.example") == "https://notes.example:443"
    assert url("[::1]:9000") == "http://[::1]:9000"
    for wrong in ("ftp://notes.example", "http://", "notes.example:port", "http://notes.example/path", "a b", ":8000"):
        with pytest.raises(InputError, match="knowledge server"):
            Access.of(wrong)
    with pytest.raises(InputError, match="password") as error:
        Access.of("http://me:s3cret@notes.example")
    assert "s3cret" not in str(error.value)
    with pytest.raises(InputError, match="knowledge server"):
        build_graph(settings=Settings(knowledge_server="ftp://x")).invoke({"request": "Predict", "data": str(CANCER)})


def test_received_notes_are_held_to_the_rules() -> None:
    good = Note(id="a note", title="A title of a note", kind="practice", source="us", families=("f",), text="Text.")
    assert received_note(good.model_dump_json()) == good
    changes: list[dict[str, Any]] = [
        {"id": "../etc"}, {"id": ""}, {"title": "short"}, {"kind": "spell"}, {"families": ()}, {"text": " "},
        {"source": ""}, {"when": {"rows": "many"}},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(ValueError):  # noqa: PT011 - its kind is what counts
            received_note(good.model_copy(update=change).model_dump_json())
    for other in (None, 3, "null", "[]"):
        with pytest.raises(ValueError):  # noqa: PT011
            received_note(other)


def test_chromas_own_embedding_is_out_of_reach(server: ChromaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would load a model from the network."""
    from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

    monkeypatch.setattr(ONNXMiniLM_L6_V2, "__call__", lambda *args: pytest.fail("Chroma embeds by itself"))
    words = HashedWords.learn(["zebras graze"])
    index = ServerIndex(server.address, words, "owner")
    note = Note(id="a", title="Zebras in the zoo", kind="practice", source="us", families=("f",), text="Graze.")
    assert index.share([note]) == 1
    assert index._collection._embedding_function.name() == "automl_agent"
    assert [hit.note.id for hit in index.nearest(words.embed_query("zebras"), "f")] == ["a"]
    assert index._client._system.settings.anonymized_telemetry is False
    index.close()
