"""Small tables with telling columns for the requests of `requests.yaml`. Only what they look like matters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

ROWS = 300


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def churn() -> pd.DataFrame:
    rng = _random(1)
    return pd.DataFrame(
        {
            "customer_id": [f"C{1000 + i}" for i in range(ROWS)],
            "tenure_months": rng.integers(0, 72, ROWS),
            "monthly_fee": rng.uniform(10, 90, ROWS).round(2),
            "contract": rng.choice(["monthly", "yearly", "two years"], ROWS),
            "support_calls": rng.poisson(2, ROWS),
            "left": rng.choice(["yes", "no"], ROWS, p=[0.25, 0.75]),
        }
    )


def houses() -> pd.DataFrame:
    rng = _random(2)
    return pd.DataFrame(
        {
            "neighborhood": rng.choice(["Old Town", "Lakeside", "Hillcrest", "Harbor"], ROWS, p=[0.5, 0.3, 0.15, 0.05]),
            "living_area": rng.integers(40, 400, ROWS),
            "bedrooms": rng.integers(1, 6, ROWS),
            "year_built": rng.integers(1900, 2020, ROWS),
            "has_pool": rng.choice(["yes", "no"], ROWS, p=[0.2, 0.8]),
            "sale_price": rng.integers(90_000, 900_000, ROWS),
        }
    )


def credit() -> pd.DataFrame:
    rng = _random(3)
    return pd.DataFrame(
        {
            "income": rng.integers(15_000, 120_000, ROWS),
            "amount": rng.integers(500, 40_000, ROWS),
            "purpose": rng.choice(["car", "education", "furniture", "repairs"], ROWS),
            "years_employed": rng.integers(0, 30, ROWS),
            "interest_rate": rng.uniform(1, 14, ROWS).round(2),
            "outcome": rng.choice(["defaulted", "repaid"], ROWS, p=[0.2, 0.8]),
        }
    )


def staff() -> pd.DataFrame:
    rng = _random(4)
    return pd.DataFrame(
        {
            "employee_id": np.arange(5000, 5000 + ROWS),
            "age": rng.integers(18, 65, ROWS),
            "department": rng.choice(["Sales", "Research", "Operations"], ROWS),
            "overtime": rng.choice(["Yes", "No"], ROWS, p=[0.3, 0.7]),
            "years_at_company": rng.integers(0, 30, ROWS),
            "salary": rng.integers(24_000, 140_000, ROWS),
            "attrition": rng.choice(["Yes", "No"], ROWS, p=[0.15, 0.85]),
        }
    )


def wine() -> pd.DataFrame:
    rng = _random(5)
    return pd.DataFrame(
        {
            "fixed_acidity": rng.uniform(4, 12, ROWS).round(1),
            "residual_sugar": rng.uniform(0.5, 20, ROWS).round(1),
            "sulphates": rng.uniform(0.3, 1.5, ROWS).round(2),
            "alcohol": rng.uniform(8, 14, ROWS).round(1),
            "colour": rng.choice(["red", "white"], ROWS, p=[0.4, 0.6]),
            "quality": rng.integers(3, 9, ROWS),
        }
    )


def energy() -> pd.DataFrame:
    rng = _random(6)
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=ROWS, freq="D").strftime("%Y-%m-%d"),
            "building": rng.choice(["A1", "B2", "C3"], ROWS),
            "outdoor_temperature": rng.uniform(-10, 35, ROWS).round(1),
            "floor_area": rng.integers(200, 5000, ROWS),
            "occupied": rng.choice([0, 1], ROWS, p=[0.3, 0.7]),
            "kwh": rng.uniform(5, 900, ROWS).round(1),
        }
    )


def hospital() -> pd.DataFrame:
    rng = _random(7)
    return pd.DataFrame(
        {
            "patient": [f"P{i:04}" for i in range(ROWS)],
            "age": rng.integers(0, 95, ROWS),
            "ward": rng.choice(["surgery", "cardiology", "oncology"], ROWS),
            "diagnosis_code": rng.choice(["I10", "E11", "C50", "J18"], ROWS),
            "stay_days": rng.integers(1, 40, ROWS),
            "bill": rng.uniform(300, 40_000, ROWS).round(2),
            "readmitted": rng.choice(["yes", "no"], ROWS, p=[0.2, 0.8]),
        }
    )


def coded() -> pd.DataFrame:
    """Names that tell nothing."""
    rng = _random(8)
    numbers = {f"v{i}": rng.normal(size=ROWS).round(3) for i in range(1, 8)}
    classes = {"v8": rng.choice(["a", "b", "c"], ROWS), "v9": rng.choice(["healthy", "faulty"], ROWS)}
    return pd.DataFrame({**numbers, **classes})


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "churn": churn,
    "houses": houses,
    "credit": credit,
    "staff": staff,
    "wine": wine,
    "energy": energy,
    "hospital": hospital,
    "coded": coded,
}
