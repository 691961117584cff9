"""Nearest centroid: the class whose mean is closest, distances softened to probabilities. Numbers only."""

import json
from pathlib import Path

import numpy as np

TITLE = "Nearest centroid"
TAGS = ("nearest centroid", "prototype")
TASKS = ("classification",)
PORTFOLIO = [{"softness": 1.0}]
SPACE = {"softness": {"type": "float", "low": 0.1, "high": 10.0, "log": True}}


class Model:
    def __init__(self, task, params, steps, seed, threads=1, time_limit=None):
        self.classes = len(task["classes"])
        self.softness = params.get("softness", 1.0)

    def fit(self, frame, target):
        self.columns = [name for name in frame if frame[name].dtype.kind == "f"]
        x = frame[self.columns].to_numpy()
        self.mean, self.scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0) + 1e-9
        z = self._scaled(frame)
        self.centres = np.stack([z[target == c].mean(axis=0) for c in range(self.classes)])
        return self

    def _scaled(self, frame):
        x = frame[self.columns].to_numpy()
        return (np.where(np.isnan(x), self.mean, x) - self.mean) / self.scale

    def predict(self, frame):
        distance = ((self._scaled(frame)[:, None, :] - self.centres) ** 2).mean(axis=2)
        weight = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / self.softness)
        return weight / weight.sum(axis=1, keepdims=True)

    def save(self, folder):
        np.savez(Path(folder) / "model.npz", mean=self.mean, scale=self.scale, centres=self.centres)
        meta = {"columns": self.columns, "softness": self.softness, "classes": self.classes}
        (Path(folder) / "model.json").write_text(json.dumps(meta))

    @classmethod
    def load(cls, folder):
        meta = json.loads((Path(folder) / "model.json").read_text())
        model = cls({"classes": [None] * meta["classes"]}, {"softness": meta["softness"]}, [], 0)
        model.columns = meta["columns"]
        arrays = np.load(Path(folder) / "model.npz", allow_pickle=False)
        model.mean, model.scale, model.centres = arrays["mean"], arrays["scale"], arrays["centres"]
        return model
