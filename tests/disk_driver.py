"""One command line of a run, to whose disk something happens: `python disk_driver.py DEED KIND STAGE ARG...`.

At the event that KIND and STAGE name, once, it does DEED: `fill:FOLDER` fills the disk of a folder, `readonly:FOLDER`
makes a mounted one read-only, `remove:FOLDER` removes a folder with all that is in it. Then the run goes on.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from automl_agent.cli.main import main
from automl_agent.events import Event
from automl_agent.nodes.stage import Stage

FILLER = "filler"
"""The file that fills a disk."""


def fill(folder: str) -> None:
    free = os.statvfs(folder)
    with (Path(folder) / FILLER).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)


def readonly(folder: str) -> None:
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)


def remove(folder: str) -> None:
    (place,) = Path("/").glob(folder.removeprefix("/"))  # the name of a run is not known before
    shutil.rmtree(place)


DEEDS = {"fill": fill, "readonly": readonly, "remove": remove}


def do_at(deed: str, kind: str, stage: str) -> None:
    emit, done = Stage.emit, []
    name, _, folder = deed.partition(":")

    def then(self: Stage, event: Event) -> None:
        if (event.kind, getattr(event, "stage", None)) == (kind, stage) and not done:
            done.append(event)
            DEEDS[name](folder)
        emit(self, event)

    Stage.emit = then


if __name__ == "__main__":
    do_at(*sys.argv[1:4])
    sys.exit(main(["run", *sys.argv[4:]]))
