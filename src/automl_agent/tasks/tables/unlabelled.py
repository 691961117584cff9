"""A test file without target, as competitions give it: its rows wait in the data folder to be predicted at the end.

unlabelled.parquet        the typed rows, in the order of the file
submission.json           the form that predictions of them shall have (`Form`)
submission_ids.parquet    the columns that name the rows, as written, in the order of the submission
submission_rows.npy       which of the typed rows each of these is

`delivery/submission.py` reads them. A family of another kind may write the same four files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import Finding
from automl_agent.tasks import metrics
from automl_agent.tasks.tables.reading import Table, read_table
from automl_agent.tasks.tables.sources import Source

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

_YES = ("1", "true", "yes", "y", "t")


@dataclass(frozen=True)
class Form:
    """What a submission looks like."""

    file: str
    """Name of the file whose rows are predicted."""
    sample: str
    """Name of the file that shows the form; empty where none was given or none could be followed."""
    ids: tuple[str, ...]
    kind: str
    """`values`, `labels`, `probability` (of one class) or `probabilities` (one column a class)."""
    columns: dict[str, int | None]
    """Predicted column -> code of its class, for probabilities."""
    order: tuple[str, ...]
    """All columns in order."""
    text: str
    """The form in a few words."""


def keep(folder: Path, table: Table, file: Source, sample: Source | None, schema: dict[str, Any], metric: str
         ) -> Finding:  # fmt: skip
    """Write what is needed to predict the rows of a test file without target.

    Args:
        table: the test file as read.
        metric: the task's; where it is measured on probabilities and the sample leaves it open, these are submitted.
    """
    import numpy as np

    from automl_agent.tasks.tables.shared.table_values import typed

    read = {**schema["read"], "decimal": table.options["decimal"]}
    typed(table.frame, {**schema, "read": read}).to_parquet(folder / "unlabelled.parquet", index=False)
    problem = ""
    try:
        shown = read_table(sample).frame if sample else None
        form, ids, rows = _form(table.frame, file.name, shown, sample.name if sample else "", schema, metric)
    except InputError as error:
        problem = f"; the sample was not followed: {error}"
        form, ids, rows = _form(table.frame, file.name, None, "", schema, metric)
    ids.to_parquet(folder / "submission_ids.parquet", index=False)
    np.save(folder / "submission_rows.npy", rows)
    (folder / "submission.json").write_text(json.dumps(asdict(form)), encoding="utf-8")
    text = (
        f"{file.name!r} has no target column: its {len(table.frame):,} rows are predicted at the end ({form.text}),"
        f" and a part of the training data was locked as the test{problem}"
    )
    return Finding(kind="test_without_target", count=len(table.frame), text=text, action="predicted")


def _form(test: pd.DataFrame, file: str, sample: pd.DataFrame | None, name: str, schema: dict[str, Any], metric: str
          ) -> tuple[Form, pd.DataFrame, Array]:  # fmt: skip
    """The form, the columns that name the rows, and the row of the test that each of these is.

    Raises:
        InputError: the sample cannot be followed.
    """
    import numpy as np

    target, everyone = str(schema["target"]), np.arange(len(test))
    if sample is None:
        named = [each["name"] for each in schema["dropped"] if each["reason"] == "id" and each["name"] in test.columns]
        ids = test[named[:1]] if named else test.assign(row=everyone)[["row"]]
        kind = "labels" if schema["classes"] else "values"
        order = (*map(str, ids.columns), target)
        return Form(file, "", order[:-1], kind, {target: None}, order, ", ".join(order)), ids, everyone
    ids, rows = _named_rows(test, sample, name, target)
    predicted = [str(each) for each in sample.columns if each not in ids.columns]
    kind, columns = _predicted(sample[predicted], predicted, name, schema, metric)
    what = {"probability": "probabilities", "probabilities": "a probability for each class"}.get(kind, kind)
    order = tuple(map(str, sample.columns))
    text = f"{', '.join(order[:4])}{', ...' if len(order) > 4 else ''}: {what}, as {name!r} shows"
    return Form(file, name, tuple(map(str, ids.columns)), kind, columns, order, text), ids, rows


def _named_rows(test: pd.DataFrame, sample: pd.DataFrame, name: str, target: str) -> tuple[pd.DataFrame, Array]:
    """The columns that name the rows, in the order of the sample where it names the rows of the test."""
    import numpy as np
    import pandas as pd

    from automl_agent.tasks.tables.shared.table_values import labels

    shared = [each for each in sample.columns if each in test.columns and each != target]
    everyone = np.arange(len(test))
    if not shared:
        first = sample.columns[0]
        if len(sample.columns) < 2 or len(sample) != len(test) or sample[first].duplicated().any():
            raise InputError(f"{name!r} has no column that names the rows of the test file.")
        return sample[[first]], everyone

    def keys(frame: pd.DataFrame) -> pd.Index[Any]:
        named: pd.Index[Any] = pd.Index(list(zip(*(labels(frame[each]) for each in shared), strict=True)))
        return named

    of_test, of_sample = keys(test), keys(sample)
    if len(sample) == len(test) and of_test.equals(of_sample):
        return sample[shared], everyone
    if of_test.is_unique and of_sample.is_unique and len(sample) == len(test):
        rows = of_test.get_indexer(of_sample)
        if (rows >= 0).all():
            return sample[shared], rows
    return test[shared], everyone  # the sample shows other or fewer rows: all of the test are meant


def _predicted(sample: pd.DataFrame, names: Sequence[str], name: str, schema: dict[str, Any], metric: str
               ) -> tuple[str, dict[str, int | None]]:  # fmt: skip
    """Kind and columns of what is predicted.

    Raises:
        InputError: the columns are not those of the task.
    """
    classes: list[str] = schema["classes"]
    if not names:
        raise InputError(f"{name!r} has no column for predictions.")
    if not classes:
        if len(names) > 1:
            raise InputError(f"{name!r} asks for {len(names)} columns ({', '.join(names[:4])}), and one is predicted.")
        return "values", {names[0]: None}
    if len(names) == 1:
        kind = _kind(sample[names[0]], classes, metric)
        return kind, {names[0]: _positive(schema) if kind == "probability" else None}
    codes = _by_class(names, classes)
    if codes is None:
        shown = f"{', '.join(names[:4])}{', ...' if len(names) > 4 else ''}"
        raise InputError(f"The columns of {name!r} ({shown}) are not the classes ({', '.join(classes[:4])}).")
    return "probabilities", codes


def _kind(values: pd.Series[Any], classes: Sequence[str], metric: str) -> str:
    """Whether a single column shows labels or a probability. One value throughout, as in many samples, shows little:
    then the metric decides."""
    from automl_agent.tasks.tables.shared.table_values import fold, labels

    if len(classes) != 2:
        return "labels"
    written = {str(value).strip() for value in values.dropna()}
    known = {fold(each) for each in classes}
    as_labels = all(fold(str(each)) in known for each in labels(values) if each is not None)
    if not as_labels or (any("." in text for text in written) and not any("." in each for each in classes)):
        return "probability"
    spec = metrics.CLASSIFICATION.get(metric)
    return "probability" if len(written) <= 1 and spec and spec.needs == "probabilities" else "labels"


def _positive(schema: dict[str, Any]) -> int:
    """Code of the class whose probability is meant: the one that says yes, or else the positive one."""
    classes = [str(each) for each in schema["classes"]]
    yes = [code for code, each in enumerate(classes) if each.strip().casefold() in _YES]
    if len(yes) == 1:
        return yes[0]
    return classes.index(schema["positive"]) if schema["positive"] in classes else 1


def _by_class(names: Sequence[str], classes: Sequence[str]) -> dict[str, int | None] | None:
    """Class code of each column: its name is the class, or ends with it (`Status_C`, `class_1`)."""
    if len(names) != len(classes):
        return None
    exact = {each.strip().casefold(): code for code, each in enumerate(classes)}
    found: dict[str, int | None] = {}
    for each in names:
        flat = each.strip().casefold()
        ends = sorted((key for key in exact if flat.endswith(key)), key=len)
        code = exact.get(flat, exact[ends[-1]] if ends else None)
        if code is None or code in found.values():
            return None
        found[each] = code
    return found
