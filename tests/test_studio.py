"""`langgraph.json`: its graphs import and build offline, and `langgraph dev` serves them (where it is installed)."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conftest import CANCER, ROOT

CONFIG = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
served = pytest.mark.skipif(
    importlib.util.find_spec("langgraph_api") is None or importlib.util.find_spec("langgraph_cli") is None,
    reason="needs the dependency group `studio`",
)

BUILD = """
import importlib.util, socket, sys
def refuse(*args, **options):
    raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
path, name = sys.argv[1].rsplit(":", 1)
spec = importlib.util.spec_from_file_location("served", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
graph = getattr(module, name)
schemas = (graph.get_input_jsonschema(), graph.get_output_jsonschema(), graph.get_context_jsonschema())
names = [sorted(schema["properties"])[:2] for schema in schemas]
print(graph.name, *names, "approve" in graph.nodes, graph.checkpointer)
"""


@pytest.mark.parametrize("name", CONFIG["graphs"])
def test_a_graph_is_built_offline(name: str) -> None:
    path = CONFIG["graphs"][name]["path"]
    done = subprocess.run([sys.executable, "-c", BUILD, path], cwd=ROOT, capture_output=True, text=True, check=False)
    approves = name == "automl_approved"
    schemas = "['data', 'request'] ['bundle', 'report'] ['base_url', 'budget']"
    assert done.stdout.strip() == f"automl_agent {schemas} {approves} None", done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a development server, which ends with the tests and leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp("studio")
    config = {**CONFIG, "dependencies": [str(ROOT)]}
    config["graphs"] = {name: {**graph, "path": str(ROOT / graph["path"])} for name, graph in CONFIG["graphs"].items()}
    (folder / "langgraph.json").write_text(json.dumps(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port)]
    environment = {
        **os.environ,
        "AUTOML_AGENT_HOME": str(folder / "home"),
        "LANGGRAPH_STRICT_MSGPACK": "true",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGSMITH_TRACING": "false",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        assert answers(f"{address}/ok", process), (folder / "log").read_text()
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
        time.sleep(0.2)
    return False


def run(address: str, assistant: str, inputs: dict[str, Any], **context: Any) -> dict[str, Any]:
    """The output of a stateless run."""
    body = json.dumps({"assistant_id": assistant, "input": inputs, "context": context}).encode()
    request = urllib.request.Request(
        f"{address}/runs/wait", data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=90) as response:
        found: dict[str, Any] = json.loads(response.read())
    return found


@served
@pytest.mark.slow
def test_the_server_refuses_what_is_no_machine_learning(server: str, tmp_path: Path) -> None:
    out = run(server, "automl", {"request": "Write me a poem about the sea."}, out=str(tmp_path / "out"))
    assert out["report"]["status"] == "refused", out
    assert out["report"]["reason"]


@served
@pytest.mark.slow
def test_the_server_plans(server: str) -> None:
    inputs = {"request": "Predict whether a tumour is malignant.", "data": str(CANCER)}
    out = run(server, "automl", inputs, plan_only=True)
    assert out["report"]["status"] == "planned", out
    assert out["report"]["task"]["target"] == "diagnosis"
    assert len(out["report"]["plans"]) == 3
