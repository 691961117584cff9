"""Features propagated over one, two, ... hops (SGC, Wu et al. 2019; side by side: SIGN, Frasca et al. 2020).

Propagation is linear: hop k of a projection is the projection of hop k. For new nodes that is all it takes: hop k of a
new node comes from hop k - 1 of its neighbours and its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from node_model import Batch, normalised

Array = npt.NDArray[Any]


def hops(adjacency: Any, values: Array, count: int) -> list[Array]:
    """`values` (nodes, n) after 0, 1, ..., `count` steps of propagation."""
    step = normalised(adjacency)
    found = [np.asarray(values, dtype=np.float64)]
    for _ in range(count):
        found.append(np.asarray(step @ found[-1]))
    return found


def new_hops(batch: Batch, own: Array, known: list[Array]) -> list[Array]:
    """The same for new nodes.

    Args:
        own: values of the new nodes, (rows, n).
        known: hops 0 to count - 1 of the graph's nodes.
    """
    found = [own]
    for values in known:
        found.append(batch.spread(values, found[-1]))
    return found
