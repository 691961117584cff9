"""A word becomes a sandbox."""

from __future__ import annotations

import importlib

from automl_agent.errors import InputError, SandboxError
from automl_agent.execution.sandbox.plain import PlainSandbox
from automl_agent.execution.sandbox.probing import best
from automl_agent.execution.sandbox.protocol import Layers, Sandbox

ACCEPTED = "Use auto, require, off, or package.module:Class."


def open_sandbox(mode: str) -> Sandbox:
    """The sandbox that a setting names.

    Args:
        mode: `auto` (the best that works here), `require` (the same, refused below tier `files`), `off` (a plain
            process), or `package.module:Class` (a class of your own, see `Sandbox`).

    Raises:
        InputError: when the word means nothing, or the class is not a sandbox.
        SandboxError: with `require`, when this machine cannot keep a program from files and network.
    """
    if mode == "off":
        return PlainSandbox()
    if mode in ("auto", "require"):
        sandbox = best()
        layers = sandbox.layers()
        if mode == "require" and layers.tier not in ("files", "full"):
            missing = "; ".join(layers.missing)
            raise SandboxError(f"Generated code could read files and use the network here. Missing: {missing}.")
        return sandbox
    if ":" in mode:
        return _own(mode)
    raise InputError(f"sandbox: {mode!r} is not known.", hint=ACCEPTED)


def _own(name: str) -> Sandbox:
    """A user's class, made and looked at before anything depends on it."""
    module_name, _, class_name = name.partition(":")
    try:
        made = getattr(importlib.import_module(module_name), class_name)()
    except Exception as error:
        raise InputError(
            f"sandbox: {name!r} cannot be made: {type(error).__name__}: {error}.", hint=ACCEPTED
        ) from error
    lacking = [method for method in ("layers", "run") if not callable(getattr(made, method, None))]
    if lacking:
        raise InputError(f"sandbox: {name!r} has no method {' and no method '.join(lacking)}.")
    layers = made.layers()
    if not isinstance(layers, Layers):
        raise InputError(f"sandbox: layers() of {name!r} returns {type(layers).__name__}, not Layers.")
    sandbox: Sandbox = made
    return sandbox
