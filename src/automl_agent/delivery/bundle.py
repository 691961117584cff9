"""Builds the folder that a user takes away: plain files of `runtime/`, the family's shared files and the candidates.

A bundle comes about in steps: `write_bundle` lays out the files, the job `automl_agent.delivery.jobs:finish_bundle`
adds known predictions and the manifest (from then on it can be served), `finalise` adds the grade, `publish` puts it in
place.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from automl_agent.delivery.card import model_card
from automl_agent.delivery.publish import publish
from automl_agent.delivery.requirements import dockerfile, requirements
from automl_agent.execution.home import write_durably
from automl_agent.records import DataProfile, Grade, Member, ServerCheck, Solution, TaskSpec, Verdict
from automl_agent.tasks.candidate import travelling
from automl_agent.tasks.family import Candidate, MetricSpec, TaskFamily, shared_file

__all__ = ["RUNTIME", "BundleContent", "MemberFiles", "copy_bundle", "finalise", "publish", "size_mb", "write_bundle"]

RUNTIME = Path(__file__).parent / "runtime"
MEASURES = Path(__file__).parents[1] / "tasks" / "measures.py"
"""The formulas that the library scores with; `train.py` scores with the same."""


@dataclass(frozen=True)
class MemberFiles:
    """A member of the ensemble with the files of its trial."""

    member: Member
    candidate: Candidate
    folds: Mapping[int, Path]
    """Fold number -> the trial's fold folder (`oof.npy`, `valid.npy`, `model/`)."""
    shipped: Mapping[int, Path]
    """The same of the models that ship: of folds, or of the number after the last one, a model of all rows."""
    fit_seconds: float
    """Of all folds; tells which member is cheapest to train again."""


@dataclass(frozen=True)
class BundleContent:
    """All that a bundle is made of."""

    run_id: str
    family: TaskFamily
    task: TaskSpec
    profile: DataProfile
    metric: MetricSpec
    members: tuple[MemberFiles, ...]
    temperature: float
    threshold: float | tuple[float, ...] | None
    score: float
    """Out-of-fold score of the ensemble."""
    spread: Any
    """What prediction intervals are made of (`TaskFamily.spread`)."""
    data: Path
    """The data folder."""
    seed: int


def write_bundle(folder: Path, content: BundleContent) -> None:
    """Lay out a bundle in `folder` (emptied first); `finish_bundle` must follow before it can be loaded.

    Model files are hard links to the trials' where the file system allows it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "candidates").mkdir(parents=True)
    schema = json.loads((content.data / "schema.json").read_text(encoding="utf-8"))
    names = _copy_code(folder, content)
    if content.family.files:
        (folder / "files").mkdir()
    for name in content.family.files:
        _link(str(content.data / name), str(folder / "files" / name))
    for index, files in enumerate(content.members):
        for fold, trial in files.shipped.items():
            shutil.copytree(trial / "model", folder / "model" / f"m{index}" / f"fold{fold}", copy_function=_link)
        for fold in sorted(files.folds.keys() - files.shipped.keys()):
            _copy_params(files.folds[fold], folder / "model" / f"m{index}" / f"fold{fold}")
    _write_oof(folder, content)
    seal = runtime_module("seal")
    seal.write_json(folder / "schema.json", schema)
    seal.write_json(folder / "model" / "solution.json", _solution(content, schema, names))
    written = generated_files(content)
    metrics = {"metric": content.metric.name, "validation": content.score, "test": None, "generated": written}
    seal.write_json(folder / "metrics.json", metrics)
    packages = requirements(folder)
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in packages), encoding="utf-8")
    (folder / "Dockerfile").write_text(dockerfile(packages), encoding="utf-8")
    members = [files.member for files in content.members]
    card = model_card(content.task, content.profile, members, metric=content.metric.name, validation=content.score,
                      generated=written)  # fmt: skip
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def copy_bundle(folder: Path, target: Path) -> None:
    """Another bundle of the same files, as hard links where the file system allows it: `finalise` replaces its own."""
    shutil.copytree(folder, target, copy_function=_link, ignore=shutil.ignore_patterns("__pycache__"))


def finalise(folder: Path, *, task: TaskSpec, profile: DataProfile, solution: Solution, grade: Grade | None,
             verdict: Verdict | None = None, server: ServerCheck | None = None, retrain: ServerCheck | None = None,
             importance: Iterable[Mapping[str, Any]] = ()) -> None:  # fmt: skip
    """Write what is known at the end (metrics.json, MODEL_CARD.md) and renew the hashes of these two files."""
    seal = runtime_module("seal")
    ranked = [dict(entry) for entry in importance]
    written = json.loads((folder / "model" / "solution.json").read_text(encoding="utf-8")).get("generated", [])
    metrics = _metrics(task, solution, grade, verdict, server)
    seal.write_json(folder / "metrics.json", metrics | {"importance": ranked, "generated": written})
    card = model_card(task, profile, solution.members, metric=solution.metric, validation=solution.score,
                      solution=solution, grade=grade, verdict=verdict, server=server, retrain=retrain,
                      importance=ranked, generated=written)  # fmt: skip
    write_durably(folder / "MODEL_CARD.md", card)
    seal.rehash(folder, ["metrics.json", "MODEL_CARD.md"])


def generated_files(content: BundleContent) -> list[str]:
    """Names of the files in the bundle that a language model wrote."""
    return sorted({path.name for files in content.members for path in files.candidate.modules})


def size_mb(folder: Path) -> float:
    """Size of all files of a folder in MB (10^6 bytes)."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@cache
def runtime_module(name: str) -> ModuleType:
    """One of the files of `runtime/`, for our own use; only for those that import the standard library alone."""
    spec = importlib.util.spec_from_file_location(f"automl_agent.delivery.runtime.{name}", RUNTIME / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _copy_code(folder: Path, content: BundleContent) -> list[str]:
    """Copy the runtime, the family's shared files and the candidates; returns each member's candidate name.

    Two different candidates may bear the same name (one of them a user's own file): the later one is renamed.
    """
    shared = {path for files in content.members for path in files.candidate.shared}
    reader = shared_file(content.family, content.family.reader)
    shared |= {reader, *travelling(reader, content.family.shared)}
    for path in [*sorted(shared), MEASURES, *sorted(RUNTIME.glob("*.py"))]:
        shutil.copyfile(path, folder / path.name)
    names = []
    for index, files in enumerate(content.members):
        source = files.candidate.path.read_bytes()
        target = folder / "candidates" / f"{files.candidate.name}.py"
        if target.exists() and target.read_bytes() != source:
            target = target.with_stem(f"{files.candidate.name}_m{index}")
        target.write_bytes(source)
        names.append(target.stem)
    return names


def _write_oof(folder: Path, content: BundleContent) -> None:
    """Put the folds' predictions together, one row for each training row; NaN where there is none."""
    import numpy as np

    (folder / "oof").mkdir()
    for name in ("folds.npy", "rows.npy"):
        shutil.copyfile(content.data / name, folder / "oof" / name)
    rows = len(np.load(content.data / "folds.npy", allow_pickle=False))
    for index, files in enumerate(content.members):
        parts = [
            (np.load(trial / "valid.npy", allow_pickle=False), np.load(trial / "oof.npy", allow_pickle=False))
            for trial in files.folds.values()
        ]
        whole = np.full((rows, *parts[0][1].shape[1:]), np.nan)
        for valid, prediction in parts:
            whole[valid] = prediction
        np.save(folder / "oof" / f"m{index}.npy", whole)


def _solution(content: BundleContent, schema: dict[str, Any], names: list[str]) -> dict[str, Any]:
    import numpy as np

    members = [
        {
            "id": f"m{index}",
            "candidate": name,
            "params": files.member.params,
            "steps": list(files.member.steps),
            "weight": files.member.weight,
            "folds": sorted(files.shipped),
            "validated": sorted(files.folds),
            "fit_seconds": files.fit_seconds,
        }
        for index, (name, files) in enumerate(zip(names, content.members, strict=True))
    ]
    return {
        "run_id": content.run_id,
        "family": content.family.name,
        "kind": schema["kind"],
        "metric": content.metric.name,
        "higher_is_better": content.metric.higher_is_better,
        "classes": _classes(content, schema),
        "task": _told(content),
        "positive": schema.get("positive"),
        "temperature": content.temperature,
        "threshold": content.threshold,
        "reader": content.family.reader,
        "files": list(content.family.files),
        "spread": content.spread,
        "seed": content.seed,
        "rows": _labelled_rows(content),
        "folds": int(np.load(content.data / "folds.npy", allow_pickle=False).max()) + 1,
        "members": members,
        "generated": generated_files(content),
    }


_NO_LABELLED_ROWS = ("missing_target", "rare_class", "unseen_class", "constant", "id", "empty", "leak", "target_copy")
"""What is dropped are columns, or rows that have no target of a known class."""


def _labelled_rows(content: BundleContent) -> int:
    """Rows with a target that the table holds, as far as is known: those of the training, those of the locked test
    where that is not a file of its own, and those that were dropped."""
    import numpy as np

    rows, test = (np.load(content.data / name, allow_pickle=False) for name in ("rows.npy", "test_rows.npy"))
    own_file = bool(np.isin(test, rows).any())
    return (
        len(rows)
        + (0 if own_file else len(test))
        + sum(
            finding.count
            for finding in content.profile.findings
            if finding.action == "dropped" and finding.kind not in _NO_LABELLED_ROWS
        )
    )


def _told(content: BundleContent) -> dict[str, Any]:
    """What candidates were told of the task, but for places of this machine."""
    told = content.family.describe(content.data, content.metric.name)
    return {name: value for name, value in told.items() if name != "files"}


def _classes(content: BundleContent, schema: dict[str, Any]) -> list[str]:
    """The labels of predictions with several columns; clusters have numbers."""
    import numpy as np

    if schema["kind"] != "clustering":
        return schema.get("classes") or []
    trial = next(iter(content.members[0].shipped.values()))
    return [str(number + 1) for number in range(np.load(trial / "oof.npy", allow_pickle=False).shape[1])]


def _metrics(task: TaskSpec, solution: Solution, grade: Grade | None, verdict: Verdict | None,
             server: ServerCheck | None) -> dict[str, Any]:  # fmt: skip
    return {
        "metric": solution.metric,
        "higher_is_better": task.higher_is_better,
        "validation": solution.score,
        "test": grade.score if grade else None,
        "interval": list(grade.interval) if grade else None,
        "baseline": grade.baseline if grade else None,
        "others": grade.others if grade else {},
        "coverage": grade.coverage if grade else None,
        "subgroups": [breakdown.model_dump(mode="json") for breakdown in grade.subgroups] if grade else [],
        "test_rows": grade.rows if grade else 0,
        "test_reads": grade.reads if grade else 0,
        "latency_ms": solution.latency_ms,
        "http_ms": server.http_ms if server else None,
        "size_mb": solution.size_mb,
        "train_seconds": solution.train_seconds,
        "memory_mb": solution.memory_mb,
        "constraints": [check.model_dump(mode="json") for check in verdict.checks] if verdict else [],
    }


def _copy_params(trial: Path, target: Path) -> None:
    """What it takes to fit a fold's model in the same way again, where the model itself does not ship."""
    if (trial / "model" / "params.json").is_file():
        target.mkdir(parents=True)
        shutil.copyfile(trial / "model" / "params.json", target / "params.json")


def _link(source: str, target: str) -> None:
    """A hard link, or a copy across file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
