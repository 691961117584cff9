"""Leaves traps for whoever reads its results."""

import os
from pathlib import Path

Path("good.txt").write_text("fine")
Path("link.txt").symlink_to("/etc/hostname")
Path("folder").symlink_to("/etc")
os.link("good.txt", "second.txt")
os.mkfifo("pipe.txt")
Path("real").mkdir()
Path("real", "inside.txt").write_text("inside")
with Path("sparse.txt").open("wb") as file:
    file.truncate(40_000_000)
