"""One process of a run on the real graph, to be killed: `python kill_driver.py FOLDER THREAD [KIND STAGE]`.

Starts the run of this thread, or goes on with it, with checkpoints in FOLDER. Prints every event as one line of JSON,
kills itself with SIGKILL at the event that KIND and STAGE name, and otherwise prints the result at the end. The kill is
in the stage's own thread: nothing of the stage happens after it.
"""

import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from threading import Lock

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from langgraph.checkpoint.sqlite import SqliteSaver

from automl_agent import Settings, build_graph
from automl_agent.events import Event
from automl_agent.nodes.stage import Stage

CANCER = Path(__file__).parent.parent / "examples" / "breast_cancer.csv"
REQUEST = {"request": "Predict malignancy with accuracy 0.9999. Use only linear models.", "data": str(CANCER)}
"""Out of reach, so that a revision is made; and quick to train."""


_printing = Lock()


def say(line: str) -> None:
    with _printing:
        print(line, flush=True)


def die_at(kind: str, stage: str) -> None:
    """Let the stage kill this process as it emits this event."""
    emit = Stage.emit

    def last_words(self: Stage, event: Event) -> None:
        if (event.kind, getattr(event, "stage", None)) == (kind, stage):
            say(event.model_dump_json())
            os.kill(os.getpid(), signal.SIGKILL)
        emit(self, event)

    Stage.emit = last_words


def main(folder: Path, thread: str) -> None:
    settings = Settings(
        budget=100, trials=10, plans=2, max_revisions=1, cpus=1, home=str(folder / "home"), out=str(folder / "out")
    )
    saver = SqliteSaver(sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False))
    graph = build_graph(checkpointer=saver)
    config = {"configurable": {"thread_id": thread}}
    inputs = None if graph.get_state(config).created_at else REQUEST
    for event in graph.stream(inputs, config, context=settings, stream_mode="custom", durability="sync"):
        say(event.model_dump_json())
    state = graph.get_state(config).values
    result = state["report"].model_dump(mode="json")
    say(json.dumps({"kind": "result", "report": result, "reads": state["grade"].reads}))


if __name__ == "__main__":
    if sys.argv[3:]:
        die_at(*sys.argv[3:])
    main(Path(sys.argv[1]), sys.argv[2])
