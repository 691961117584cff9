"""Bubblewrap: namespaces of its own for a program, with a tree of files that holds only what was granted.

See https://github.com/containers/bubblewrap. It is often installed and cannot work, as in many containers: that shows
only by running it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from automl_agent.execution.sandbox.system import MOUNTED_SYSTEM

_KEPT = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH")
"""What the shim needs to become nobody, and drops."""


def command(program: str, *, read: Iterable[str], work: str, network: bool, nobody: bool) -> list[str]:
    """Beginning of a command line that runs the rest of it in a sandbox.

    Args:
        program: path of bubblewrap.
        read: files and folders that are there, read-only.
        work: the folder that can be written.
        network: stay in the host's network, so that it reaches a port.
        nobody: we are root, and what is started becomes nobody by itself.
    """
    line = [program, "--die-with-parent", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    if not network:
        line += ["--unshare-net"]
    line += ["--cap-drop", "ALL"]
    if nobody:
        for capability in _KEPT:
            line += ["--cap-add", capability]
    else:
        line += ["--unshare-user-try"]
    line += ["--hostname", "sandbox", "--proc", "/proc", "--dev", "/dev"]
    for path in MOUNTED_SYSTEM:
        if Path(path).is_symlink() and Path(path).is_dir():
            line += ["--symlink", str(Path(path).readlink()), path]
        else:
            line += ["--ro-bind-try", path, path]
    for folder in _parents([*read, work]):  # else made so that only root may pass, which access(2) would tell nobody
        line += ["--perms", "0755", "--dir", folder]
    for path in read:
        line += ["--ro-bind-try", path, path]
    return [*line, "--bind", work, work, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", work, "--"]


def _parents(paths: Iterable[str]) -> list[str]:
    """All folders above these paths, the highest first, but for what the system's folders hold."""
    folders = {str(folder) for path in paths for folder in Path(path).parents if folder != Path("/")}
    mounted = tuple(f"{path}/" for path in MOUNTED_SYSTEM)
    return sorted(folder for folder in folders if not f"{folder}/".startswith(mounted))
