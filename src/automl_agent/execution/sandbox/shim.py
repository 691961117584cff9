"""`python -m automl_agent.execution.sandbox.shim`: locks itself down, then becomes the program.

The order comes as the only line of standard input. What is imported here is imported before the doors close.
"""

from __future__ import annotations

import os
import resource
import runpy
import signal
import sys
import traceback
from pathlib import Path
from types import TracebackType

from automl_agent.execution.sandbox import landlock, seccomp
from automl_agent.execution.sandbox.kernel import PR_SET_PDEATHSIG, drop_privileges, prctl, set_limits
from automl_agent.execution.sandbox.order import SETUP_FAILED, Order
from automl_agent.execution.sandbox.system import READABLE_SYSTEM, WRITABLE_SYSTEM

_STDIN = 0
_OPEN_FILES = 512
_DATA_SHARE = 1.5
"""Of the memory limit, as the kernel's bound on private memory: mapped is more than used, and the warden measures."""
_FILE_SHARE = 1.1
"""Of the disk limit, as the kernel's bound on one file: above it, so that the warden sees the limit crossed."""


def main() -> None:
    order = Order.of(sys.stdin.buffer.readline())
    os.close(_STDIN)
    os.open(os.devnull, os.O_RDONLY)  # takes the lowest free number: it is the program's standard input now
    try:
        _lock_down(order)
    except OSError as error:
        print(f"The sandbox could not be set up: {error}", file=sys.stderr)
        sys.exit(SETUP_FAILED)
    _tell_only_of(order.program)
    sys.argv = [order.program, *order.arguments]
    sys.path.insert(0, str(Path(order.program).parent))
    runpy.run_path(order.program, run_name="__main__")


def _lock_down(order: Order) -> None:
    """In this order: each step needs what a later one takes away."""
    cores = os.cpu_count() or 1
    set_limits(
        {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_CPU: int(order.seconds * cores) + 1,
            resource.RLIMIT_DATA: int(order.memory * _DATA_SHARE),
            resource.RLIMIT_FSIZE: int(order.disk * _FILE_SHARE),
            resource.RLIMIT_NOFILE: _OPEN_FILES,
            resource.RLIMIT_NPROC: order.user_tasks,
        }
    )
    drop_privileges(nobody=order.nobody, keep_reading=order.seccomp)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user clears it
    if order.landlock:
        landlock.restrict(read=(*READABLE_SYSTEM, *order.read), write=(*WRITABLE_SYSTEM, order.work), port=order.port)
    if order.seccomp:
        seccomp.install(port=order.port is not None, warden=os.getppid())


def _tell_only_of(program: str) -> None:
    """Tracebacks begin in the program: our own frames help nobody to repair it."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        inner = trace
        while inner is not None and inner.tb_frame.f_code.co_filename != program:
            inner = inner.tb_next
        traceback.print_exception(kind, error, inner or trace)

    sys.excepthook = hook


if __name__ == "__main__":
    main()
