"""Models of statsforecast on one series, in an environment of its own: knows nothing of this project.

    python series_peers.py MODEL FOLDER

FOLDER holds series.json: `values`, `season`, `horizon`. Writes predictions.json (a list) and fit.json.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

MODELS = ("SeasonalNaive", "AutoETS", "AutoCES", "DynamicOptimizedTheta", "AutoARIMA")
MEAN = "mean of ETS, CES, Theta"
"""What is usually averaged."""


def fitted(names: tuple[str, ...], told: dict[str, Any]) -> Any:
    import numpy as np
    from statsforecast import models

    values = np.asarray(told["values"], float)
    found = [getattr(models, name)(season_length=told["season"]).forecast(values, told["horizon"])["mean"]
             for name in names]  # fmt: skip
    return np.mean(found, axis=0)


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    told = json.loads((folder / "series.json").read_text())
    fitted(("SeasonalNaive",), told)  # imports and compiles
    started = time.perf_counter()
    found = fitted(MODELS[1:4] if name == MEAN else (name,), told)
    (folder / "predictions.json").write_text(json.dumps([float(value) for value in found]))
    told = {"fit_s": time.perf_counter() - started, "version": version("statsforecast")}
    (folder / "fit.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
