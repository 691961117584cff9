"""A small OpenAI-compatible server on the loopback interface that plays scripts, faults and recordings."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from automl_agent.testing.completions import completion, events
from automl_agent.testing.exchange import Call, Fault, HttpAnswer, Reply
from automl_agent.testing.recordings import Recorder, Recording, forwarded
from automl_agent.testing.script import FaultBook, Script, ScriptLike
from automl_agent.testing.serving import Sent, Server, error

LOST = Reply("This answer is long enough to be cut in the middle, and it does not arrive as a whole.")
"""What a fault of the network destroys: the script's own reply is kept for the retry."""


class ModelServer:
    """Serves `/v1/chat/completions` (streamed too) and `/v1/models` while the `with` block lasts.

        with ModelServer([{"plans": []}, "Done."], fault=faults.RATE_LIMITED.first(1)) as server:
            model = ChatOpenAI(base_url=server.base_url, api_key="x", model="any", max_retries=2)
            ...
        assert server.requests[0].schema == "PlansDraft"

    A run with your own model, recorded once and replayed in your tests. While recording, keys are passed on and not
    written down; a stream is passed on when it is complete:

        with ModelServer(upstream="https://api.openai.com/v1", record="run.jsonl") as server:
            build_graph(ChatOpenAI(base_url=server.base_url, model="gpt-5")).invoke(request)

        with ModelServer.replay("run.jsonl") as server:
            build_graph(ChatOpenAI(base_url=server.base_url, api_key="x", model="gpt-5")).invoke(request)

    A question that is not in the recording (another prompt, seed or temperature) is answered 404 with a text that names
    it. With `strict=False` it gets the next answer that was recorded for the same schema; see `server.recording`.

    Args:
        script: One answer for all calls, a list to play in order, or a function of the `Call`; `by_schema({...})` gives
            each schema a script of its own.
        fault: What goes wrong, in all calls or some (`Fault.first`, `Fault.where`); of several, the first that applies.
            A reply that has a fault of its own keeps it.
        models: What `/v1/models` lists.
        upstream: The `base_url` of a real server that answers instead of a script.
        record: The file that its answers are written to, anew.
    """

    def __init__(
        self,
        script: ScriptLike = "",
        *,
        fault: Fault | Sequence[Fault] | None = None,
        models: Sequence[str] = ("scripted",),
        upstream: str = "",
        record: Path | str | None = None,
    ) -> None:
        self.models = tuple(models)
        self.recording: Recording | None = None
        """What is replayed; its `substitutes` tell which answers are guesses."""
        self._script = Script(script)
        self._faults = FaultBook(fault)
        if upstream:
            self._faults.must_not_speak()
        self._upstream = upstream.rstrip("/")
        self._recorder = Recorder(Path(record)) if record is not None else None
        self._requests: list[Call] = []
        self._lock = threading.Lock()
        self._server: Server | None = None

    @classmethod
    def replay(
        cls, path: Path | str, *, strict: bool = True, fault: Fault | Sequence[Fault] | None = None
    ) -> ModelServer:
        """A server that answers from a recording."""
        server = cls(fault=fault)
        server._faults.must_not_speak()
        server.recording = Recording(Path(path), strict=strict)
        return server

    def __enter__(self) -> ModelServer:
        self._server = Server(self._complete, self._list)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def base_url(self) -> str:
        """What a client is given as its `base_url`."""
        if self._server is None:
            raise RuntimeError("A ModelServer has an address inside its `with` block only.")
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def requests(self) -> list[Call]:
        """The chat completions that were asked for so far."""
        with self._lock:
            return list(self._requests)

    def _complete(self, call: Call, keys: Mapping[str, str]) -> Sent:
        with self._lock:
            self._requests.append(call)
        fault = self._faults.next(call)
        if fault is not None and fault.http is not None:
            return Sent(fault.http)
        if fault is not None and fault.wire is not None and fault.loses_answer:
            return Sent(_completed(LOST, call), fault=fault)
        if self.recording is not None:
            return Sent(self.recording.answer(call), fault=fault)
        if self._upstream:
            answer = forwarded(f"{self._upstream}/chat/completions", call.body, keys)
            if self._recorder is not None:
                self._recorder.add(call, answer, keys)
            return Sent(answer, fault=fault)
        return _spoken(self._script.reply(call), call, fault)

    def _list(self, keys: Mapping[str, str]) -> Sent:
        """The models; a fault of the server or network that spoils all calls spoils this one too."""
        spoiling = (fault for fault in self._faults.faults if not (fault.says or fault.applies or fault.limit))
        fault = next(spoiling, None)
        if fault is not None and fault.http is not None:
            return Sent(fault.http)
        if self._upstream:
            return Sent(forwarded(f"{self._upstream}/models", None, keys), fault=fault)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in self.models]
        return Sent(HttpAnswer(200, json.dumps({"object": "list", "data": data})), fault=fault)


def _spoken(reply: Reply, call: Call, fault: Fault | None) -> Sent:
    """The script's reply as it is sent, spoiled by its own fault or else by the given one."""
    fault = reply.fault or fault
    if fault is not None and fault.says is not None:
        reply = fault.says(reply, call)
    if fault is not None and fault.http is not None:
        answer = fault.http
    elif reply.error is not None:
        answer = error(500, type(reply.error).__name__, str(reply.error))
    else:
        answer = _completed(reply, call)
    return Sent(answer, reply.delay, fault)


def _completed(reply: Reply, call: Call) -> HttpAnswer:
    if not call.body.get("stream"):
        return HttpAnswer(200, json.dumps(completion(reply, call)))
    lines = [f"data: {json.dumps(event)}\n\n" for event in events(reply, call)]
    return HttpAnswer(200, "".join([*lines, "data: [DONE]\n\n"]), {}, "text/event-stream")
