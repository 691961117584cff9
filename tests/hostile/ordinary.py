"""Not hostile: what a program of a model does all day. Prints the name of each kind of work that was done right."""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import catboost
import joblib
import lightgbm
import matplotlib
import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

matplotlib.use("Agg")
from matplotlib import pyplot

frame = pd.read_csv(sys.argv[1])
x, y = frame.drop(columns="y"), frame["y"]


def boosting() -> bool:
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=2).fit(x, y)
    pd.DataFrame({"p": model.predict_proba(x)[:, 1]}).to_csv("predictions.csv", index=False)
    return len(pd.read_csv("predictions.csv")) == len(x)


def catboost_and_its_files() -> bool:
    model = catboost.CatBoostClassifier(iterations=5, thread_count=2, verbose=False).fit(x, y)
    return Path("catboost_info").is_dir() and model.predict(x).shape == (len(x),)


def scikit_learn_in_threads() -> bool:
    return cross_val_score(RandomForestClassifier(5, n_jobs=2), x, y, cv=2).shape == (2,)


def network() -> bool:
    torch.set_num_threads(2)
    inputs, targets = torch.tensor(x.to_numpy(float)).float(), torch.tensor(y.to_numpy()).long()
    layers = torch.nn.Sequential(torch.nn.Linear(x.shape[1], 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(layers.parameters())
    for rows in torch.utils.data.DataLoader(range(len(inputs)), batch_size=16):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(layers(inputs[rows]), targets[rows]).backward()
        optimizer.step()
    torch.save(layers.state_dict(), "weights.pt")
    return set(torch.load("weights.pt", weights_only=True)) == set(layers.state_dict())


def joblib_workers() -> bool:
    return joblib.Parallel(n_jobs=2)(joblib.delayed(np.sum)(np.ones(size)) for size in range(4)) == [0, 1, 2, 3]


def pool_of_threads() -> bool:
    with ThreadPoolExecutor(2) as workers:
        return list(workers.map(abs, [-1, -2, -3])) == [1, 2, 3]


def parquet_in_a_temporary_folder() -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        frame.to_parquet(Path(scratch, "frame.parquet"))
        return pd.read_parquet(Path(scratch, "frame.parquet")).equals(frame)


def plot() -> bool:
    figure, axes = pyplot.subplots()
    axes.plot(frame["a"], frame["b"])
    axes.set_title("Ünïcode")
    figure.savefig("plot.png")
    return Path("plot.png").stat().st_size > 1000


def child() -> bool:
    said = subprocess.run([sys.executable, "-c", "print(3)"], check=True, capture_output=True, timeout=30)
    return said.stdout == b"3\n"


if __name__ == "__main__":
    kinds = (boosting, catboost_and_its_files, scikit_learn_in_threads, network, joblib_workers, pool_of_threads,
             parquet_in_a_temporary_folder, plot, child)  # fmt: skip
    for kind in kinds:
        try:
            print(kind.__name__ if kind() else f"{kind.__name__}: wrong", flush=True)
        except Exception as error:
            print(f"{kind.__name__}: {type(error).__name__}: {error}", flush=True)
