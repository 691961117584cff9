"""One fit of another tool, in the environment of that tool: knows nothing of this project.

    python tabular_peers.py SYSTEM FOLDER BUDGET SEED

FOLDER holds train.parquet, test.parquet (without the target) and task.json. Writes predictions.parquet (values, or a
column for each class in the order of the task) and fit.json (seconds from the table in memory to the fitted model).
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def words(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]


def categories(train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Columns of words as categories with the levels of the training rows, in place."""
    for name in words(train):
        levels = pd.CategoricalDtype(sorted(train[name].dropna().astype(str).unique()))
        for frame in (train, test):
            frame[name] = frame[name].where(frame[name].isna(), frame[name].astype(str)).astype(levels)


def lightgbm(task: dict[str, Any], x: pd.DataFrame, y: Any, test: pd.DataFrame, seed: int, **_: Any) -> Any:
    """The scikit-learn interface with its defaults and native categories."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    categories(x, test)
    model = (LGBMClassifier if task["classes"] else LGBMRegressor)(random_state=seed, n_jobs=task["cores"], verbose=-1)
    model.fit(x, y)
    return lambda: (model.predict_proba(test), model.classes_) if task["classes"] else (model.predict(test), None)


def catboost(task: dict[str, Any], x: pd.DataFrame, y: Any, test: pd.DataFrame, seed: int, **_: Any) -> Any:
    """1,000 rounds at its own rate, native categories, no early stopping: what `fit` does."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    names = words(x)
    for frame in (x, test):
        for name in names:
            frame[name] = frame[name].fillna("missing").astype(str)
    kind = CatBoostClassifier if task["classes"] else CatBoostRegressor
    model = kind(random_seed=seed, thread_count=task["cores"], verbose=0, allow_writing_files=False, cat_features=names)
    model.fit(x, y)
    return lambda: (model.predict_proba(test), model.classes_) if task["classes"] else (model.predict(test), None)


def flaml(task: dict[str, Any], x: pd.DataFrame, y: Any, test: pd.DataFrame, seed: int, budget: float) -> Any:
    from flaml import AutoML

    metric = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "rmse"}[task["metric"]]
    model = AutoML()
    model.fit(x, y, task="classification" if task["classes"] else "regression", metric=metric, time_budget=budget,
              n_jobs=task["cores"], seed=seed, verbose=0)  # fmt: skip
    return lambda: (model.predict_proba(test), model.classes_) if task["classes"] else (model.predict(test), None)


def autogluon(preset: str) -> Any:
    """It takes no seed: splits differ by seed all the same."""

    def fit(task: dict[str, Any], x: pd.DataFrame, y: Any, test: pd.DataFrame, budget: float, **_: Any) -> Any:
        from autogluon.tabular import TabularPredictor

        metric = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}[task["metric"]]
        kind = "regression" if not task["classes"] else "binary" if len(task["classes"]) == 2 else "multiclass"
        model = TabularPredictor(task["target"], problem_type=kind, eval_metric=metric, verbosity=0, path="predictor")
        model.fit(x.assign(**{task["target"]: y}), presets=preset, time_limit=budget, num_cpus=task["cores"])

        def predict() -> Any:
            if not task["classes"]:
                return model.predict(test).to_numpy(), None
            chances = model.predict_proba(test)
            return chances.to_numpy(), list(chances.columns)

        return predict

    return fit


SYSTEMS = {
    "lightgbm": (lightgbm, "lightgbm"),
    "catboost": (catboost, "catboost"),
    "flaml": (flaml, "flaml"),
    "autogluon-medium": (autogluon("medium_quality"), "autogluon.tabular"),
    "autogluon-best": (autogluon("best_quality_v150"), "autogluon.tabular"),
}


def main() -> None:
    system, folder, budget, seed = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    fit, package = SYSTEMS[system]
    task = json.loads((folder / "task.json").read_text())
    train, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    target = train.pop(task["target"]).to_numpy()
    import_module(package)
    started = time.perf_counter()
    predict = fit(task, train, target, test, seed=seed, budget=budget)
    fitted = time.perf_counter()
    scores, labels = predict()
    ended = time.perf_counter()
    if task["classes"]:
        order = [[str(label) for label in labels].index(name) for name in task["classes"]]
        table = pd.DataFrame(np.asarray(scores)[:, order], columns=task["classes"])
    else:
        table = pd.DataFrame({"value": np.asarray(scores, float).ravel()})
    table.to_parquet(folder / "predictions.parquet")
    told = {"fit_s": fitted - started, "predict_s": ended - fitted, "version": version(package)}
    (folder / "fit.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
