"""Training and answering in torch: on one thread, which makes both repeatable, and training on a GPU where there is
one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def fastest(torch: Any) -> Any:
    """The device to train on: a GPU (CUDA, or ROCm under the same name) where there is one, else the processor.

    A GPU adds up in no fixed order, so that a training there does not repeat to the last digit: who trains on one says
    so (`effective["device"]`). Fitted models answer on the processor.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def one_thread(torch: Any, seed: int) -> Iterator[None]:
    """One thread and a known state of chance; both are given back."""
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
