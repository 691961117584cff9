"""The job that tries a generated module on a sample before it costs a trial."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from automl_agent.tasks.candidate import read_candidate
from automl_agent.tasks.family import Candidate, FoldData, TaskFamily
from automl_agent.tasks.generated.composing import add_features, model_candidate, program_candidate
from automl_agent.tasks.generated.workshop import INSIDE, Workshop, take_json, workshop
from automl_agent.tasks.registry import get_family

PROGRAMS = ("sample.py", "exchange.py", "failing.py")
MOST_TEXTS = 500
LONGEST = 400


def try_module(*, family: str, data: str, source: str, kind: str, metric: str, names: Mapping[str, str] | None = None,
               rows: int = 300, seconds: float = 30.0, seed: int = 0, sandbox: str = "auto"
               ) -> dict[str, Any]:  # fmt: skip
    """Fit a module on some rows of the first fold and look at what it gives for others, in the sandbox.

    Args:
        data: the data folder.
        kind: `features`, `model` or `program`.
        names: stand-in name of a column, as the module knows it, -> its name.
        rows: training rows, and rows that it is asked for, at most.
        seconds: after which the run is ended.

    Returns:
        `ok`; `error`, with the places in the code, without paths of this machine; `columns` that it adds; `findings`,
        odd but not wrong; `uses`: the columns that its output changes with.
    """
    known_family = get_family(family)
    part = known_family.fold(Path(data), 0, rows=rows, seed=seed)
    task = known_family.describe(Path(data), metric)
    with workshop() as shop:
        candidate = _composed(source, kind, shop.inputs.parent / "written", known_family, names)
        _fill(shop, candidate, part, {"kind": kind, "task": task, "seed": seed, "seconds": seconds / 3})
        result = shop.run("sample.py", sandbox=sandbox, seconds=seconds)
        if result.status != "ok":
            return _answer(error=shop.failure(result, seconds)["trace"])
        told = take_json(shop.work / "sample.json")
    if told is None:
        return _answer(error="the module ended the program before it was done")
    shown = _shown(names)
    return _answer(
        ok=True, columns=_texts(told, "columns"), findings=_texts(told, "findings"), uses=_texts(told, "uses", shown)
    )


def _composed(source: str, kind: str, folder: Path, family: TaskFamily, names: Mapping[str, str] | None) -> Candidate:
    """The candidate that the module would be; features stand on the trivial baseline, which costs nothing."""
    if kind == "features":
        path = add_features(family.candidates()[family.baseline], source, folder, family, names)
    elif kind == "model":
        path = model_candidate(source, folder, family, kind, names)
    else:
        path = program_candidate(source, folder, family, kind, names)
    return read_candidate(path, family.shared)


def _fill(shop: Workshop, candidate: Candidate, part: FoldData, job: dict[str, Any]) -> None:
    import numpy as np

    from automl_agent.tasks.generated.inside.exchange import write_frame

    shop.give(candidate.path, *candidate.shared, *(INSIDE / name for name in PROGRAMS))
    write_frame(part.train, shop.inputs / "train.parquet")
    write_frame(part.valid, shop.inputs / "valid.parquet")
    np.save(shop.inputs / "target.npy", part.target, allow_pickle=False)
    job |= {"candidate": candidate.path.stem, "params": candidate.portfolio[0]}
    (shop.inputs / "job.json").write_text(json.dumps(job, ensure_ascii=False), encoding="utf-8")


def _shown(names: Mapping[str, str] | None) -> Callable[[str], str]:
    """The name that the module's author knows a column by."""
    stand_ins = {name: stand_in for stand_in, name in (names or {}).items()}
    return lambda name: stand_ins.get(name, name)


def _texts(told: Mapping[str, Any], key: str, shown: Callable[[str], str] = str) -> list[str]:
    """A list of texts out of the sandbox, of bounded length."""
    found = told.get(key)
    return [shown(str(text)[:LONGEST]) for text in found[:MOST_TEXTS]] if isinstance(found, list) else []


def _answer(*, ok: bool = False, error: str = "", columns: list[str] | None = None, findings: list[str] | None = None,
            uses: list[str] | None = None) -> dict[str, Any]:  # fmt: skip
    return {"ok": ok, "error": error, "columns": columns or [], "findings": findings or [], "uses": uses or []}
