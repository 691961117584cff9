"""The tiers of the sandbox that this machine has, and jobs that run the programs of `tests/hostile`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from automl_agent.execution.sandbox import probing
from automl_agent.execution.sandbox.protocol import Sandbox, SandboxJob

HOSTILE = Path(__file__).with_name("hostile")
TIERS = {"limits": {"seccomp", "nobody"}, "files": {"seccomp", "nobody", "landlock"}, "full": set(probing.LAYERS)}


@cache
def sandboxes() -> dict[str, Sandbox]:
    """Tier -> a sandbox of just that tier. Machines without Landlock or bubblewrap have fewer."""
    working = {layer.split()[0] for layer in probing.best().layers().used}
    wanted = {tier: [layer for layer in probing.LAYERS if layer in layers & working] for tier, layers in TIERS.items()}
    made = {tier: probing.confined(layers) for tier, layers in wanted.items()}
    return {tier: sandbox for tier, sandbox in made.items() if sandbox.layers().tier == tier}


def sandbox_of(tier: str) -> Sandbox:
    if tier not in sandboxes():
        pytest.skip(f"this machine has no tier {tier}")
    return sandboxes()[tier]


def job(name: str, work: Path, *arguments: object, **limits: Any) -> SandboxJob:
    return SandboxJob(HOSTILE / f"{name}.py", work, tuple(map(str, arguments)), **{"seconds": 20.0, **limits})


def living_in(folder: Path) -> list[str]:
    """Processes whose current folder this is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").samefile(folder):
                found.append(process.name)
        except OSError:
            continue
    return found
