"""What the sandbox asks of the Linux kernel through the C library: prctl(2), capset(2), setresuid(2), setrlimit(2)."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Mapping

NOBODY = 65534
"""User and group of generated code when we are root; owns nothing on a usual system."""

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAP_DAC_READ_SEARCH = 2
_CAPABILITY_NUMBERS = range(64)
_CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: object) -> int:
    """A system call that the C library has no function for.

    Raises:
        OSError: with the error of the kernel.
    """
    answer = int(libc.syscall(ctypes.c_long(number), *arguments))
    if answer < 0:
        _fail(f"system call {number}")
    return answer


def prctl(option: int, *arguments: int) -> None:
    """See prctl(2).

    Raises:
        OSError: with the error of the kernel.
    """
    filled = [*arguments, 0, 0, 0, 0][:4]
    if libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(value) for value in filled)):
        _fail(f"prctl {option}")


def set_limits(limits: Mapping[int, int]) -> None:
    """Set resource limits, soft and hard, none above the hard limit that we have."""
    for which, value in limits.items():
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def drop_privileges(*, nobody: bool, keep_reading: bool) -> None:
    """Give up all capabilities, in a way that no program started later gets one back (see capabilities(7)).

    Args:
        nobody: become the user nobody; we must be root.
        keep_reading: besides, keep CAP_DAC_READ_SEARCH. What root hands to a program may lie below folders that only
            root can enter; which of it can be read is then decided by Landlock or the mounts, and writing stays
            impossible. Not for a program without a system call filter: open_by_handle_at would lead it anywhere.
    """
    kept = {CAP_DAC_READ_SEARCH} if nobody and keep_reading else set()
    for number in _CAPABILITY_NUMBERS:
        if number not in kept:
            libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0)  # fails for numbers that do not exist
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    if nobody:
        prctl(PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    mask = sum(1 << number for number in kept)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable: low words, high words
    if libc.capset(ctypes.byref(header), ctypes.byref(sets)):
        _fail("capset")
    for number in kept:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number)


def _fail(what: str) -> None:
    error = ctypes.get_errno()
    raise OSError(error, f"{what}: {os.strerror(error)}")
