"""Scores by subgroup: how good a graded model is for each part of the test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_agent.records import Breakdown, Subgroup
from automl_agent.search.estimates import bootstrap_interval
from automl_agent.tasks.family import Grouping, MetricSpec, TaskFamily, better, targets

if TYPE_CHECKING:
    import numpy.typing as npt

    from automl_agent.tasks.measures import Threshold

    Array = npt.NDArray[Any]

ENOUGH = 30
"""Rows from which on a group is judged."""
_MAX_ROWS = 5000
"""Rows of a group that one round of the bootstrap draws at most."""
_OF_ANY_CLASS = ("accuracy", "f1_micro", "log_loss", "brier")
"""Metrics of classes that say something where all rows are of one class; costs of errors do, too."""


def break_down(
    family: TaskFamily, metric: str, truth: Array, prediction: Array, grouping: Grouping, *, positive: int | None,
    threshold: Threshold, seed: int,
) -> Breakdown:  # fmt: skip
    """Score each group of rows with the model as it ships: same probabilities, same threshold.

    Args:
        truth: what the family scores against, in row order.
        prediction: (rows, classes) probabilities, or (rows,) values.
        grouping: the group of each row.
        positive: code of the positive class.
    """
    spec = family.metrics[metric]
    whole = family.score(metric, truth, prediction, positive=positive, threshold=threshold)
    groups = []
    for code, name in enumerate(grouping.names):
        inside = grouping.codes == code
        if not inside.any():
            continue
        told, said = truth[inside], prediction[inside]
        score, interval = None, None
        if _says_something(spec, targets(told)):
            score = family.score(metric, told, said, positive=positive, threshold=threshold)
            interval = bootstrap_interval(family, metric, told, said, positive=positive, threshold=threshold, seed=seed,
                                          max_rows=_MAX_ROWS)  # fmt: skip
        enough = len(told) >= ENOUGH
        kinder = None if interval is None else interval[1] if spec.higher_is_better else interval[0]
        groups.append(
            Subgroup(
                name=name, rows=len(told), enough=enough, score=score, interval=interval,
                worse=enough and kinder is not None and better(spec, whole, kinder),
                **_rates(targets(told), said, 1 if positive is None else positive, threshold),
            )
        )  # fmt: skip
    return Breakdown(column=grouping.column, groups=tuple(groups))


def _says_something(spec: MetricSpec, truth: Array) -> bool:
    """Whether the metric of these rows can be compared with that of all rows."""
    if "@" in spec.name and not spec.name.endswith("%"):
        return False  # the first 100 rows of a list of everybody are not those of a part of it
    if (truth != truth[0]).any():
        return True
    if spec.needs == "values":
        return spec.name not in ("r2", "explained_variance")
    return spec.name in _OF_ANY_CLASS or spec.name.startswith("cost(")


def _rates(truth: Array, prediction: Array, positive: int, threshold: Threshold) -> dict[str, float | None]:
    """What the answers do for the rows of each class; nothing where there are not two."""
    from automl_agent.tasks.measures import answers

    if prediction.ndim != 2 or prediction.shape[1] != 2:
        return {}
    called, so = answers(prediction, positive, threshold) == positive, truth == positive
    return {
        "predicted_positive": float(called.mean()),
        "recall": float(called[so].mean()) if so.any() else None,
        "false_positive_rate": float(called[~so].mean()) if not so.all() else None,
    }
