"""Image classification on three real sets beside their floors, one JSON object a line.

    python benchmarks/families/image_classification.py [--sets fashion digits elpv] [--budget 300] [--splits 5]

Fashion-MNIST: the first 6,000 training images and the official test; digits: scikit-learn's, mean of random splits;
ELPV: all 2,624 cells, defect when their probability is at least .5. `DATA_PKGS` names the folder with the packages
that hold the sets (`dataset-fashion-mnist`, a .deb; `elpv-dataset`, a wheel).
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import struct
import subprocess
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from automl_agent import Settings, build_graph
from automl_agent.records import Request

FLOORS = {"fashion": 0.88, "digits": 0.985, "elpv": 0.80}
WORDS = "Classify these images by accuracy."
PACKAGES = Path(os.environ.get("DATA_PKGS", "~/.cache/automl-agent-data")).expanduser()


def png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def put(folder: Path, label: Any, name: str, content: bytes) -> None:
    place = folder / str(label)
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(content)


def fashion(root: Path) -> tuple[Path, Path | None]:
    """The official test lies in a folder of its own."""
    archive = next(PACKAGES.glob("dataset-fashion-mnist_*.deb"))
    source = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(source)) as files:
        members = {Path(member.name).name: member for member in files.getmembers()}

        def array(name: str) -> Any:
            content = files.extractfile(members[f"{name}.gz"])
            assert content is not None
            raw = gzip.decompress(content.read())
            shape = struct.unpack(">" + "I" * raw[3], raw[4 : 4 + 4 * raw[3]])
            return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)

        for part, prefix, most in (("train", "train", 6_000), ("test", "t10k", 10_000)):
            images, labels = array(f"{prefix}-images-idx3-ubyte"), array(f"{prefix}-labels-idx1-ubyte")
            for number in range(most):
                put(root / part, labels[number], f"{number:05d}.png", png(images[number]))
    return root / "train", root / "test"


def digits(root: Path, seed: int) -> tuple[Path, Path | None]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    found = load_digits()
    parts = train_test_split(np.arange(len(found.target)), test_size=0.2, stratify=found.target, random_state=seed)
    for part, rows in zip(("train", "test"), parts, strict=True):
        for row in rows:
            content = png((found.images[row] * 255 / 16).astype(np.uint8))
            put(root / part, found.target[row], f"{row}.png", content)
    return root / "train", root / "test"


def elpv(root: Path) -> tuple[Path, Path | None]:
    with zipfile.ZipFile(next(PACKAGES.glob("elpv_dataset-*.whl"))) as archive:
        for line in archive.read("elpv_dataset/data/labels.csv").decode().splitlines():
            name, probability, _ = line.split()
            label = "defect" if float(probability) >= 0.5 else "sound"
            put(root, label, Path(name).name, archive.read(f"elpv_dataset/data/{name}"))
    return root, None


def measured(name: str, train: Path, test: Path | None, budget: float, scratch: Path) -> dict[str, Any]:
    started = time.perf_counter()
    settings = Settings(budget=budget, home=str(scratch / "home"), out=str(scratch / "out"))
    request = Request(words=WORDS, data=(str(train),), test_data=str(test) if test else None)
    out = build_graph(settings=settings).invoke({"request": request})
    report = out["report"]
    solution = out["solution"]
    return {
        "set": name, "floor": FLOORS[name], "score": report.score, "status": report.status,
        "seconds": round(time.perf_counter() - started, 1), "latency_ms": solution.latency_ms,
        "members": {member.candidate: round(member.weight, 3) for member in solution.members},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=FLOORS, default=list(FLOORS))
    parser.add_argument("--budget", type=float, default=300.0)
    parser.add_argument("--splits", type=int, default=5, help="random splits of digits")
    given = parser.parse_args()
    makers = {"fashion": lambda root, _: fashion(root), "digits": digits, "elpv": lambda root, _: elpv(root)}
    for name in given.sets:
        scores = []
        for seed in range(given.splits if name == "digits" else 1):
            with tempfile.TemporaryDirectory() as scratch:
                train, test = makers[name](Path(scratch, "images"), seed)
                found = measured(name, train, test, given.budget, Path(scratch))
            scores.append(found["score"])
            print(json.dumps(found), flush=True)
        if len(scores) > 1:
            print(json.dumps({"set": name, "floor": FLOORS[name], "mean": float(np.mean(scores))}), flush=True)


if __name__ == "__main__":
    main()
