"""Recordings of a real server's answers: JSON lines that hold no key and no question, only the hash of each."""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

from automl_agent.testing.exchange import Call, HttpAnswer
from automl_agent.testing.serving import error

VOLATILE = frozenset({"user", "metadata", "store", "safety_identifier", "prompt_cache_key"})
"""Parts of a question that do not change the answer."""
LONGEST_WAIT = 600.0
"""Seconds that a real server may take for an answer."""


def question_key(body: Mapping[str, Any]) -> str:
    """What identifies a question: the hash of its body, without the volatile parts."""
    kept = {name: value for name, value in body.items() if name not in VOLATILE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def forwarded(url: str, body: Mapping[str, Any] | None, keys: Mapping[str, str]) -> HttpAnswer:
    """A real server's answer, whatever it is; 502 where there is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json", **keys})
    try:
        with urllib.request.urlopen(request, timeout=LONGEST_WAIT) as response:
            return _received(response.status, response.read(), response.headers)
    except urllib.error.HTTPError as failed:
        with failed:
            return _received(failed.code, failed.read(), failed.headers)
    except OSError as failed:
        return error(502, "upstream", f"{url} does not answer: {failed}")


def _received(status: int, body: bytes, headers: Message) -> HttpAnswer:
    kept = {"Retry-After": str(headers["Retry-After"])} if headers["Retry-After"] else {}
    return HttpAnswer(status, body.decode("utf-8", "replace"), kept, headers["Content-Type"] or "application/json")


class Recorder:
    """Writes answers to a file, anew, a line each. Safe under threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def add(self, call: Call, answer: HttpAnswer, keys: Mapping[str, str]) -> None:
        body = answer.body
        for value in keys.values():  # a server may quote the key that it refuses
            body = body.replace(value.removeprefix("Bearer "), "(key)")
        row = {
            "key": question_key(call.body),
            "schema": call.schema,
            "status": answer.status,
            "headers": dict(answer.headers),
            "content_type": answer.content_type,
            "body": body,
        }
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


class Recording:
    """Answers from a file. A question that was asked twice is answered in the recorded order; the last one repeats."""

    def __init__(self, path: Path, *, strict: bool = True) -> None:
        self.path = path
        self.strict = strict
        self.substitutes: list[str] = []
        """Questions that are not in the recording and got the next answer of their schema (`strict=False`)."""
        self._lock = threading.Lock()
        self._by_key: dict[str, list[HttpAnswer]] = defaultdict(list)
        self._unused: dict[str, list[HttpAnswer]] = defaultdict(list)
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            answer = HttpAnswer(row["status"], row["body"], row["headers"], row["content_type"])
            self._by_key[row["key"]].append(answer)
            self._unused[row["schema"]].append(answer)

    def answer(self, call: Call) -> HttpAnswer:
        """The recorded answer, or a 404 that says which question has none."""
        with self._lock:
            known = self._by_key.get(question_key(call.body))
            unused = self._unused[call.schema]
            if known:
                answer = known.pop(0) if len(known) > 1 else known[0]
                self._unused[call.schema] = [other for other in unused if other is not answer]
                return answer
            if self.strict or not unused:
                message = f"{self.path.name} has no answer to {_described(call)}. Record the run again."
                return error(404, "not_recorded", message)
            self.substitutes.append(_described(call))
            return unused.pop(0)


def _described(call: Call) -> str:
    return f"question {question_key(call.body)[:12]} (schema {call.schema or 'none'}), which ends {call.text[-80:]!r}"
