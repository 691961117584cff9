"""Customers of which nobody has said what kinds there are: how many, what they are like, and which one a new one is."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from automl_agent import Request, Settings, build_graph

WORDS = "Find segments of our customers: which customers are alike?"


def customers(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Three kinds that differ in spending, visits and region."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 3, rows)
    usual = np.array(["north", "south", "west"])[kind]
    return pd.DataFrame({
        "spend": (np.array([20.0, 200.0, 90.0])[kind] + random.normal(0, 10, rows)).round(2),
        "visits": (np.array([2.0, 4.0, 12.0])[kind] + random.normal(0, 0.8, rows)).round(1),
        "region": np.where(random.random(rows) < 0.85, usual, random.choice(["north", "south", "west"], rows)),
    })  # fmt: skip


def main(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "customers.csv"
        customers().to_csv(table, index=False)
        graph = build_graph(settings=settings)
        report = graph.invoke({"request": Request(words=WORDS, data=(str(table),))})["report"]
    print(report.status, report.metric["name"], round(report.score or 0.0, 2))
    (told,) = Path(report.bundle).glob("model/*/fold*/cluster_descriptions.json")
    for one in json.loads(told.read_text(encoding="utf-8")):
        print(f"cluster {one['cluster']} ({one['share']:.0%} of rows): {one['text']}")


if __name__ == "__main__":
    main(Settings(budget=40))
