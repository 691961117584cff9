"""Python programs that end when the process that started them does, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

FOLLOW = """
import os, shutil, signal, sys, threading
def follow(lifeline, scratch):
    os.read(lifeline, 1)
    try:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os.killpg(0, signal.SIGKILL)
threading.Thread(target=follow, args=(int(sys.argv.pop(1)), sys.argv.pop(1)), daemon=True).start()
"""
"""Beginning of a program that leads a group of its own. Its first arguments are the lifeline and the folder that its
starter, if dead, cannot remove any more; empty where there is none."""

SOURCES = """
import importlib.machinery, os, sys
class Source(importlib.machinery.SourceFileLoader):
    def get_code(self, name):
        return self.source_to_code(self.get_data(self.path), self.path)
def hook(place, own=os.path.dirname(os.path.realpath(sys.argv[1]))):
    if os.path.realpath(place) != own:
        raise ImportError
    return importlib.machinery.FileFinder(place, (Source, [".py"]))
sys.path_hooks.insert(0, hook)
sys.path_importer_cache.clear()
"""
"""Before `RUN`: what lies beside the script is imported from its source. Bytecode there may be of somebody else, and no
checksum of a bundle speaks of it."""

RUN = """
import os, runpy, sys
del sys.argv[0]
sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""The rest of it: runs the script of its next argument as `python script` would."""


@contextmanager
def lifeline() -> Iterator[int]:
    """A descriptor to pass to the program: a pipe of which we alone hold the other end."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)
