"""The model card: what the model is, how good it was measured to be, and what to watch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from automl_agent.delivery.subgroups import group_table
from automl_agent.delivery.words import number
from automl_agent.records import DataProfile, Grade, Member, ServerCheck, Solution, TaskSpec, Verdict


def model_card(task: TaskSpec, profile: DataProfile, members: Sequence[Member], *, metric: str, validation: float,
               solution: Solution | None = None, grade: Grade | None = None, verdict: Verdict | None = None,
               server: ServerCheck | None = None, retrain: ServerCheck | None = None,
               importance: Sequence[Mapping[str, Any]] = (), generated: Sequence[str] = ()) -> str:  # fmt: skip
    """The card as Markdown. Texts of the user and of the data are flattened, so that they cannot shape it."""
    sections = [
        f"# Model card: {_flat(task.target or task.family)}",
        f"> {_flat(task.words)}",
        _about(task, profile),
        _quality(metric, validation, solution, grade, server),
        _subgroups(grade),
        _constraints(verdict),
        _members(members),
        _generated(generated),
        _importance(importance),
        _watch(profile, verdict, grade, retrain),
        _use(task),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _about(task: TaskSpec, profile: DataProfile) -> str:
    lines = [
        f"- Task: {_flat(task.family).replace('_', ' ')}" + (f", target `{_code(task.target)}`" if task.target else ""),
        f"- Data: {profile.rows_train:,} training rows, {profile.columns} columns, `{profile.fingerprint[:16]}`",
        f"- Test: {profile.rows_test:,} rows locked away. {_flat(profile.split)}".rstrip(),
        f"- Folds: {profile.folds}",
    ]
    if task.weight:
        lines.append(
            f"- Weights: each row counts as `{_code(task.weight)}` says, in every fit and score; `train.py` needs this"
            " column, `predict.py` and `serve.py` do not"
        )
    if profile.classes:
        classes = ", ".join(f"`{_code(name)}`" for name in profile.classes[:20])
        lines.append(f"- Classes: {classes}" + (f"; positive: `{_code(profile.positive)}`" if profile.positive else ""))
    return "## What it does\n\n" + "\n".join(lines)


def _quality(metric: str, validation: float, solution: Solution | None, grade: Grade | None,
             server: ServerCheck | None) -> str:  # fmt: skip
    rows = [(f"{metric}, out of fold", number(validation))]
    if grade is not None:
        low, high = grade.interval
        rows += [
            (
                f"{metric}, locked test ({grade.rows:,} rows)",
                f"{number(grade.score)} (95 %: {number(low)} to {number(high)})",
            ),
            (f"{metric}, trivial baseline on the same rows", number(grade.baseline)),
            *((f"{name}, locked test", number(value)) for name, value in grade.others.items() if name != metric),
        ]
        if grade.coverage is not None:
            rows.append(("test targets inside the 90 % interval", f"{grade.coverage:.1%}"))
    else:
        rows.append((f"{metric}, locked test", "not graded"))
    if solution is not None:
        rows += [
            ("one row in process, 95th percentile", f"{solution.latency_ms:.2f} ms"),
            ("size of the fitted model", f"{solution.size_mb:.2f} MB"),
            ("training time of all that ships", f"{solution.train_seconds:.1f} s"),
        ]
    if server is not None and server.http_ms is not None:
        rows.append(("one row over HTTP, median", f"{server.http_ms:.2f} ms"))
    return "## How good it is\n\n" + _table(("measured", "value"), rows)


def _subgroups(grade: Grade | None) -> str:
    """The disaggregated scores that Mitchell et al. (2019) ask of a model card."""
    if grade is None or not grade.subgroups:
        return ""
    parts = ["## How good it is by subgroup of the test rows"]
    for breakdown in grade.subgroups:
        head, rows = group_table(breakdown, grade.metric)
        parts.append(f"### By {_flat(breakdown.column)}\n\n" + _table(head, [tuple(map(_flat, row)) for row in rows]))
    return "\n\n".join(parts)


def _constraints(verdict: Verdict | None) -> str:
    if verdict is None or not verdict.checks:
        return ""
    rows = []
    for check in verdict.checks:
        required = f"{_flat(check.measure)} {_flat(check.comparison)} {_value(check.value)} {check.unit}".rstrip()
        rows.append((required, _value(check.measured), "yes" if check.met else "**no**"))
    return "## Requirements\n\n" + _table(("required", "measured", "met"), rows)


def _members(members: Sequence[Member]) -> str:
    rows = []
    for member in members:
        steps = ", ".join(map(_flat, member.steps)) or "-"
        name = Path(member.candidate).name.removesuffix(".py")  # a file of one's own is known by its path
        rows.append((_flat(name), f"{member.weight:.3f}", str(len(member.folds)), steps, number(member.score)))
    return "## What it is made of\n\n" + _table(("model", "weight", "fold models", "data steps", "score alone"), rows)


def _generated(files: Sequence[str]) -> str:
    """Which code nobody has read yet."""
    if not files:
        return ""
    names = ", ".join(f"`{_code(name)}`" for name in files)
    return (
        f"## Code that a language model wrote\n\nA language model wrote {names}; all other files are the library's. "
        "The library ran this code in a sandbox only, and judged it by out-of-fold scores. "
        "`predict.py`, `serve.py` and `train.py` run it with the rights of whoever starts them: read it first."
    )


def _importance(importance: Sequence[Mapping[str, Any]]) -> str:
    if not importance:
        return ""
    rows = [(_flat(entry["column"]), number(entry["mean"]), number(entry["std"])) for entry in importance[:10]]
    return "## What it looks at (loss of score when a column is shuffled)\n\n" + _table(
        ("column", "mean", "deviation"), rows
    )


def _watch(profile: DataProfile, verdict: Verdict | None, grade: Grade | None, retrain: ServerCheck | None) -> str:
    lines = [_flat(f"{finding.text} {f'({finding.action})' if finding.action else ''}") for finding in profile.findings]
    lines += [_flat(text) for text in (*verdict.reasons, *verdict.warnings)] if verdict else []
    if grade is not None and grade.reads > 1:
        lines.append(f"The locked test of these data was read {grade.reads} times: its score is slightly optimistic.")
    if retrain is not None:
        lines.append(
            f"Training again from this folder: {_flat(retrain.text) or ('agrees' if retrain.ok else 'differs')}."
        )
    lines.append("Predictions hold for rows that come about like the training rows.")
    lines.append("Unseen categories and values out of the training range are predicted, with a warning.")
    return "## What to watch\n\n" + "\n".join(f"- {line}" for line in lines)


def _use(task: TaskSpec) -> str:
    what = f"predictions of {_code(task.target)}" if task.target else "what the model says of each row"
    return f"""## How to use it

```
pip install -r requirements.txt
python predict.py NEW.csv --reasons      # {what}
python serve.py --port 8000              # POST /predict with sample_request.json
python train.py --data FILE --out FOLDER # the same models on new data
python train.py --data FILE --verify     # the same models on the same data: compares
```

The server takes at most 1,000 rows and 1 MB in a request (more where texts or images need it), 100 rows where reasons
are asked for, 8 predictions at once (`--in-flight`) and 256 connections: what is more is answered 413, 422 or 429. The
head of a request and its body must come within 10 s each, an answer be read within 60 s. With `BUNDLE_TOKEN` set, all
but `/healthz` and `/readyz` need it, `/docs`, `/openapi.json` and `/metrics` too."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _value(value: Any) -> str:
    return _flat(number(value))


def _flat(text: str) -> str:
    """One line that opens no table cell, link, tag or heading of its own."""
    text = " ".join(str(text).split())
    for sign in "\\`*|<>[]#":
        text = text.replace(sign, "\\" + sign)
    return text


def _code(text: str) -> str:
    return " ".join(str(text).split()).replace("`", "'").replace("|", "/")
