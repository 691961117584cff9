"""A sentence and two series become forecasts with intervals."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from automl_agent import Settings, build_graph

WORDS = "Forecast the visitors of every museum for the next 14 days. Holidays are known in advance."


def made_up(days: int = 240) -> pd.DataFrame:
    """Visitors of two museums: weekends and holidays are busy."""
    random = np.random.default_rng(0)
    moments = pd.date_range("2024-01-01", periods=days, freq="D")
    holidays = (random.random(days) < 0.05).astype(int)
    parts = []
    for museum, usual in (("art", 800), ("trains", 300)):
        visitors = usual * (1 + 0.5 * (moments.day_of_week >= 5) + 0.8 * holidays + random.normal(0, 0.05, days))
        parts.append(pd.DataFrame({"day": moments, "museum": museum, "holidays": holidays, "visitors": visitors}))
    return pd.concat(parts, ignore_index=True)


def main(settings: Settings) -> None:
    with TemporaryDirectory() as scratch:
        table = Path(scratch, "visitors.csv")
        made_up().to_csv(table, index=False)
        report = build_graph(settings=settings).invoke({"request": WORDS, "data": str(table)})["report"]
    print(report.status, report.metric["name"], round(report.score, 3), "seasonal naive", report.metric["baseline"])
    print(pd.read_csv(report.predictions).drop(columns="row").head(3).to_string(index=False))
    print("next rows: python", Path(report.bundle) / "predict.py", "ROWS.csv")


if __name__ == "__main__":
    main(Settings(budget=40))
