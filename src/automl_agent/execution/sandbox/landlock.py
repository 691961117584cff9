"""Landlock: a process gives up the files and ports that it does not need, for itself and all its children.

Needs no privilege. See https://docs.kernel.org/userspace-api/landlock.html; the numbers are those of
`include/uapi/linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from automl_agent.execution.sandbox.kernel import PR_SET_NO_NEW_PRIVS, prctl, syscall

LEAST_ABI = 4
"""Linux 6.7: the first that also knows ports. Older ones miss truncation and the network."""
SIGNALS_ABI = 6
"""Linux 6.12: the first that also keeps signals and abstract unix sockets inside."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH, _RULE_NET_PORT = 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG, _MAKE_FIFO, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 10, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_ALL_FILES = (1 << 15) - 1
"""All rights up to truncation; besides those above, making devices and sockets, which nobody is granted."""
_IOCTL_DEV = 1 << 15
_IOCTL_ABI = 5

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = (
    _READ | _WRITE_FILE | _TRUNCATE | _REFER | _REMOVE_DIR | _REMOVE_FILE
    | _MAKE_DIR | _MAKE_REG | _MAKE_FIFO | _MAKE_SYM
)  # fmt: skip
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
"""Rights that mean something for what is not a folder; the kernel refuses others there."""

_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1


def abi() -> int:
    """Version of the kernel's Landlock; 0 when it has none."""
    try:
        return syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_CREATE_RULESET_VERSION))
    except OSError:
        return 0


def restrict(*, read: Iterable[str], write: Iterable[str], port: int | None) -> None:
    """From now on this process reads `read` and `write`, writes `write`, and binds `port`; it connects to nothing.

    Paths that do not exist are left out.

    Raises:
        OSError: when the kernel has no Landlock, or refuses.
    """
    version = abi()
    if version < LEAST_ABI:
        raise OSError(f"Landlock ABI {version} is older than {LEAST_ABI}")
    files = _ALL_FILES | (_IOCTL_DEV if version >= _IOCTL_ABI else 0)
    attributes = struct.pack("=QQ", files, _BIND_TCP | _CONNECT_TCP)
    if version >= SIGNALS_ABI:
        attributes += struct.pack("=Q", _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL)
    ruleset = syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    try:
        for paths, rights in ((read, _READ), (write, _WRITE)):
            for path in paths:
                _grant(ruleset, path, rights)
        if port is not None:
            rule = struct.pack("=QQ", _BIND_TCP, port)
            syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_NET_PORT), rule, ctypes.c_uint(0))
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)


def _grant(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_A_FILE
        rule = struct.pack("=Qi", rights, place)
        syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH_BENEATH), rule, ctypes.c_uint(0))
    finally:
        os.close(place)
