"""What host, warden and shim tell each other: one line of JSON each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from automl_agent.execution.sandbox.protocol import SandboxResult

SETUP_FAILED = 113
"""Exit status of a shim that could not lock itself down; the program did not start."""


@dataclass(frozen=True)
class Order:
    """A job, and how it is confined. Sizes are in bytes."""

    program: str
    arguments: list[str]
    work: str
    environment: dict[str, str]
    read: list[str]
    wrapper: list[str]
    """Beginning of the command line: bubblewrap's, or nothing."""
    nobody: bool
    """Run as the user nobody."""
    landlock: bool
    seccomp: bool
    port: int | None
    seconds: float
    memory: int
    disk: int
    files: int
    processes: int
    user_tasks: int
    """Bound on all processes and threads of the user, in case the warden is too slow."""
    output: int

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Order:
        return cls(**json.loads(line))


def result_line(result: SandboxResult) -> bytes:
    return json.dumps(asdict(result)).encode() + b"\n"


def result_of(answer: bytes, code: int | None) -> SandboxResult:
    """The last line that a warden wrote; what it says instead when it died."""
    try:
        return SandboxResult(**json.loads(answer.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        words = answer[-2000:].decode(errors="replace")
        return SandboxResult("crash", None, f"The warden of the program ended with {code}. {words}".strip())
