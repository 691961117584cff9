"""Writes the data of `paper.yaml`: the nearest sets that can be had offline to the fourteen of the paper.

    DATA_PKGS=FOLDER python benchmarks/paper/prepare.py [OUT]

FOLDER holds the package archives that `benchmarks/sets.py` names; OUT is `data` beside this file by default.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

import sets


def garments(out: Path, rows: int = 3000) -> None:
    """Class folders of PNG files."""
    images, labels = sets.fashion()["train"]
    sets.put_images(out / "garments", images[:rows], [sets.GARMENTS[label] for label in labels[:rows]])


def solar(out: Path) -> None:
    """A table of file names and labels beside the images."""
    (out / "solar" / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for name, label, content in sets.elpv():
        (out / "solar" / "images" / name).write_bytes(content)
        rows.append({"image": f"images/{name}", "defect": "yes" if label == "defect" else "no"})
    pd.DataFrame(rows).to_csv(out / "solar" / "cells.csv", index=False)


def texts(out: Path) -> None:
    sets.reviews().to_csv(out / "reviews.csv", index=False)
    pd.concat(sets.boolq()).to_csv(out / "boolq.csv", index=False)


def tables(out: Path) -> None:
    sets.kc1().to_csv(out / "kc1.csv", index=False)
    banana = sets.keel("banana").set_axis(["size", "weight", "quality"], axis=1)
    banana["quality"] = np.where(banana["quality"].astype(float) > 0, "good", "bad")
    banana.to_csv(out / "banana.csv", index=False)
    sets.abalone().to_csv(out / "abalone.csv", index=False)
    sets.california().to_csv(out / "homes.csv", index=False)
    sets.wine().rename(columns={"class": "cultivar"}).to_csv(out / "wine.csv", index=False)
    sets.keel("segment").rename(columns={"class": "surface"}).to_csv(out / "segment.csv", index=False)


def series(out: Path) -> None:
    sets.electricity().to_csv(out / "electricity.csv", index=False)
    sets.beijing().to_csv(out / "beijing.csv", index=False)


def graphs(out: Path) -> None:
    """Nodes and edges as tables; Citeseer with the masks of its standard split."""
    graph(out / "cora", *sets.cora())
    features, labels, edges, train, test = sets.citeseer()
    place = np.arange(len(labels))
    graph(out / "citeseer", features, labels, edges, train_mask=np.isin(place, train), test_mask=np.isin(place, test))


def graph(folder: Path, features: Any, labels: Any, edges: Any, **more: Any) -> None:
    folder.mkdir(exist_ok=True)
    words = pd.DataFrame(features.toarray().astype(int), columns=[f"w{word}" for word in range(features.shape[1])])
    nodes = pd.concat([pd.DataFrame({"node": np.arange(len(labels))}), words], axis=1)
    nodes.assign(topic=labels, **more).to_csv(folder / "nodes.csv", index=False)
    pd.DataFrame(edges, columns=["source", "target"]).to_csv(folder / "edges.csv", index=False)


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    out.mkdir(parents=True, exist_ok=True)
    for write in (tables, texts, series, graphs, garments, solar):
        write(out)
        print(f"{write.__name__}: written", flush=True)


if __name__ == "__main__":
    main()
