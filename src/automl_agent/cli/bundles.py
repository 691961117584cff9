"""`automl-agent predict|serve|verify BUNDLE`: what can be done with a delivered bundle."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from automl_agent.errors import BundleError, InputError
from automl_agent.execution.lifeline import RUN, SOURCES


def predict(args: argparse.Namespace) -> int:
    """Write the file's rows with predictions; what is odd about them is said on stderr.

    Raises:
        InputError: when the bundle or the file is missing or cannot be used.
        BundleError: when the bundle was changed; nothing of it has been run then.
    """
    from automl_agent.delivery.checks import predict_file

    bundle, file = unchanged(bundle_folder(args.bundle)), _existing(args.file)
    out = predict_file(bundle, file, Path(args.output) if args.output else None, args.reasons)
    print(json.dumps({"predictions": str(out)}) if args.json else out)
    return 0


def serve(args: argparse.Namespace) -> int:
    """Become the bundle's own server, in the foreground; it needs nothing of this library."""
    script = unchanged(bundle_folder(args.bundle)) / "serve.py"
    command = [sys.executable, "-B", "-c", SOURCES + RUN, str(script), "--host", args.host, "--port", str(args.port)]
    if os.name == "nt":  # no exec there that keeps the console
        return subprocess.run(command, check=False).returncode
    sys.stdout.flush()
    return os.execv(command[0], command)


def verify(args: argparse.Namespace) -> int:
    """Check hashes and known rows; with the data, train every member and fold again. Status 1 when a check fails."""
    from automl_agent.delivery.checks import verify_bundle

    bundle, data = bundle_folder(args.bundle), _existing(args.data) if args.data else None
    with suppress(BundleError):  # is among the checks
        unchanged(bundle)
    checks = verify_bundle(bundle, data)
    if args.json:
        print(json.dumps(checks, indent=2))
    else:
        for check in checks:
            print(f"{'ok' if check['ok'] else 'FAILED':<8}{check['check']}: {check['text']}")
    return 0 if all(check["ok"] for check in checks) else 1


def unchanged(bundle: Path) -> Path:
    """The bundle, compared with its manifest; where a language model wrote some of its code, that is said: here it runs
    with the user's rights.

    Raises:
        BundleError: when it was changed.
    """
    from automl_agent.delivery.checks import check_bundle

    check_bundle(bundle)
    with suppress(OSError, ValueError, RecursionError, AttributeError, TypeError):  # is reported by whoever reads it
        written = json.loads((bundle / "model" / "solution.json").read_text(encoding="utf-8")).get("generated")
        if written:
            names = ", ".join(map(str, written))
            print(f"note: a language model wrote {names}; it runs here with your rights.", file=sys.stderr)
    return bundle


def bundle_folder(text: str) -> Path:
    """The bundle's folder; the result folder that holds one will do.

    Raises:
        InputError: when there is none.
    """
    folder = Path(text).expanduser()
    for place in (folder, folder / "bundle"):
        if (place / "manifest.json").is_file() and (place / "predict.py").is_file():
            return place.resolve()
    raise InputError(f"{text} is not a bundle.", hint="Give the folder that holds predict.py and manifest.json.")


def _existing(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.exists():
        raise InputError(f"There is no file {text}.")
    return path
