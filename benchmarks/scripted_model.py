"""A scripted capable model on two real sets, beside the rules alone: same seed and number of trials (README.md).

    python benchmarks/scripted_model.py [--trials 48]

What the model says is written down in `tests/model_scripts.py`; what it is worth is measured here.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sklearn.datasets import load_diabetes

from automl_agent import Report, Request, Settings, build_graph
from automl_agent.testing import ScriptedChatModel

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from model_scripts import CONCRETE, DIABETES, capable  # noqa: E402

PACKAGES = ("automl-agent", "langgraph", "lightgbm", "scikit-learn")


def tables(place: Path) -> dict[str, tuple[Path, str]]:
    """Set -> its file, and the request."""
    frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    frame.to_csv(place / "diabetes.csv", index=False)
    return {
        "diabetes": (place / "diabetes.csv", DIABETES),
        "concrete": (HERE.parent / "examples" / "concrete.csv", CONCRETE),
    }


def run(data: Path, words: str, place: Path, trials: int, scripted: bool) -> tuple[Report, float]:
    kind = "model" if scripted else "rules"
    settings = Settings(
        budget=900,
        trials=trials,
        max_revisions=0,
        home=str(place / f"home-{kind}"),
        out=str(place / f"{data.stem}-{kind}"),
    )
    graph = build_graph(ScriptedChatModel(capable) if scripted else None, settings=settings)
    started = time.perf_counter()
    out = graph.invoke({"request": Request(words=words, data=(str(data),))})
    return out["report"], time.perf_counter() - started


def facts(report: Report, seconds: float) -> dict[str, Any]:
    solution = json.loads(Path(str(report.bundle), "model", "solution.json").read_text(encoding="utf-8"))
    weights: Counter[str] = Counter()
    for member in solution["members"]:
        weights[member["candidate"]] += member["weight"]
    return {
        "status": report.status,
        "metric": report.metric["name"],
        "validation": report.metric["validation"],
        "test": report.metric["test"],
        "seconds": round(seconds, 1),
        "calls": int(report.cost["calls"]),
        "plans": [f"{plan['by']}: {plan['title']} ({plan['verdict']})" for plan in report.plans],
        "code": [
            {
                "kind": module.kind,
                "title": module.title,
                "status": module.status,
                "reason": module.reason,
                "versions": module.versions,
                "score_without": module.score_without,
                "score_with": module.score_with,
                "ablation": module.ablation,
            }
            for module in report.code
        ],
        "weights": {name: round(weight, 3) for name, weight in weights.most_common()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=48)
    trials = parser.parse_args().trials
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (data, words) in tables(Path(folder)).items():
            for scripted in (False, True):
                found = facts(*run(data, words, Path(folder), trials, scripted))
                results.setdefault(name, {})["model" if scripted else "rules"] = found
                print(name, json.dumps(found, indent=1), flush=True)
    about = {
        "trials": trials,
        "machine": platform.machine(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    text = json.dumps({"about": about, "sets": results}, indent=2)
    (HERE / "results" / "scripted_model.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
