"""Training and answering in torch: on one thread, which makes both repeatable, and training on a GPU where there is
one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


def fastest(torch: Any) -> Any:
    """The device to train on: a GPU (CUDA, or ROCm under the same name) where there is one, else the processor.

    A GPU adds up in no fixed order, so that a training there does not repeat to the last digit: who trains on one says
    so (`effective["device"]`). Fitted models answer on the processor.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980) as PyTorch computes it.

    With `decoupled`, the decay of weights is that of AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101). The classes of
    `torch.optim` import PyTorch's compiler when the first one is made: 1.5 s and 70 MB in every worker. The function
    under them does not.
    """

    def __init__(
        self, weights: Sequence[Any], betas: tuple[float, float] = (0.9, 0.999), *, decoupled: bool = False
    ) -> None:
        import torch

        self._weights, self._betas, self._decoupled = list(weights), betas, decoupled
        self._means = [torch.zeros_like(value) for value in self._weights]
        self._squares = [torch.zeros_like(value) for value in self._weights]
        self._steps = [torch.zeros((), dtype=torch.float32) for _ in self._weights]

    def step(self, rate: float, decay: float = 0.0) -> None:
        """Change the weights by their gradients, and forget these; all weights have one."""
        import torch
        from torch.optim.adam import adam

        slopes = [value.grad for value in self._weights]
        with torch.no_grad():
            if self._decoupled:  # here, since the function does it in late versions only
                for value in self._weights:
                    value.mul_(1 - rate * decay)
                decay = 0.0
            adam(self._weights, slopes, self._means, self._squares, [], self._steps, amsgrad=False,
                 beta1=self._betas[0], beta2=self._betas[1], lr=rate, weight_decay=decay, eps=1e-8,
                 maximize=False)  # fmt: skip
        for value in self._weights:
            value.grad = None


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
