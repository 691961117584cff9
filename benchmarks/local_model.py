"""A small real model behind an OpenAI-compatible server, end to end on three real sets (README.md).

    python benchmarks/local_model.py --base-url http://127.0.0.1:8080/v1 --model qwen2.5-coder-1.5b

For each set the run by rules alone and the run with the model, same seed and budget: what the model was asked, how each
answer ended, where the rules took over, what became of its code, seconds and scores.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from automl_agent import Report, Request, Settings, build_graph

HERE = Path(__file__).parent
SETS = {
    "diabetes": (load_diabetes, "progression", "How far will the disease progress within a year? RMSE matters."),
    "breast cancer": (load_breast_cancer, "diagnosis", "Tell malignant tumours from benign ones, by ROC AUC."),
    "wine": (load_wine, "cultivar", "Which cultivar is a wine from? Log loss matters, answers within 50 ms."),
}
PACKAGES = ("automl-agent", "langchain-openai", "langgraph", "lightgbm", "scikit-learn")


def table(name: str, folder: Path) -> Path:
    """A set of scikit-learn as a CSV file with telling names."""
    load, target, _ = SETS[name]
    options = {"scaled": False} if name == "diabetes" else {}
    data = load(as_frame=True, **options)
    frame = data.frame.rename(columns={"target": target})
    if hasattr(data, "target_names"):
        frame[target] = frame[target].map(dict(enumerate(map(str, data.target_names))))
    path = folder / f"{name.replace(' ', '_')}.csv"
    frame.to_csv(path, index=False)
    return path


def run(name: str, place: Path, model: str | None, given: argparse.Namespace) -> tuple[Report, float]:
    words = SETS[name][2]
    settings = Settings(
        budget=given.budget if model else given.rules_budget or given.budget,
        home=str(place / f"home-{'model' if model else 'rules'}"),
        out=str(place / f"{name}-{'model' if model else 'rules'}"),
        base_url=given.base_url if model else None,
        temperature=0.0 if model else None,
        call_timeout=given.call_timeout,
        max_output_tokens=given.max_output_tokens,
        concurrency=1,
        seed=given.seed,
    )
    started = time.perf_counter()
    out = build_graph(model, settings=settings).invoke(
        {"request": Request(words=words, data=(str(table(name, place)),))}
    )
    return out["report"], time.perf_counter() - started


def facts(report: Report, seconds: float) -> dict[str, Any]:
    """What a run came to, as JSON."""
    outcomes = Counter((call.role, call.outcome) for call in report.calls)
    return {
        "status": report.status,
        "metric": report.metric.get("name"),
        "validation": report.metric.get("validation"),
        "test": report.metric.get("test"),
        "seconds": round(seconds, 1),
        "calls": int(report.cost.get("calls", 0)),
        "tokens": int(report.cost.get("input_tokens", 0) + report.cost.get("output_tokens", 0)),
        "model_seconds": round(sum(call.seconds for call in report.calls), 1),
        "outcomes": {f"{role}: {outcome}": count for (role, outcome), count in sorted(outcomes.items())},
        "plans": [f"{plan['by']}: {plan['title']}" for plan in report.plans],
        "understood": report.task.get("inferred"),
        "code": [f"{m.kind} {m.status} after {m.versions} versions: {m.reason}" for m in report.code],
        "summary_by": report.summary_by,
        "warnings": list(report.warnings),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", required=True, help="the server's name for the model")
    parser.add_argument("--budget", type=float, default=300.0, help="seconds of each run")
    parser.add_argument("--rules-budget", type=float, help="of the runs by rules alone; the same by default")
    parser.add_argument("--call-timeout", type=float, default=120.0)
    parser.add_argument("--max-output-tokens", type=int, default=900)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "local_model.json")
    given = parser.parse_args()
    about = {
        "model": given.model,
        "budget": given.budget,
        "rules_budget": given.rules_budget or given.budget,
        "seed": given.seed,
        "machine": platform.processor() or platform.machine(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
    results: dict[str, Any] = {}
    for name in given.sets:
        with tempfile.TemporaryDirectory() as folder:
            for kind, model in (("rules", None), ("model", f"openai:{given.model}")):
                report, seconds = run(name, Path(folder), model, given)
                results.setdefault(name, {})[kind] = facts(report, seconds)
                print(name, kind, json.dumps(results[name][kind], indent=1), flush=True)
        given.out.write_text(json.dumps({"about": about, "sets": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
