"""One process of a run on the real graph, to be killed: `python kill_driver.py FOLDER THREAD [AT [MODEL]]`, or of the
real command line: `python kill_driver.py cli AT ARGUMENT ...`.

Starts the run of this thread, or goes on with it, with checkpoints in FOLDER. Prints every event, and every point that
it passes (`kill_points`), as one line of JSON; kills itself with SIGKILL at the point AT, and otherwise prints the
result at the end. The kill is in the thread that does the work: nothing of it happens after that. MODEL is the address
of a language model, AT and MODEL may be empty.
"""

import json
import os
import sqlite3
import sys
from pathlib import Path
from threading import Lock
from typing import Any

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

from langgraph.checkpoint.sqlite import SqliteSaver

from automl_agent import Settings, build_graph
from kill_points import Points

CANCER = Path(__file__).parent.parent / "examples" / "breast_cancer.csv"
REQUEST = {"request": "Predict malignancy with accuracy 0.9999. Use only linear models.", "data": str(CANCER)}
"""Out of reach, so that a revision is made; and quick to train."""

_printing = Lock()


def say(event: dict[str, Any]) -> None:
    with _printing:
        print(json.dumps(event), flush=True)


def main(folder: Path, thread: str, fatal: str = "", model: str = "") -> None:
    points = Points(fatal, say)
    points.arm()
    settings = Settings(
        budget=1000, trials=10, plans=2, max_revisions=1, cpus=1, home=str(folder / "home"), out=str(folder / "out"),
        write_code=False, base_url=model or None,
    )  # fmt: skip
    saver = SqliteSaver(sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False))
    graph = build_graph("openai:stand-in" if model else None, checkpointer=saver)
    config = {"configurable": {"thread_id": thread}}
    begun = graph.get_state(config)
    if begun.created_at:
        points.step = points.steps[begun.config["configurable"]["checkpoint_id"]] = begun.metadata["step"]
    inputs = None if begun.created_at else REQUEST
    graph.invoke(inputs, config, context=settings, durability="sync")
    state = graph.get_state(config).values
    result = state["report"].model_dump(mode="json")
    say({"kind": "result", "report": result, "reads": state["grade"].reads})


def command(fatal: str, arguments: list[str]) -> int:
    from automl_agent.cli.main import main as command_line

    Points(fatal, lambda _: None).arm()
    return command_line(["run", *arguments])


if __name__ == "__main__":
    if sys.argv[1] == "cli":
        sys.exit(command(sys.argv[2], sys.argv[3:]))
    main(Path(sys.argv[1]), *sys.argv[2:])
