"""A filter of system calls: seccomp(2) in filter mode, a program for the kernel's classic BPF machine.

See https://docs.kernel.org/userspace-api/seccomp_filter.html. The filter knows what is refused rather than what is
allowed: what Landlock and the limits do not govern is refused here, and numerical libraries keep working.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
from typing import NamedTuple

from automl_agent.execution.sandbox import syscalls
from automl_agent.execution.sandbox.kernel import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, libc, prctl

# linux/bpf_common.h: class | size or operation | source
_LOAD, _AND, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
# linux/seccomp.h
_KILL_PROCESS, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_MODE_FILTER = 2
# offsets in struct seccomp_data; the low half of an argument comes first on both machines
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT, _ARGUMENT_SIZE = 0, 4, 16, 8

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET of clone(2)."""
_SOCKET_TYPE = 0xF
"""The part of a socket's type that is not a flag."""
_MSG_FASTOPEN = 0x20000000
"""Sending with this flag connects without connect(2)."""
_EVERY_BIT = 0xFFFFFFFF
_ALL_PROCESSES = 0xFFFFFFFF
"""-1: every process of the user."""


class Instruction(NamedTuple):
    """`struct sock_filter`."""

    code: int
    when_true: int
    when_false: int
    value: int


class Check(NamedTuple):
    """An argument, under a mask, is one of `values`, or, with `among` false, none of them."""

    argument: int
    mask: int
    values: tuple[int, ...]
    among: bool = True


_LOOKED_AT = {
    syscalls.SOCKET: (
        Check(0, _EVERY_BIT, (socket.AF_INET,)),
        Check(1, _SOCKET_TYPE, (socket.SOCK_STREAM,)),
        Check(2, _EVERY_BIT, (0, socket.IPPROTO_TCP)),  # not multipath TCP, which Landlock does not know
    ),
    # event loops wake themselves by a pair; of datagram sockets, each could be turned to another address
    syscalls.SOCKETPAIR: (Check(1, _SOCKET_TYPE, (socket.SOCK_STREAM,)),),
    syscalls.SENDTO: (Check(3, _MSG_FASTOPEN, (0,)),),
    syscalls.SENDMSG: (Check(2, _MSG_FASTOPEN, (0,)),),
    syscalls.SENDMMSG: (Check(3, _MSG_FASTOPEN, (0,)),),
    syscalls.CLONE: (Check(0, _NEW_NAMESPACES, (0,)),),
    # a process that is not dumpable hides its memory from the warden
    syscalls.PRCTL: (Check(0, _EVERY_BIT, (PR_SET_DUMPABLE,), among=False),),
    # limits of this process; not of the user's others
    syscalls.PRLIMIT64: (Check(0, _EVERY_BIT, (0,)),),
}
"""Calls that depend on their arguments, and what must hold."""


def install(*, port: bool, warden: int) -> None:
    """Filter the system calls of this process and its children, for good.

    Args:
        port: allow TCP sockets over IPv4, for a server; connecting stays refused.
        warden: a process that gets no signals. Landlock keeps them inside; this is for kernels without it.

    Raises:
        OSError: when the machine is not known, or the kernel has no filters.
    """
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in _filter(platform.machine(), port, warden))
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        """`struct sock_fprog`."""

        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    program = Program(len(code) // struct.calcsize("=HBBI"), ctypes.addressof(buffer))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp: the filter was refused")


def _filter(machine: str, port: bool, warden: int) -> list[Instruction]:
    """The program: first who calls, then each call by its number; what is not named is allowed."""
    if machine not in syscalls.MACHINES:
        raise OSError(errno.ENOSYS, f"seccomp: no table of system calls for {machine}")
    column = list(syscalls.MACHINES).index(machine)
    program = [
        Instruction(_LOAD, 0, 0, _ARCHITECTURE_AT),
        Instruction(_JUMP_EQUAL, 1, 0, syscalls.MACHINES[machine]),
        _return(_KILL_PROCESS),
        Instruction(_LOAD, 0, 0, _NUMBER_AT),
        # includes the numbers of the x32 interface, which would get around the others
        Instruction(_JUMP_GREATER_EQUAL, 0, 1, syscalls.FIRST_UNKNOWN),
        _return(_ERRNO | errno.ENOSYS),
    ]
    for calls, answer in ((syscalls.DENIED, errno.EPERM), (syscalls.ABSENT, errno.ENOSYS), (syscalls.PRETENDED, 0)):
        for numbers in calls.values():
            program += _when(numbers[column], [_return(_ERRNO | answer)])
    if not port:
        program += _when(syscalls.SOCKET[column], [_return(_ERRNO | errno.EPERM)])
    no_signal = Check(0, _EVERY_BIT, (_ALL_PROCESSES, warden, -warden & _EVERY_BIT), among=False)
    for numbers in syscalls.SIGNALLING.values():
        program += _when(numbers[column], _unless_all((no_signal,)))
    for numbers, checks in _LOOKED_AT.items():
        program += _when(numbers[column], _unless_all(checks))
    return [*program, _return(_ALLOW)]


def _when(number: int | None, block: list[Instruction]) -> list[Instruction]:
    """Run a block, which must end in a return, for one system call."""
    return [] if number is None else [Instruction(_JUMP_EQUAL, 0, len(block), number), *block]


def _unless_all(checks: tuple[Check, ...]) -> list[Instruction]:
    block = []
    for check in checks:
        block += [
            Instruction(_LOAD, 0, 0, _ARGUMENTS_AT + _ARGUMENT_SIZE * check.argument),
            Instruction(_AND, 0, 0, check.mask),
        ]
        last = len(check.values) - 1
        for position, value in enumerate(check.values):
            if check.among:  # a hit jumps over the refusal
                block.append(Instruction(_JUMP_EQUAL, last - position + 1, 0, value))
            else:  # a hit jumps to it, the last miss over it
                block.append(Instruction(_JUMP_EQUAL, last - position, int(position == last), value))
        block.append(_return(_ERRNO | errno.EPERM))
    return [*block, _return(_ALLOW)]


def _return(answer: int) -> Instruction:
    return Instruction(_RETURN, 0, 0, answer)
