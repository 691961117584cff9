"""A program that tries what the layers behind which it runs forbid; its exit status says whether they hold."""

import os
import socket
import sys
from pathlib import Path


def main(secret: str, layers: list[str]) -> None:
    Path("made").write_text("ordinary work is possible")
    if {"landlock", "bubblewrap"} & set(layers) and _reads(secret):
        sys.exit("files that were not granted can be read")
    if "seccomp" in layers and _has_sockets():
        sys.exit("sockets can be opened")
    if "nobody" in layers and os.getuid() == 0:
        sys.exit("the program runs as root")


def _reads(path: str) -> bool:
    try:
        return bool(Path(path).read_text())
    except OSError:
        return False


def _has_sockets() -> bool:
    try:
        socket.socket().close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
