"""`automl-agent bench`: runs the repository's benchmark script, which does not ship with the package."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from automl_agent.errors import InputError

SCRIPT = Path("benchmarks", "spine.py")


def bench(args: argparse.Namespace) -> int:
    """
    Raises:
        InputError: outside a checkout of the repository; says where the script is.
    """
    folders = (Path(__file__).resolve().parents[3], Path.cwd())
    script = next((folder / SCRIPT for folder in folders if (folder / SCRIPT).is_file()), None)
    if script is None:
        raise InputError(f"The benchmark script {SCRIPT} is part of the repository, not of the package.",
                         hint="Run the command in a checkout.")  # fmt: skip
    return subprocess.run([sys.executable, str(script), *args.rest], check=False).returncode
