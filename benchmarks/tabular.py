"""The same tables, splits, cores and seconds for this project and for the tools that one would use otherwise.

    python benchmarks/tabular.py --install                       # the peers, each in an environment of its own
    python benchmarks/tabular.py                                 # 16 sets, 2 seeds, 60 s: hours
    python benchmarks/tabular.py --budget 300 --seeds 1   # 6 sets
    python benchmarks/tabular.py --table                         # of what there is; --plot FILE draws it
    python benchmarks/tabular.py --systems automl-agent one-plan # three plans or one

One cell after another; the machine should be otherwise idle. A cell is a process of its own with a fifth of the rows
kept back for the test. A finished cell is a file under `results/tabular/SYSTEM-VERSION/` and is not run again; the
version of ours is the last commit that touched `src` or `pyproject.toml`. Ours is the command line with `--budget`,
from its start to its end; the budget of a peer begins when its imports are done and the table is in memory. LightGBM
and CatBoost know no budget. No setting of ours was chosen by these test rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sets
from processes import measured
from tabular_peers import SYSTEMS as FITS

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "tabular"
ENVIRONMENTS = HERE / ".peers"
CORES = os.cpu_count() or 1
PACKAGES = {
    "lightgbm": ("lightgbm==4.7.0", "scikit-learn", "pandas", "pyarrow"),
    "catboost": ("catboost==1.2.10", "scikit-learn", "pandas", "pyarrow"),
    "flaml": ("flaml[automl]==2.8.0", "catboost==1.2.10", "pyarrow"),
    "statsforecast": ("statsforecast==2.1.0",),
    "autogluon": ("autogluon.tabular[all]==1.6.3", "torch==2.13.0"),
}
PEERS = tuple(FITS)
BOUNDLESS = ("lightgbm", "catboost")
"""They know no budget: one cell serves all."""
OURS = "automl-agent"
OWN = {OURS: (), "one-plan": ("--plans", "1")}
"""Ours, and ours with other options."""
LIMIT = 900.0
"""Seconds after which a cell is ended and counts as failed, or half as much again as a longer budget."""
TIE = 1e-4
"""Relative difference of two losses that is none."""

Read = Callable[[], pd.DataFrame]


# ---------------------------------------------------------------- the sets


def _rdata(package: str, name: str, without: Sequence[str] = ()) -> Read:
    return lambda: sets.rdata(package, name).drop(columns=list(without))


def _keel(name: str) -> Read:
    return lambda: sets.keel(name).assign(**{"class": lambda frame: "c" + frame["class"].astype(str)})


def _ames() -> pd.DataFrame:
    frame = sets.rdata("modeldata", "ames")
    return frame.assign(log_price=np.log(frame.pop("Sale_Price")))


KNOWN: dict[str, tuple[Read, str, str]] = {  # how to read it, its target, the metric
    "attrition": (_rdata("modeldata", "attrition"), "Attrition", "roc_auc"),
    "credit": (_rdata("modeldata", "credit_data"), "Status", "roc_auc"),
    "churn": (_rdata("modeldata", "mlc_churn"), "churn", "roc_auc"),
    "magic": (_keel("magic"), "class", "roc_auc"),
    "hpc": (_rdata("modeldata", "hpc_data"), "class", "log_loss"),
    "leaves": (_rdata("modeldata", "leaf_id_flavia"), "species", "log_loss"),
    "satimage": (_keel("satimage"), "class", "log_loss"),
    "ames": (_ames, "log_price", "rmse"),
    "hotels": (_rdata("modeldata", "hotel_rates"), "avg_price_per_room", "rmse"),
    "deliveries": (_rdata("modeldata", "deliveries"), "time_to_delivery", "rmse"),
    "lending": (_rdata("modeldata", "lending_club"), "Class", "roc_auc"),
    "crashes": (_rdata("DAAG", "nassCDS", ("injSeverity", "caseid", "weight")), "dead", "roc_auc"),
    "marketing": (_keel("marketing"), "class", "log_loss"),
    "concrete": (_rdata("modeldata", "concrete"), "compressive_strength", "rmse"),
    "loans": (_rdata("openintro", "loans_full_schema", ("grade", "sub_grade", "installment", "balance", "paid_total",
              "paid_principal", "paid_interest", "paid_late_fees", "loan_status")), "interest_rate", "rmse"),
    "diamonds": (_rdata("ggplot2", "diamonds"), "price", "rmse"),
}  # fmt: skip
LONG = ("credit", "churn", "hpc", "satimage", "hotels", "ames")
"""Of a longer budget."""
SHORT = ("attrition", "hpc", "concrete", "churn")
"""Of `make benchmark`."""
MEASURED = (":/src", ":/pyproject.toml")
"""What the version of ours is the last commit of."""
MEASURES = {"roc_auc": "the ROC AUC", "log_loss": "log loss", "rmse": "the RMSE"}


def split(name: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    from sklearn.model_selection import train_test_split

    read, target, metric = KNOWN[name]
    frame = read()
    classes = frame[target] if metric != "rmse" else None
    train, test = train_test_split(frame, test_size=0.2, random_state=seed, stratify=classes)
    return train.reset_index(drop=True), test.reset_index(drop=True)


def loss(name: str, truth: Any, predicted: pd.DataFrame) -> float:
    """Lower is better: 1 - AUC, log loss, or RMSE."""
    from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

    metric = KNOWN[name][2]
    if metric == "rmse":
        return float(root_mean_squared_error(truth, predicted["value"]))
    classes = list(predicted.columns)
    if metric == "roc_auc":
        return 1 - float(roc_auc_score(truth == classes[1], predicted[classes[1]]))
    chances = predicted.to_numpy(float)
    return float(log_loss(truth, chances / chances.sum(axis=1, keepdims=True), labels=classes))


# ---------------------------------------------------------------- one cell


def commit() -> str:
    command = ["git", "log", "-1", "--format=%h", "--", *MEASURED]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


def require_committed() -> None:
    """End where what would be measured is not what the commit says: a finished cell is not run again."""
    command = ["git", "status", "--porcelain", "--", *MEASURED]
    changed = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout
    if changed:
        raise SystemExit(f"Commit first: cells are kept by commit, and these are changed:\n{changed}")
    used = Path(find_spec("automl_agent").origin).parents[2]  # type: ignore[union-attr, arg-type]
    if used.resolve() != HERE.parent.resolve():
        raise SystemExit(f"This Python runs the automl_agent of {used}, not that of {HERE.parent}.")


def versions() -> dict[str, str]:
    """Of each system, as its environment states it; of ours the commit."""
    stated = dict.fromkeys(OWN, commit())
    for system, (_, package) in FITS.items():
        name = system.partition("-")[0]
        pin = next(one for one in PACKAGES[name] if one.startswith(package.partition("[")[0]))
        stated[system] = pin.partition("==")[2]
    return stated


def cell(results: Path, system: str, name: str, budget: float, seed: int) -> Path:
    length = "" if system in BOUNDLESS else f"-{budget:.0f}s"
    return results / f"{system}-{versions()[system]}" / f"{name}{length}-{seed}.json"


def run(system: str, name: str, budget: float, seed: int) -> dict[str, Any]:
    """One measured fit: loss on the test, seconds, CPU seconds, peak memory."""
    train, test = split(name, seed)
    _, target, metric = KNOWN[name]
    classes = sorted(train[target].astype(str).unique()) if metric != "rmse" else []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train.to_parquet(folder / "train.parquet")
        test.drop(columns=target).to_parquet(folder / "test.parquet")
        task = {"target": target, "classes": classes, "metric": metric, "cores": CORES}
        (folder / "task.json").write_text(json.dumps(task))
        if system in OWN:
            test.to_parquet(folder / "graded.parquet")
            words = f"Predict {target} by {MEASURES[metric]}."
            command = [sys.executable, "-m", "automl_agent.cli", "run", words, "--data", "train.parquet", "--test-data",
                       "graded.parquet", "--budget", f"{budget:g}", "--seed", str(seed), "--home", "home", "--out",
                       "out", "--target", target, "--metric", metric, "--json", *OWN[system]]  # fmt: skip
        else:
            python = ENVIRONMENTS / system.partition("-")[0] / "bin" / "python"
            command = [str(python), str(HERE / "tabular_peers.py"), system, str(folder), f"{budget:g}", str(seed)]
        found = machine()
        cost = measured(command, folder, limit=max(LIMIT, 1.5 * budget))
        result: dict[str, Any] = {
            "system": system, "version": versions()[system], "set": name, "seed": seed, "budget": budget,
            "metric": metric, "rows": len(train), "columns": train.shape[1] - 1, "exit": cost.code,
            "wall_s": round(cost.wall, 2), "cpu_s": round(cost.cpu, 1),
            "cores_middle": round(cost.cpu_middle, 2), "peak_mb": round(cost.peak_mb),
            "machine": found, "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        }  # fmt: skip
        try:
            predicted = _ours(folder, classes) if system in OWN else pd.read_parquet(folder / "predictions.parquet")
            truth = test[target].astype(str) if classes else test[target]
            result["loss"] = loss(name, truth, predicted)
            if system in OWN:
                result["stages_s"] = json.loads((folder / "out" / "result.json").read_text())["seconds"]
            else:
                result |= json.loads((folder / "fit.json").read_text())
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            result |= {"loss": None, "error": f"{error}: {cost.output}"}
        return result


def _ours(folder: Path, classes: list[str]) -> pd.DataFrame:
    """What the delivered bundle answers for the test rows without their target."""
    command = [
        sys.executable,
        "-m",
        "automl_agent.cli",
        "predict",
        "out/bundle",
        "test.parquet",
        "--out",
        "answers.csv",
    ]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=LIMIT, check=True)
    answers = pd.read_csv(folder / "answers.csv")
    if not classes:
        return pd.DataFrame({"value": answers["prediction"]})
    return answers[[f"probability_{name}" for name in classes]].set_axis(classes, axis=1)


def machine() -> dict[str, Any]:
    model = ""
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {"cores": CORES, "cpu": model, "system": platform.platform(), "load": round(os.getloadavg()[0], 2)}


def install(systems: Sequence[str]) -> None:
    for name in dict.fromkeys(system.partition("-")[0] for system in systems if system not in OWN):
        place = ENVIRONMENTS / name
        if not (place / ".installed").exists():
            print(f"installing {name}", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
            subprocess.run([str(place / "bin" / "python"), "-m", "pip", "install", "-q", *PACKAGES[name]], check=True)
            (place / ".installed").touch()


# ---------------------------------------------------------------- what came out


def read_cells(results: Path, budget: float, systems: Sequence[str], ours: str | None = None) -> pd.DataFrame:
    """The cells of the versions that are current, one row each; of ours this one, or the newest that has any."""
    stated, rows = versions() | ({OURS: ours} if ours else {}), []
    for path in sorted(results.glob("*/*.json")):
        found = json.loads(path.read_text())
        if found["system"] in systems and (found["system"] in BOUNDLESS or found["budget"] == budget):
            rows.append(found)
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    for system in OWN:
        ours = frame[frame["system"] == system]
        if len(ours) and not (ours["version"] == stated[system]).any():
            stated[system] = ours.sort_values("when")["version"].iloc[-1]
    return frame[[stated.get(one["system"]) == one["version"] for _, one in frame.iterrows()]]


def losses(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each set and seed that all systems have finished or failed at; a failure is an infinite loss."""
    cells = cells.assign(loss=cells["loss"].astype(float).fillna(np.inf))
    table = cells.pivot_table(index=["set", "seed"], columns="system", values="loss", aggfunc="first")
    return table.dropna()


def ranks(table: pd.DataFrame) -> pd.DataFrame:
    return table.rank(axis=1)


def normalised(table: pd.DataFrame) -> pd.DataFrame:
    """1 is the best of a row and 0 the worst (a failure is as bad as the worst that did not fail)."""
    bounded = table.replace(np.inf, np.nan)
    best, worst = bounded.min(axis=1), bounded.max(axis=1)
    spread = (worst - best).replace(0, 1)
    return 1 - bounded.sub(best, axis=0).div(spread, axis=0).fillna(1.0)


def wins(table: pd.DataFrame, peer: str, draws: int = 10_000) -> tuple[float, float, float]:
    """Share of the cells where ours is better, ties counting half, and its 95 % interval, by drawing sets anew."""
    ours, theirs = table[OURS], table[peer]
    tie = (ours - theirs).abs() <= TIE * theirs.abs()
    won = pd.Series(np.where(tie, 0.5, (ours < theirs).astype(float)), index=table.index).groupby("set").mean()
    drawn = np.random.default_rng(0).choice(won.to_numpy(), (draws, len(won))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(won.mean()), float(low), float(high)


def report(cells: pd.DataFrame, budget: float) -> str:
    table = losses(cells)
    if OURS not in table or table.empty:
        return f"no set that ours and a peer have both finished in {budget:.0f} s"
    systems = sorted(table.columns, key=lambda name: ranks(table)[name].mean())
    lines = ["| set | metric | seed | " + " | ".join(systems) + " |", "|---|---|---|" + "---|" * len(systems)]
    for (name, seed), row in table.iterrows():
        metric = KNOWN[name][2]
        values = [1 - row[system] if metric == "roc_auc" else row[system] for system in systems]
        best = row[systems].to_numpy().argmin()
        shown = [f"**{value:.4g}**" if place == best else f"{value:.4g}" for place, value in enumerate(values)]
        lines.append(f"| {name} | {metric} | {seed} | " + " | ".join(shown) + " |")
    inside = cells.set_index(["set", "seed"]).loc[lambda frame: frame.index.isin(table.index)]
    heads = ("system", "mean rank", "normalised score", "wins of ours (95 %)", "wall s, median", "longest", "CPU used",
             "in the middle", "peak MB, median")  # fmt: skip
    machines = " and ".join(sorted({one["cpu"] or one["system"] for one in inside["machine"]}))
    lines += ["", f"{len(table)} cells of {table.index.get_level_values('set').nunique()} sets, {budget:.0f} s, "
              f"{machines}:", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]  # fmt: skip
    for system in systems:
        own = inside[inside["system"] == system]
        won = "" if system == OURS else "{:.2f} ({:.2f} to {:.2f})".format(*wins(table, system))
        used = (own["cpu_s"] / own["wall_s"] / CORES).median()
        busy = (own["cores_middle"] / CORES).median() if "cores_middle" in own else float("nan")
        told = (f"{system} {own['version'].iloc[0]}", f"{ranks(table)[system].mean():.2f}",
                f"{normalised(table)[system].mean():.3f}", won, f"{own['wall_s'].median():.0f}",
                f"{own['wall_s'].max():.0f}", f"{used:.0%}", "" if np.isnan(busy) else f"{busy:.0%}",
                f"{own['peak_mb'].median():.0f}")  # fmt: skip
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def plot(cells: pd.DataFrame, budget: float, path: Path) -> None:
    """How each system does on each table: a dot a cell, the mean as a bar; beside it what it took."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    table = losses(cells)
    scores, order = normalised(table), ranks(table).mean().sort_values(ascending=False).index
    inside = cells.set_index(["set", "seed"]).loc[lambda frame: frame.index.isin(table.index)]
    figure, axes = pyplot.subplots(figsize=(8.6, 0.62 * len(order) + 1.3))
    spread = np.random.default_rng(0)
    for place, system in enumerate(order):
        colour = "#1f5fbf" if system == OURS else "#7a7f87"
        own = inside[inside["system"] == system]
        axes.plot(scores[system], place + spread.uniform(-0.16, 0.16, len(scores)), "o", color=colour, alpha=0.45,
                  markersize=5, markeredgewidth=0)  # fmt: skip
        axes.plot([scores[system].mean()] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=3)
        told = (f"rank {ranks(table)[system].mean():.2f},  {own['wall_s'].median():.0f} s (longest "
                f"{own['wall_s'].max():.0f}),  {own['peak_mb'].median():.0f} MB")  # fmt: skip
        axes.text(1.04, place, told, va="center", color=colour, fontsize=9)
    axes.set_yticks(range(len(order)), order)
    axes.set(xlim=(-0.03, 1.03), xlabel="score on each table: 1 is the best system's, 0 the worst's; bar: mean")
    axes.set_title(f"{table.index.get_level_values('set').nunique()} tables, {budget:.0f} s, {CORES} cores", loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(path, bbox_inches="tight", dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="make the environments of the peers, and end")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--ours", metavar="COMMIT", help="the version of ours to show; the newest that has cells")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the table")
    parser.add_argument("--short", action="store_true", help=f"{len(SHORT)} sets, one seed")
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--sets", nargs="+", choices=KNOWN, metavar="SET")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--systems", nargs="+", choices=(*OWN, *PEERS), default=[OURS, *PEERS], metavar="SYSTEM")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--most", type=int, help="end after so many cells")
    args = parser.parse_args()
    if not (args.table or args.install) and set(args.systems) & set(OWN):
        require_committed()
    warnings.simplefilter("ignore", FutureWarning)
    if args.install or not args.table:
        install(args.systems)
    names = args.sets or (SHORT if args.short else tuple(KNOWN) if args.budget <= 60 else LONG)
    seeds = 1 if args.short else args.seeds
    left = args.most
    for seed in range(seeds) if not (args.table or args.install) else ():
        for name in names:
            for system in args.systems:
                path = cell(args.results, system, name, args.budget, seed)
                if path.is_file() or left == 0:
                    continue
                found = run(system, name, args.budget, seed)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(found, indent=1) + "\n")
                left = None if left is None else left - 1
                print(f"{system} {name} {seed}: loss {found['loss']}, {found['wall_s']:.0f} s", flush=True)
    if not args.install:
        cells = read_cells(args.results, args.budget, args.systems, args.ours)
        print(report(cells, args.budget))
        if args.plot:
            plot(cells, args.budget, args.plot)


if __name__ == "__main__":
    main()
