"""The moments at which a run may be killed, named so that a later process of the same run knows them again.

`put:before@7` is just before the checkpoint of step 7 is written, `call:after.3@5` just after the third answer of a
language model arrived while the step after 5 was at work, and `file:before:grade.json@13` when this file is written but
not yet in its place. A point without `@...` is any of that kind, the first that comes.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver

from automl_agent.delivery import publish
from automl_agent.execution.database import Database
from automl_agent.execution.ledger import Ledger
from automl_agent.llm.cache import AnswerStore
from automl_agent.llm.exchange import Exchange
from automl_agent.nodes import grade
from automl_agent.nodes.stage import Stage

TABLES = ("answers", "model_calls", "test_reads", "trials")
"""Tables whose changes are points; clocks and leases tick."""

Say = Callable[[dict[str, Any]], None]


class Points:
    """Watches this process pass its points, and kills it at one. `say` is told what happens.

    A fatal point that begins with `crash ` raises an error there instead.
    """

    def __init__(self, fatal: str | None, say: Say) -> None:
        self.step = -2
        """Of the last checkpoint; before the first there is none."""
        self.steps: dict[str, int] = {}
        """Of all checkpoints, by id: results of nodes are saved in threads of their own."""
        self._fatal = (fatal or "").removeprefix("crash ")
        self._crash = self._fatal != (fatal or "")
        self._say = say
        self._lock = threading.Lock()
        self._passed: Counter[str] = Counter()

    def __call__(self, what: str, step: int | None = None) -> None:
        with self._lock:
            place = f"@{self.step if step is None else step}"
            self._passed[what + place] += 1
            count = self._passed[what + place]
            name = what + (f".{count}" if count > 1 else "") + place
            self._say({"kind": "point", "name": name})
            if self._fatal in (name, what) and self._crash:
                raise RuntimeError(f"a fault of ours at {name}")
            if self._fatal in (name, what):
                self._say({"kind": "died", "name": name, "processes": [list(one) for one in below(os.getpid())]})
                os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """Lay the points into the library: where a node begins and ends, a checkpoint or a file is written, a model
        answers, a bundle is published, a database changes."""
        self._arm_checkpoints()
        self._arm_calls()
        emit, replace, rename = Stage.emit, Path.replace, Path.rename

        def emitted(stage: Stage, event: Any) -> None:
            self._say(event.model_dump(mode="json"))
            if event.kind in ("stage_started", "stage_finished"):
                self(f"{event.kind}:{event.stage}")
            emit(stage, event)

        Stage.emit = emitted
        Path.replace = self._around(replace, lambda _, target: f"file:{plain(target)}")
        Path.rename = self._around(rename, lambda _, target: f"file:{plain(target)}")
        publish.exchange = self._around(publish.exchange, lambda *_: "publish")
        grade._graded = self._told(grade._graded, "test_opened", before=True)
        write, changed = Database.write, self

        def written(database: Database, statement: str, *values: Any) -> int:
            rows = write(database, statement, *values)
            if table := next((name for name in TABLES if re.search(rf"(INTO|UPDATE) {name}\b", statement)), None):
                changed(f"database:{table}")
            return rows

        Database.write = written

    def _arm_checkpoints(self) -> None:
        put, put_writes = SqliteSaver.put, SqliteSaver.put_writes

        def put_it(saver: SqliteSaver, config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
            self.steps[checkpoint["id"]] = metadata["step"]
            self("put:before")
            done = put(saver, config, checkpoint, metadata, versions)
            self.step = metadata["step"]
            self("put:after")
            return done

        def put_them(saver: SqliteSaver, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
            step = self.steps.get(config["configurable"]["checkpoint_id"], -2)
            self("put_writes:before", step)
            put_writes(saver, config, writes, task_id, task_path)
            if "__start__" not in task_path:
                self._say({"kind": "committed", "task": task_id})
            self("put_writes:after", step)

        SqliteSaver.put, SqliteSaver.put_writes = put_it, put_them

    def _arm_calls(self) -> None:
        asked = Exchange._asked

        def ask(exchange: Exchange, *arguments: Any) -> Any:
            self._say({"kind": "call_begun"})
            answer = asked(exchange, *arguments)
            self("call:after")
            return answer

        Exchange._asked = ask
        Ledger.settle_call = self._around(Ledger.settle_call, lambda *_: "settle")
        AnswerStore.put = self._told(AnswerStore.put, "call_kept")

    def _around(self, function: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        @functools.wraps(function)
        def between(*arguments: Any) -> Any:
            kind, _, rest = name(*arguments).partition(":")
            self(f"{kind}:before{rest and ':'}{rest}")
            done = function(*arguments)
            self(f"{kind}:after{rest and ':'}{rest}")
            return done

        return between

    def _told(self, function: Callable[..., Any], kind: str, *, before: bool = False) -> Callable[..., Any]:
        @functools.wraps(function)
        def said(*arguments: Any) -> Any:
            if before:
                self._say({"kind": kind})
            done = function(*arguments)
            if not before:
                self._say({"kind": kind})
            return done

        return said


def plain(path: Path | str) -> str:
    """The name of a file without what differs from run to run."""
    return re.sub(r"\d{8}-\d{6}-\S+-[0-9a-f]{4}|[0-9a-f]{8,}", "#", Path(path).name)


def below(root: int) -> list[tuple[int, str]]:
    """All descendants of a process: id, and when it started as the kernel counts, so that no later one is meant."""
    parents: dict[int, list[int]] = {}
    started = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
            started[int(folder.name)] = fields[19]
    found, waiting = [], [root]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += [(child, started[child]) for child in children]
        waiting += children
    return found
