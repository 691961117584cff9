"""Every fault of a language model, its server or its code, beside the run by rules alone: same table, seed and trials.

    python benchmarks/faults.py            all (about a quarter of an hour on two cores)
    python benchmarks/faults.py 401 loops  some

Each run talks to a stand-in server over a real socket (`automl_agent.testing`); the faults are those of the tests.
"""

from __future__ import annotations

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
from automl_agent.testing import Fault, ModelServer, faults

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from model_runs import QUICK  # noqa: E402
from model_scripts import DIABETES, HARMLESS, HOSTILE, TRANSPORT, capable, careless  # noqa: E402

PACKAGES = ("automl-agent", "langchain-openai", "langgraph", "lightgbm", "scikit-learn")


def run(place: Path, name: str, base_url: str | None, **changes: Any) -> tuple[Report, float]:
    settings = Settings(
        **QUICK, **changes, home=str(place / "home"), out=str(place / name.replace("/", " ")), base_url=base_url
    )
    started = time.perf_counter()
    request = Request(words=DIABETES, data=(str(place / "diabetes.csv"),))
    out = build_graph("openai:stand-in" if base_url else None, settings=settings).invoke({"request": request})
    return out["report"], time.perf_counter() - started


def facts(report: Report, seconds: float) -> dict[str, Any]:
    return {
        "status": report.status,
        "validation": report.metric.get("validation"),
        "test": report.metric.get("test"),
        "plans": dict(Counter(str(plan["by"]) for plan in report.plans)),
        "answers": dict(Counter(call.outcome for call in report.calls)),
        "code": [f"{module.status} after {module.versions} versions: {module.reason}" for module in report.code],
        "warnings": [warning for warning in report.warnings if "language model" in warning],
        "seconds": round(seconds, 1),
    }


def cases() -> dict[str, tuple[Any, Fault | None, dict[str, Any]]]:
    """Fault -> script of the server, what goes wrong with it, further settings."""
    found: dict[str, tuple[Any, Fault | None, dict[str, Any]]] = {
        name: (capable, fault, {}) for name, fault in TRANSPORT.items()
    }
    found["price unknown, with a limit of cost"] = (capable, None, {"max_cost": 1.0})
    found |= {name: (careless(HOSTILE["wrong shape"]), fault, {}) for name, fault in HARMLESS.items()}
    return found | {name: (careless(code), None, {}) for name, code in HOSTILE.items()}


def main() -> None:
    wanted = sys.argv[1:]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
        frame.to_csv(place / "diabetes.csv", index=False)
        rules = facts(*run(place, "rules", None))
        print(
            f"{'rules alone':40} {rules['status']:10} {rules['validation']:.4f} {rules['seconds']:6.1f} s", flush=True
        )
        for name, (script, fault, changes) in cases().items():
            if wanted and name not in wanted:
                continue
            with ModelServer(script, fault=fault) as server:
                results[name] = facts(*run(place, name, server.base_url, **changes))
            show(name, results[name], rules)
        if not wanted or "connection refused" in wanted:
            name = "connection refused"
            results[name] = facts(*run(place, name, faults.unused_url()))
            show(name, results[name], rules)
    if not wanted:
        about = {
            "table": "diabetes (scikit-learn), RMSE: lower is better",
            "settings": QUICK,
            "machine": platform.machine(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        }
        text = json.dumps({"about": about, "rules alone": rules, "faults": results}, indent=2)
        (HERE / "results" / "faults.json").write_text(text + "\n", encoding="utf-8")
    worse = [name for name, one in results.items() if one["validation"] > rules["validation"] * 1.001]
    undelivered = [name for name, one in results.items() if one["status"] != "delivered"]
    print(
        f"{len(results)} faults; worse than the rules alone: {worse or 'none'}; not delivered: {undelivered or 'none'}"
    )
    sys.exit(bool(worse or undelivered))


def show(name: str, one: dict[str, Any], rules: dict[str, Any]) -> None:
    ratio = one["validation"] / rules["validation"]
    print(f"{name:40} {one['status']:10} {one['validation']:.4f} ({ratio:.4f} of the rules') {one['seconds']:6.1f} s "
          f"{one['answers']} {one['code']}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
