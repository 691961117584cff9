"""A least-squares support vector machine (Suykens & Vandewalle 1999) with a Gaussian kernel on image features.

One system of equations serves all classes, and gives what the model answers for each training image when it is left out
(closed form). Probabilities are a softmax of the scores whose temperature fits these answers best.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from image_features import features, grid, principal, reduced
from image_model import ImageModel, softmax
from plain_state import load_arrays, save_arrays

TITLE = "Least-squares support vector machine on image features"
TAGS = ("support vector machine", "svm", "kernel", "hog", "classical")
PORTFOLIO = [{"width": 0.5, "strength": 0.05}, {"width": 0.25, "strength": 0.01}, {"width": 1.0, "strength": 0.2}]
SPACE = {
    "width": {"type": "float", "low": 0.1, "high": 2.0, "log": True},
    "strength": {"type": "float", "low": 0.001, "high": 2.0, "log": True},
}
REQUIRES = ("scipy",)
CONDITIONS = {"rows": "<= 14000"}

Array = npt.NDArray[Any]

COMPONENTS = 300
"""Principal components of the features that the kernel sees."""
FLOPS = 8e9
"""Operations a second of one slow core, to foresee what the system of equations takes."""


class Model(ImageModel):
    """`width` of the kernel in mean squared distances of the training images; `strength` of the penalty."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, images: list[bytes], target: Array) -> None:
        from scipy.linalg import cholesky, solve_triangular

        rows = len(images)
        whole = features(images, self.grey, *grid(self.side))
        self.centre, self.components = principal(whole, COMPONENTS)
        # As it will be read from the file.
        self.known = reduced(whole, self.centre, self.components).astype(np.float32).astype(np.float64)
        self.require((rows**3 + 2 * rows**2 * self.known.shape[1]) / FLOPS, "The system of equations")
        self.gamma = 1 / (2 * float(self.params["width"]) * float((self.known**2).sum(axis=1).mean()))
        system = self._kernel(self.known).astype(np.float32)
        system[np.diag_indices(rows)] += float(self.params["strength"])
        root = cholesky(system, lower=True, overwrite_a=True, check_finite=False)
        inverse = solve_triangular(root, np.eye(rows, dtype=np.float32), lower=True, overwrite_b=True,
                                   check_finite=False)  # fmt: skip
        wanted = np.eye(len(self.present), dtype=np.float32)[target]
        self.base = wanted.mean(axis=0)
        self.weights = (inverse.T @ (inverse @ (wanted - self.base))).astype(np.float64)
        alone = wanted - self.weights / (inverse**2).sum(axis=0)[:, None]
        self.temperature = _temperature(alone.astype(np.float64), target)

    def _kernel(self, matrix: Array) -> Array:
        squares = (matrix**2).sum(axis=1)[:, None] + (self.known**2).sum(axis=1)[None]
        distances = squares - 2 * (matrix @ self.known.T)
        kernel: Array = np.exp(-self.gamma * np.maximum(distances, 0))
        return kernel

    def answer(self, images: list[bytes]) -> Array:
        kernel = self._kernel(reduced(features(images, self.grey, *grid(self.side)), self.centre, self.components))
        return softmax((kernel @ self.weights + self.base) * self.temperature)

    def store(self, folder: Path) -> None:
        scalars = np.array([self.gamma, self.temperature])
        save_arrays(folder / "kernel.npz", {"known": self.known.astype(np.float32), "centre": self.centre,
                                            "components": self.components, "base": self.base,
                                            "weights": self.weights, "scalars": scalars})  # fmt: skip

    def restore(self, folder: Path) -> None:
        arrays = load_arrays(folder / "kernel.npz")
        self.known, self.centre = arrays["known"].astype(np.float64), arrays["centre"]
        self.components = arrays["components"]
        self.base, self.weights = arrays["base"], arrays["weights"]
        self.gamma, self.temperature = map(float, arrays["scalars"])


def _temperature(scores: Array, target: Array) -> float:
    """What to multiply scores by so that their softmax has the least log loss."""
    factors = np.geomspace(1, 64, 37)
    losses = [-np.log(softmax(scores * factor)[np.arange(len(target)), target] + 1e-12).mean() for factor in factors]
    return float(factors[int(np.argmin(losses))])
