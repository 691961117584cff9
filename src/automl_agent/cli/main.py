"""The command line: reads the command, calls its handler, turns errors into one line and an exit status."""

from __future__ import annotations

import time

START = time.monotonic()  # before all other imports: a budget counts from the start of the command

import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from importlib import import_module  # noqa: E402
from pathlib import Path  # noqa: E402

from automl_agent.cli.options import make_parser  # noqa: E402
from automl_agent.errors import BundleError, ConfigurationError, InputError  # noqa: E402

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done, 3 delivered but a constraint is missed, 4 refused or a question is open, 2 bad input,
        1 a fault of ours, 130 interrupted before there was anything to deliver.
    """
    if argv is None:  # our own process, not a host's: its environment is ours to set
        os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    parser = make_parser()
    folder: str | None = None
    try:
        args = parser.parse_args(argv)
        args.started = START if argv is None else time.monotonic()
        if args.version:
            from automl_agent import __version__

            print(f"automl-agent {__version__}")
            return 0
        if args.handler is None:
            parser.print_help()
            return 0
        module, _, function = args.handler.partition(":")
        try:
            return int(getattr(import_module(module), function)(args))
        finally:
            folder = getattr(args, "out", None) or args.home
            sys.stdout.flush()
    except (InputError, ConfigurationError, BundleError) as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as in `automl-agent runs | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from automl_agent.execution.storage import GO_ON, storage_error

        if found := storage_error(error, [Path(folder)] if folder else []):
            return _complain(str(found).replace(GO_ON, "try again"), 2)
        return _unexpected(error, folder)


def _complain(text: str, status: int) -> int:
    from automl_agent.delivery.words import printable

    print(f"automl-agent: error: {printable(' '.join(text.split()))}", file=sys.stderr)
    return status


def _unexpected(error: Exception, place: str | None) -> int:
    """Say a fault of ours in one line, and keep the traceback for whoever will look into it."""
    import traceback

    folder = Path(place or os.environ.get("AUTOML_AGENT_HOME", ".automl-agent")).expanduser()
    lines = "".join(traceback.format_exception(error))
    log = folder / "automl-agent-error.log"  # a name that nobody else gives
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log.write_text(lines, encoding="utf-8")
    except OSError:
        print(lines, file=sys.stderr)
        return _complain(f"unexpected {type(error).__name__}: {error}", 1)
    return _complain(f"unexpected {type(error).__name__}: {error}; details in {log}", 1)


if __name__ == "__main__":
    sys.exit(main())
