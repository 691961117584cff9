"""Stores fitted blocks as JSON and arrays: reading them back builds only the classes that the reader names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def pack(thing: Any, blocks: Mapping[str, type], arrays: dict[str, Array], name: str = "state") -> Any:
    """What JSON can hold of a value; arrays are put into `arrays` under dotted names.

    Attributes of blocks that begin with an underscore are left out: `prepare` has to build them again. Dictionaries are
    not allowed, since their keys could be anything.
    """
    if isinstance(thing, np.ndarray):
        arrays[name] = thing
        return {"array": name}
    if type(thing).__name__ in blocks:
        public = {key: value for key, value in vars(thing).items() if not key.startswith("_")}
        fields = {key: pack(value, blocks, arrays, f"{name}.{key}") for key, value in public.items()}
        return {"block": type(thing).__name__, "fields": fields}
    if isinstance(thing, list):
        return [pack(item, blocks, arrays, f"{name}.{place}") for place, item in enumerate(thing)]
    if thing is None or isinstance(thing, str | int | float | bool):
        return thing
    raise TypeError(f"{name} is a {type(thing).__name__}, which cannot be stored")


def unpack(state: Any, blocks: Mapping[str, type], arrays: Mapping[str, Array]) -> Any:
    """Undo `pack`."""
    if isinstance(state, list):
        return [unpack(item, blocks, arrays) for item in state]
    if not isinstance(state, dict):
        return state
    if "array" in state:
        return arrays[state["array"]]
    kind = blocks[state["block"]]
    block = kind.__new__(kind)
    for key, value in state["fields"].items():
        setattr(block, key, unpack(value, blocks, arrays))
    if hasattr(block, "prepare"):
        block.prepare()
    return block


def save_arrays(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write an npz file that holds no pickle."""
    objects = [name for name, array in arrays.items() if array.dtype.hasobject]
    if objects:
        raise TypeError(f"Arrays of objects cannot be stored: {', '.join(objects)}")
    np.savez_compressed(path, **arrays)


def load_arrays(path: str | Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
