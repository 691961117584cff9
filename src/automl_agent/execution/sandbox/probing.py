"""Which layers work on this machine: found by running a program behind them that tries what they forbid."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from automl_agent.execution.sandbox.plain import PlainSandbox
from automl_agent.execution.sandbox.protocol import Layers, Sandbox, SandboxJob
from automl_agent.execution.scratch import Scratch

if TYPE_CHECKING:
    from automl_agent.execution.sandbox.confined import ConfinedSandbox

PROBE = Path(__file__).with_name("probe.py")
LAYERS = {
    "seccomp": "a Linux kernel with seccomp filters, on x86_64 or aarch64",
    "landlock": "Linux 6.7 or newer with Landlock switched on (lsm=landlock,...)",
    "bubblewrap": "install bubblewrap, and allow user namespaces",
    "nobody": "root must be allowed to become another user (CAP_SETUID, CAP_SETGID, CAP_CHOWN)",
}
"""Layers that may be missing, in the order in which they are tried, and what each takes."""
_ALWAYS = ("environment", "limits", "warden")
_BUBBLEWRAP = "bwrap"
_SECONDS = 20.0
_LINUX = "confinement: needs Linux, or a sandbox of your own (package.module:Class)"
_SIGNALS = "signals: Linux 6.12 or newer keeps a program from sending signals to your other processes"


@cache
def best() -> Sandbox:
    """The strongest sandbox that works here. Probed once in a process."""
    if sys.platform != "linux":
        return PlainSandbox(_LINUX)
    wanted = [layer for layer in LAYERS if layer != "nobody" or os.geteuid() == 0]
    if not trouble(wanted):
        return confined(wanted)
    if reason := trouble(()):
        return PlainSandbox(f"confinement: {reason}")
    working: list[str] = []
    missing = []
    for layer in wanted:
        if reason := trouble((*working, layer)):
            missing.append(f"{layer}: {LAYERS[layer]} ({reason})")
        else:
            working.append(layer)
    return confined(working, missing)


def trouble(layers: tuple[str, ...] | list[str]) -> str:
    """Why these layers do not work together; empty when they do."""
    with Scratch() as scratch:
        secret, work = scratch / "secret", scratch / "work"
        secret.write_text("not granted")
        work.mkdir()
        job = SandboxJob(PROBE, work, (str(secret), *layers), seconds=_SECONDS)
        try:
            result = confined(layers).run_unchecked(job)
        except OSError as error:
            return str(error)
    if result.status == "ok":
        return ""
    return (result.output.strip().splitlines() or [result.status])[-1]


def confined(layers: tuple[str, ...] | list[str], missing: list[str] | None = None) -> ConfinedSandbox:
    """A sandbox of these layers, whether they work or not."""
    from automl_agent.execution.sandbox import landlock  # these load what only Linux has
    from automl_agent.execution.sandbox.confined import ConfinedSandbox

    missing = list(missing or ())
    abi = landlock.abi()
    if "landlock" in layers and abi < landlock.SIGNALS_ABI and "bubblewrap" not in layers:
        missing.append(_SIGNALS)
    used = [f"landlock {abi}" if layer == "landlock" else layer for layer in layers]
    return ConfinedSandbox(
        Layers(_tier(layers), (*_ALWAYS, *used), tuple(missing)),
        landlock="landlock" in layers,
        seccomp="seccomp" in layers,
        nobody="nobody" in layers,
        wrapper=(shutil.which(_BUBBLEWRAP) or _BUBBLEWRAP) if "bubblewrap" in layers else None,
    )


def _tier(layers: tuple[str, ...] | list[str]) -> Literal["limits", "files", "full"]:
    if "seccomp" in layers and "bubblewrap" in layers:
        return "full"
    return "files" if "seccomp" in layers and "landlock" in layers else "limits"
