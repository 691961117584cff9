"""What can go wrong, as a tree.

    AutoMLError
    ├── InputError         the caller's data, words or options: one clear line, exit status 2
    │   └── StorageError   a disk is full or read-only, or a folder is gone: the run can go on when that is put right
    ├── ConfigurationError a programming mistake in the use of the library (unknown agent name, bad settings)
    ├── JobError           a job of a worker failed, timed out, outgrew its memory, or found no room on a disk
    ├── SandboxError       the sandbox that the settings require is not to be had here
    └── BundleError        a bundle is damaged or was changed

A refused request, an open question and a missed constraint are results (`Report.status`), not errors.
"""

from __future__ import annotations


class AutoMLError(Exception):
    """Base of every error that the library raises on purpose."""


class InputError(AutoMLError):
    """Bad input. The message is one line that names the file, column, option or value, and what would be accepted."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.hint = hint
        super().__init__(f"{message} {hint}".strip())


class StorageError(InputError):
    """A disk is full or cannot be written to, or a folder went away: the message names the place, the hint says what to
    do (`execution.storage`)."""


class ConfigurationError(AutoMLError):
    """The library was called with arguments that cannot work."""


class JobError(AutoMLError):
    """A job failed in its worker.

    `kind` is `error`, `timeout`, `memory` (it outgrew its limit), `killed` (from outside, as a system does that has no
    memory left), `crash`, `storage` (a disk: see `StorageError`) or `cancelled`.
    """

    def __init__(self, message: str, kind: str = "error") -> None:
        self.kind = kind
        super().__init__(message)


class SandboxError(AutoMLError):
    """Generated code cannot be run as the settings require."""


class BundleError(AutoMLError):
    """A bundle cannot be used: a file is missing, was changed, or does not fit."""
