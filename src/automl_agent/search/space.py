"""Sampling from a candidate's declared search space, without a study."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from automl_agent.records import Params

Space = Mapping[str, Mapping[str, Any]]


def sampled(space: Space, rng: random.Random, low_only: tuple[str, ...] = ()) -> Params:
    """One configuration, uniformly (in the logarithm where the space says so).

    Parameters named in `low_only` are drawn from the lowest quarter of their range.
    """
    params: Params = {}
    for name, spec in space.items():
        if spec["type"] == "categorical":
            params[name] = rng.choice(list(spec["choices"]))
            continue
        share = rng.random() * (0.25 if name in low_only else 1.0)
        value = _at(spec, share)
        params[name] = round(value) if spec["type"] == "int" else value
    return params


def within(space: Space, params: Mapping[str, Any]) -> Params:
    """Of a configuration of whatever origin what the space knows: numbers clipped to their range, unknown names and
    values of another type left out."""
    known: Params = {}
    for name, spec in space.items():
        value = params.get(name)
        if spec["type"] == "categorical":
            known |= {name: value} if value is not None and value in spec["choices"] else {}
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            clipped = min(max(float(value), float(spec["low"])), float(spec["high"]))
            known[name] = round(clipped) if spec["type"] == "int" else clipped
    return known


def narrowed(space: Space, around: Mapping[str, Any], width: float) -> dict[str, dict[str, Any]]:
    """The space cut down to `width` (share of the range) around a configuration; categories stay as they are."""
    result: dict[str, dict[str, Any]] = {}
    for name, spec in space.items():
        value = around.get(name)
        if spec["type"] == "categorical" or not isinstance(value, int | float) or isinstance(value, bool):
            result[name] = dict(spec)
            continue
        centre = min(max(_share(spec, float(value)), 0.0), 1.0)
        low, high = _at(spec, max(0.0, centre - width / 2)), _at(spec, min(1.0, centre + width / 2))
        if spec["type"] == "int":
            low, high = math.floor(low), math.ceil(high)
        result[name] = {**spec, "low": low, "high": high}
    return result


def _at(spec: Mapping[str, Any], share: float) -> float:
    low, high = float(spec["low"]), float(spec["high"])
    if spec.get("log"):
        return float(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))
    return low + share * (high - low)


def _share(spec: Mapping[str, Any], value: float) -> float:
    low, high = float(spec["low"]), float(spec["high"])
    if high <= low:
        return 0.5
    if spec.get("log"):
        return (math.log(max(value, 1e-12)) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)
