"""Realistic contents of a report, made by hand from tables that ship with scikit-learn.

Scores are measured with quick scikit-learn models; times, sizes and costs are plausible constants. `hostile` names are
put where a user's data would put them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_agent.delivery.report import ReportContent
from automl_agent.records import (
    Bundle,
    CandidateChoice,
    CodeModule,
    Constraint,
    ConstraintCheck,
    DataProfile,
    DataRecipe,
    Evidence,
    Fidelity,
    Finding,
    Grade,
    Inference,
    Measurement,
    Member,
    ModelCall,
    Note,
    Plan,
    ServerCheck,
    Shortlist,
    Solution,
    TaskResult,
    TaskSpec,
    Trial,
    User,
    Verdict,
)
from automl_agent.tasks.family import MetricSpec

HOSTILE = '<script>alert("x")</script>'

ACCURACY = MetricSpec("accuracy", "Accuracy", True, needs="labels", low=0.0, high=1.0)
RMSE = MetricSpec("rmse", "RMSE", False, low=0.0)


def classification(folder: Path, *, multiclass: bool = False, required: float = 0.93) -> ReportContent:
    """Breast cancer (two classes) or wine (three). A `required` accuracy out of reach gives the missed variant."""
    table = load_wine() if multiclass else load_breast_cancer()
    classes = ("barolo", "grignolino", "barbera") if multiclass else ("benign", "malignant")
    codes = table.target if multiclass else 1 - table.target
    names = [str(name) for name in table.feature_names]
    x, test_x, y, test_y = train_test_split(table.data, codes, test_size=0.2, random_state=0, stratify=codes)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x, y)
    scores = model.predict_proba(test_x)
    answers = scores.argmax(axis=1)
    measured = float(accuracy_score(test_y, answers))
    baseline = float(np.bincount(test_y).max() / len(test_y))
    others = {"f1_macro": float(f1_score(test_y, answers, average="macro"))}
    if not multiclass:
        others |= {
            "roc_auc": float(roc_auc_score(test_y, scores[:, 1])),
            "average_precision": float(average_precision_score(test_y, scores[:, 1])),
        }
    curve = _curve(lambda rows: accuracy_score(y, _cross(LogisticRegression(max_iter=500), x, y, rows)), len(y))
    forest = ExtraTreesClassifier(20, random_state=0)
    rungs = [curve[0]["score"], curve[-1]["score"], float(accuracy_score(y, _cross(forest, x, y, len(y))))]
    return _content(
        folder, names, x, y, test_y, scores, classes, "diagnosis" if not multiclass else "cultivar", ACCURACY,
        measured, baseline, others, curve, rungs, _importance(model, test_x, test_y, names, "accuracy"),
        Constraint(measure="accuracy", comparison=">=", value=required, words=f"accuracy at least {required}"),
    )  # fmt: skip


def regression(folder: Path, *, required: float = 60.0) -> ReportContent:
    table = load_diabetes(scaled=False)
    names = [str(name) for name in table.feature_names]
    x, test_x, y, test_y = train_test_split(table.data, table.target, test_size=0.2, random_state=0)
    model = make_pipeline(StandardScaler(), Ridge()).fit(x, y)
    scores = model.predict(test_x)
    others = {"r2": float(r2_score(test_y, scores)), "mae": float(mean_absolute_error(test_y, scores))}
    curve = _curve(lambda rows: root_mean_squared_error(y, _cross(Ridge(), x, y, rows)), len(y))
    forest = float(root_mean_squared_error(y, _cross(ExtraTreesRegressor(20, random_state=0), x, y, len(y))))
    return _content(
        folder, names, x, y, test_y, scores, (), "progression", RMSE,
        float(root_mean_squared_error(test_y, scores)), float(np.std(test_y)), others, curve,
        [curve[0]["score"], curve[-1]["score"], forest],
        _importance(model, test_x, test_y, names, "neg_root_mean_squared_error"),
        Constraint(measure="rmse", comparison="<=", value=required, words=f"RMSE at most {required:g}"),
    )  # fmt: skip


def missed(content: ReportContent) -> ReportContent:
    """The same run, with two revisions that did not help."""
    check = content.verdict.checks[0]
    evidence = tuple(
        Evidence(
            revision=number,
            failed=(f"{content.metric.title} {check.measured:.4g} on validation, {check.value:g} was asked for",),
            best=float(check.measured),
            tried=(f"lightgbm {check.measured:.4f}", "extra_trees with interactions 0.9512"),
            ideas=("larger forests", "interactions of the strongest columns"),
        )
        for number in (1, 2)
    )
    plan = content.plans[0].model_copy(
        update={"id": "r1", "title": "Interactions of strong columns", "revision": 1, "notes": ()}
    )
    again = tuple(
        trial.model_copy(update={"id": f"r{trial.id}", "plan": "r1", "revision": 1, "origin": "revision"})
        for trial in content.trials[:3]
    )
    return replace(
        content, evidence=evidence, revisions=2, plans=(*content.plans, plan), trials=(*content.trials, *again)
    )


GENERATED = "/home/someone/.automl-agent/artifacts/r/network-p3/module.py"
"""A candidate that a language model wrote, as trials name it."""
_SOURCE = '''"""Ratios of measurements that grow with the nucleus."""

import pandas as pd


class Features:
    def fit(self, frame: pd.DataFrame, target=None) -> "Features":
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        ratio = frame["mean area"] / frame["mean perimeter"].where(frame["mean perimeter"] > 0)
        return frame.assign(area_per_perimeter=ratio, concave_share=frame["mean concave points"] / frame["mean radius"])
'''


def with_model(content: ReportContent) -> ReportContent:
    """The same run with language-model agents: plans, code that was kept, dropped and given up, calls, a summary."""
    trials = tuple(
        trial.model_copy(update={"candidate": GENERATED}) if trial.id in ("t5", "t8") else trial
        for trial in content.trials
    )
    strongest, other = content.solution.members
    own = Member(trial="t8", candidate=GENERATED, plan="p3", weight=0.2, folds=(0, 1, 2), score=strongest.score)
    members = (strongest.model_copy(update={"weight": 0.5}), other, own)
    ideas = {
        "by": "model",
        "features": ("ratios of area and perimeter", "the share of concave points in the radius"),
        "architecture": "a small network on standardised columns",
        "differs": "New columns instead of a stronger model.",
    }
    plans = (content.plans[0].model_copy(update=ideas), *content.plans[1:])
    results = (
        TaskResult(plan="p1", role="data", output=DataRecipe(steps=(), features="r/ratios-p1"), modules=_code()[:1]),
        *content.results,
    )
    inferences = (
        *content.task.inferences,
        Inference(field="group", value="none", reason="no column repeats", sure=False),
    )
    return replace(
        content,
        task=content.task.model_copy(update={"inferences": inferences}),
        plans=plans, results=results, trials=trials,
        solution=content.solution.model_copy(update={"members": members}),
        calls=_calls(), limits={"max_cost": 0.5, "max_calls": 40}, code=_code(),
        sources={"r/ratios-p1": _SOURCE, "r/bins-p2": ""},
        sandbox="namespaces of its own, no network, no files but its inputs (tier full)",
        summary="The model tells malignant from benign tumours.\n\nIt missed 2 of 42; more malignant cases would help.",
        summary_by="model",
    )  # fmt: skip


def _code() -> tuple[CodeModule, ...]:
    return (
        CodeModule(id="r/ratios-p1", kind="features", plan="p1", title="Ratios of area and perimeter", status="kept",
                   versions=2, score_without=0.9516, score_with=0.9604, by="gpt-5",
                   ablation={"area_per_perimeter": 0.0071, "concave_share": 0.0013, "mean_texture_rank": -0.0004},
                   findings=("No column of the target is read.",)),
        CodeModule(id="r/bins-p2", kind="features", plan="p2", title="Bins of texture", status="dropped",
                   reason="The score did not improve.", score_without=0.9582, score_with=0.9571, by="gpt-5"),
        CodeModule(id="r/network-p3", kind="model", plan="p3", title="Small network", status="kept", score_with=0.9604,
                   by="gpt-5"),
        CodeModule(id="r/codes-p2", kind="features", plan="p2", title="Codes of hospitals", status="failed", versions=5,
                   reason="ValueError: shapes (120, 30) and (12,) not aligned", by="gpt-5"),
    )  # fmt: skip


def _calls() -> tuple[ModelCall, ...]:
    def call(role: str, outcome: str = "ok", **fields: Any) -> ModelCall:
        known = {"seconds": 3.1, "input_tokens": 2400, "output_tokens": 310, "usd": 0.0061} | fields
        return ModelCall(role=role, model="gpt-5", outcome=outcome, **known)

    return (
        call("prompt"),
        call("planner", "schema"),
        call("planner"),
        call("coder", seconds=11.4, output_tokens=1200, usd=0.015),
        call("coder", "rate_limited", seconds=0.4, input_tokens=0, output_tokens=0, usd=0.0),
        call("coder", "truncated", output_tokens=4096, usd=None, estimated=True),
        call("report", cached=True, usd=0.0, seconds=0.0),
    )


def hostile(content: ReportContent) -> ReportContent:
    """Every text that a user, a file, a note or a plug-in can bring is a script."""
    finding = Finding(kind="leak", columns=(HOSTILE,), count=3, text=f"{HOSTILE} predicts the target", action=HOSTILE)
    facts = json.loads((content.data / "columns.json").read_text())
    facts[0]["name"] = HOSTILE
    facts.append({"name": HOSTILE + "$x_{1$", "kind": "category", "missing": 2, "distinct": 2, "relation": 9.0,
                  "top": [[HOSTILE, 30], ["病院 \x00\u202e", 4]]})  # fmt: skip
    (content.data / "columns.json").write_text(json.dumps(facts))
    return replace(
        content,
        run_id=HOSTILE,
        task=content.task.model_copy(
            update={
                "words": HOSTILE,
                "user": User(language='x" onclick="alert(1)'),
                "target": HOSTILE,
                "inferences": (Inference(field=HOSTILE, value=HOSTILE, reason=HOSTILE),),
            }
        ),
        profile=content.profile.model_copy(
            update={
                "findings": (finding,),
                "classes": tuple(HOSTILE + name for name in content.classes),
                "split": HOSTILE,
            }
        ),
        plans=tuple(
            plan.model_copy(update={"title": HOSTILE, "hypothesis": HOSTILE, "differs": HOSTILE})
            for plan in content.plans
        ),
        notes=tuple(
            note.model_copy(update={"title": HOSTILE, "source": "javascript:alert(1)"}) for note in content.notes
        ),
        results=tuple(result.model_copy(update={"summary": HOSTILE, "error": HOSTILE}) for result in content.results),
        trials=tuple(trial.model_copy(update={"error": HOSTILE, "origin": HOSTILE}) for trial in content.trials),
        evidence=(
            Evidence(revision=1, failed=(HOSTILE,), best=None, tried=(HOSTILE,), ideas=(HOSTILE,), reasons=(HOSTILE,)),
        ),
        calls=tuple(call.model_copy(update={"role": HOSTILE, "model": HOSTILE}) for call in content.calls),
        code=tuple(
            module.model_copy(
                update={"title": HOSTILE, "reason": HOSTILE, "findings": (HOSTILE,), "by": HOSTILE}
                | {"ablation": {HOSTILE: 0.1}}
            )
            for module in content.code
        ),
        sources=dict.fromkeys(content.sources, f"</pre>{HOSTILE}# \u202e\x1b[2J"),
        sandbox=HOSTILE,
        summary=HOSTILE,
        importance=({"column": HOSTILE, "mean": 0.1, "std": 0.01},),
        warnings=(HOSTILE,),
        versions={HOSTILE: HOSTILE},
        bundle=content.bundle.model_copy(update={"path": "/tmp/a b/" + HOSTILE}),
    )


def _cross(estimator: Any, x: Any, y: Any, rows: int) -> Any:
    """Out-of-fold predictions over three folds, each trained on at most so many rows."""
    fold = np.arange(len(y)) % 3
    out = np.empty(len(y))
    for index in range(3):
        train = np.flatnonzero(fold != index)[:rows]
        model = make_pipeline(StandardScaler(), estimator).fit(x[train], y[train])
        out[fold == index] = model.predict(x[fold == index])
    return out


def _curve(score: Any, rows: int) -> tuple[dict[str, Any], ...]:
    sizes = [int(rows * share) for share in (0.08, 0.17, 0.33, 0.66)]
    return tuple({"rows": size, "score": float(score(size))} for size in sizes)


def _importance(model: Any, x: Any, y: Any, names: list[str], scoring: str) -> tuple[dict[str, Any], ...]:
    drop = permutation_importance(model, x, y, n_repeats=4, random_state=0, scoring=scoring)
    return tuple(
        {"column": name, "mean": float(mean), "std": float(std)}
        for name, mean, std in zip(names, drop.importances_mean, drop.importances_std, strict=True)
    )


def _columns(x: Any, y: Any, names: list[str]) -> list[dict[str, Any]]:
    """`columns.json` of the data folder."""
    facts = []
    for index, name in enumerate(names):
        values = x[:, index]
        counts, edges = np.histogram(values, bins=16)
        facts.append({
            "name": name, "kind": "number", "missing": 7 if index == 3 else 0, "distinct": len(set(values)),
            "mean": float(values.mean()), "std": float(values.std()),
            "quantiles": [float(part) for part in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])],
            "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
            "relation": float(abs(np.corrcoef(values, y)[0, 1])),
        })  # fmt: skip
    facts.append({
        "name": "hospital", "kind": "category", "missing": 31, "distinct": 3, "relation": 0.34,
        "top": [["north", 210], ["south", 140], ["west", 74]],
    })  # fmt: skip
    return facts


def _content(
    folder: Path, names: list[str], x: Any, y: Any, test_y: Any, scores: Any, classes: tuple[str, ...], target: str,
    metric: MetricSpec, measured: float, baseline: float, others: dict[str, float], curve: tuple[dict[str, Any], ...],
    rungs: list[float], importance: tuple[dict[str, Any], ...], constraint: Constraint,
) -> ReportContent:  # fmt: skip
    data, graded = folder / "data", folder / "grade"
    data.mkdir(parents=True, exist_ok=True)
    graded.mkdir(exist_ok=True)
    (data / "columns.json").write_text(json.dumps(_columns(x, y, names)))
    np.save(data / "target.npy", y)
    np.save(graded / "truth.npy", test_y)
    np.save(graded / "scores.npy", scores)
    validation = curve[-1]["score"]
    width = 0.03 if classes else 6.0
    latency = Constraint(measure="latency_ms", comparison="<=", value=20.0, unit="ms", words="answers within 20 ms")
    final = _verdict("grade", constraint, measured)
    return ReportContent(
        run_id="20250114-101502-7f3a",
        task=_task(target, classes, metric, (constraint, latency)),
        profile=_profile(classes, len(y), len(test_y), len(names)),
        data=data,
        metric=metric,
        notes=_NOTES,
        plans=_PLANS,
        results=_results(validation),
        trials=_trials(rungs, metric),
        plan_verdicts={plan.id: Verdict(subject=plan.id, passed=True, reasons=("better than the baseline",))
                       for plan in _PLANS},
        solution=_solution(metric, validation),
        verdict=_verdict("solution", constraint, validation),
        final_verdict=final,
        grade=Grade(
            metric=metric.name, score=measured,
            interval=(measured - width, min(measured + width, 1.0 if classes else 1e9)),
            baseline=baseline, others=others, rows=len(test_y), coverage=None if classes else 0.876,
        ),
        grade_folder=graded,
        bundle=Bundle(
            path="automl-runs/demo run/bundle",
            files=("train.py", "predict.py", "serve.py", "model/solution.json"),
            size_mb=1.84,
            server=ServerCheck(ok=True, seconds=2.1, http_ms=4.2, text="answers agree with the Python predictions"),
            retrain=ServerCheck(ok=True, seconds=0.8, text="one member and fold trained again: largest difference 0"),
        ),
        importance=importance,
        learning_curve=curve,
        progress=_progress(rungs, metric),
        seconds={"parse_request": 0.08, "acquire_data": 0.9, "baseline": 1.2, "retrieve_knowledge": 0.3,
                 "make_plans": 0.02, "agents": 6.4, "try_plan": 5.1, "implement": 28.7, "verify_solution": 1.1,
                 "grade": 0.2, "deliver": 4.0, "total": 51.3},
        cost={"usd": 0.0, "calls": 0, "input_tokens": 0, "output_tokens": 0},
        warnings=("2 of 14 trials failed; they are listed with their errors.",),
        versions={"automl_agent": "0.1.0", "python": "3.11.9", "scikit-learn": "1.6.1", "lightgbm": "4.5.0"},
    )  # fmt: skip


def _progress(scores: list[float], metric: MetricSpec) -> tuple[dict[str, Any], ...]:
    pick = max if metric.higher_is_better else min
    start = scores[0] * (0.96 if metric.higher_is_better else 1.1)
    best = [start, *(pick(scores[: index + 1]) for index in range(len(scores)))]
    return tuple({"seconds": at, "score": score} for at, score in zip((2.2, 4.1, 11.0, 23.5), best, strict=True))


def _task(target: str, classes: tuple[str, ...], metric: MetricSpec, constraints: tuple[Constraint, ...]) -> TaskSpec:
    kind = "classification" if classes else "regression"
    inferences = [
        Inference(
            field="family",
            value=f"tabular_{kind}",
            reason=f"the target is a column of {'labels' * bool(classes) or 'numbers'}",
        ),
        Inference(field="target", value=target, reason=f"the request's words name the column '{target}'"),
        Inference(field="metric", value=metric.name, reason="named in the request", by="user"),
    ]
    if len(classes) == 2:
        inferences.append(
            Inference(field="positive", value=classes[1], reason="named in the request, and the rarer class")
        )
    return TaskSpec(
        words=f"Predict {target}. {constraints[0].words.capitalize()}, answers within 20 ms.",
        family=f"tabular_{kind}", target=target, metric=metric.name, higher_is_better=metric.higher_is_better,
        positive=classes[1] if len(classes) == 2 else None, constraints=constraints,
        deliverables=("report", "confusion_matrix"), inferences=tuple(inferences),
    )  # fmt: skip


def _profile(classes: tuple[str, ...], rows: int, test_rows: int, columns: int) -> DataProfile:
    return DataProfile(
        family="tabular", fingerprint="9c1e44d0", data="data", rows_train=rows, rows_test=test_rows,
        columns=columns + 1, kinds={"number": columns, "category": 1}, classes=classes,
        positive=classes[1] if len(classes) == 2 else None,
        target={"rarest_share": 0.372} if classes else {"skewness": 0.44, "minimum": 25.0, "maximum": 346.0},
        meta={"rows": float(rows), "columns": float(columns), "missing_share": 0.004},
        findings=(
            Finding(kind="id", columns=("patient_no",), count=rows, text="Every value is different.", action="dropped"),
            Finding(kind="duplicates", count=4, text="4 rows occur twice.", action="kept on one side of the split"),
        ),
        split="20 % of the rows, stratified by class, chosen by the fingerprint of the data", folds=5,
    )  # fmt: skip


_NOTES = (
    Note(id="small-tables", title="On small tables, regularised linear models keep up with trees", kind="practice",
         source="https://example.org/small-tables", families=("tabular_classification",), models=("linear",)),
    Note(id="extra-trees", title="Extremely randomised trees as a robust partner in ensembles", kind="paper",
         source="Geurts et al., 2006", families=("tabular_classification",), models=("extra_trees",)),
)  # fmt: skip

_PLANS = (
    Plan(id="p1", title="Boosted trees on raw columns",
         hypothesis="Thresholds on single columns carry most of the signal.",
         steps=(), models=("lightgbm", "hist_gradient_boosting"), notes=("extra-trees",)),
    Plan(id="p2", title="Scaled columns into linear models", hypothesis="The classes are nearly separable by a plane.",
         steps=("quantile_scale", "clip_outliers"), models=("linear",), emphasis="speed", notes=("small-tables",),
         differs="No trees; monotone transforms of the columns instead."),
    Plan(id="p3", title="Forests with interactions", hypothesis="Products of related measurements are more stable.",
         steps=("interactions",), models=("extra_trees",), emphasis="robustness"),
)  # fmt: skip


def _results(score: float) -> tuple[TaskResult, ...]:
    return (
        TaskResult(plan="p2", role="data", output=DataRecipe(steps=("quantile_scale",), rejected=("clip_outliers",)),
                   measurements=(Measurement(what="score without steps", value=score - 0.004),
                                 Measurement(what="score with quantile_scale", value=score)),
                   summary="quantile_scale helps, clip_outliers does not", seconds=1.4),
        TaskResult(plan="p1", role="model", output=Shortlist(choices=(CandidateChoice(candidate="lightgbm"),),
                                                             rejected={"hist_gradient_boosting": "slower, no better"}),
                   measurements=(Measurement(what="lightgbm", value=score - 0.006),), seconds=2.2),
        TaskResult(plan="p3", role="data", error="the worker ran out of memory", seconds=0.4),
    )  # fmt: skip


def _trials(rungs: list[float], metric: MetricSpec) -> tuple[Trial, ...]:
    low, full, forest = rungs
    unit = abs(full) / 400 * (1 if metric.higher_is_better else -1)
    trials = []
    for index in range(12):
        plan = ("p1", "p2", "p3")[index % 3]
        level = (Fidelity(rows=120, folds=2), Fidelity(rows=0, folds=2), Fidelity(rows=0, folds=5))[index // 4]
        start = (low, (full + forest) / 2, full if plan == "p2" else forest)[index // 4]
        score = start - unit * ((index * 5) % 7 - 3)
        trials.append(Trial(
            id=f"t{index}", plan=plan, candidate={"p1": "lightgbm", "p2": "linear", "p3": "extra_trees"}[plan],
            params={"learning_rate": 0.05, "num_leaves": 15 + index} if plan == "p1" else {"C": 0.3},
            steps=("quantile_scale",) if plan == "p2" else (), fidelity=level, score=score,
            fold_scores=(score - 3 * unit, score + 3 * unit), fit_seconds=0.4 + 0.3 * index,
            latency_ms={"p1": 1.3, "p2": 0.4, "p3": 9.6}[plan], size_mb={"p1": 0.3, "p2": 0.01, "p3": 4.2}[plan],
            memory_mb=180, origin="try_plan" if index < 8 else "tuning",
        ))  # fmt: skip
    failed = Trial(id="t12", plan="p3", candidate="extra_trees", fidelity=Fidelity(rows=0, folds=5), error="timeout")
    return (*trials, failed, failed.model_copy(update={"id": "t13", "error": "memory"}))


def _solution(metric: MetricSpec, score: float) -> Solution:
    return Solution(
        id="s1", metric=metric.name, score=score,
        members=(
            Member(trial="t10", candidate="linear", plan="p2", params={"C": 0.3}, steps=("quantile_scale",), weight=0.7,
                   folds=(0, 1, 2, 3, 4), score=score, latency_ms=0.4),
            Member(trial="t9", candidate="lightgbm", plan="p1", params={"num_leaves": 24}, weight=0.3,
                   folds=(0, 1, 2, 3, 4), score=score, latency_ms=1.3),
        ),
        latency_ms=2.31, size_mb=1.62, train_seconds=7.9, memory_mb=212, folder="bundle", trials_run=14,
    )  # fmt: skip


def _verdict(subject: str, constraint: Constraint, measured: float) -> Verdict:
    value = float(constraint.value)  # type: ignore[arg-type]
    met = measured >= value if constraint.comparison == ">=" else measured <= value
    checks = (
        ConstraintCheck(measure=constraint.measure, comparison=constraint.comparison, value=value, measured=measured,
                        met=met),
        ConstraintCheck(measure="latency_ms", comparison="<=", value=20.0, unit="ms", measured=2.31, met=True),
        ConstraintCheck(measure="model_family", comparison="not in", value=("catboost",),
                        measured=("linear", "lightgbm"), met=True),
    )  # fmt: skip
    return Verdict(
        subject=subject, passed=met, checks=checks, reasons=() if met else (f"{constraint.measure} was missed",)
    )
