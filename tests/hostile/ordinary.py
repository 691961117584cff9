"""Not hostile: what a program of a model does all day."""

import subprocess
import sys
import tempfile
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

frame = pd.read_csv(sys.argv[1])
x, y = frame.drop(columns="y"), frame["y"]
booster = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=2).fit(x, y)
scores = cross_val_score(RandomForestClassifier(5, n_jobs=2), x, y, cv=2, n_jobs=2)
with tempfile.TemporaryDirectory() as scratch:
    pd.DataFrame({"p": booster.predict_proba(x)[:, 1]}).to_parquet(Path(scratch, "p.parquet"))
    pd.read_parquet(Path(scratch, "p.parquet")).to_parquet("predictions.parquet")
np.save("scores.npy", scores)
subprocess.run([sys.executable, "-c", "import numpy; print('child', numpy.ones(3).sum())"], check=True)
print("done")
