"""Reads images, leaves out what is none, locks the test, fixes the folds, writes the data folder."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_agent.errors import InputError
from automl_agent.records import DataProfile, Finding, Request, Scalar, TaskSpec
from automl_agent.tasks.image_classification.sources import ACCEPTED, Images, find_images, look
from automl_agent.tasks.tables import leakage, profiling
from automl_agent.tasks.tables.kinds import find_kind
from automl_agent.tasks.tables.materials import Materials, Rows, fingerprint, write
from automl_agent.tasks.tables.partition import divide, locked_before, row_hashes
from automl_agent.tasks.tables.targets import find_column, read_target

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[Any]

SIDE, MANY, SMALL_SIDE = 512, 5_000, 256
"""Pixels that the longer side of a kept image has at most; of more than `MANY` images, the smaller number."""
MAX_BYTES = 4 * 2**30
"""All images together, as they are kept: workers hold them in memory."""
FOLDS, FOLD_ROWS = 3, 2_000
"""Networks are costly: so many folds are enough for more than so many images."""
REQUEST_LETTERS = 3_000_000
"""Letters of base64 that a served image may well have; the server accepts twice that."""
SAMPLED = 500
CHANGES = ("shifts", "flips", "upside_down", "turns")
"""What may be done to training images, as in `shared/image_mirrors.py`."""


def acquire(task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
            ) -> DataProfile:  # fmt: skip
    """Make the data folder of a task.

    Args:
        folder: gets training images, folds, schema, and test *images*.
        private: gets the test targets; nothing else does.

    Raises:
        InputError: the data cannot be used; nothing is written then.
    """
    augment = _augment(task.options)
    found = find_images(request)
    if found is None:
        raise InputError("There are no images to learn from.", hint=ACCEPTED)
    findings = list(found.findings)
    label = find_column(task.target or "label", [str(name) for name in found.frame.columns], "the target")
    if label == found.column:
        raise InputError(f"{label!r} holds the images and cannot be predicted.", hint="Name the column of labels.")
    decimal = str(found.options.get("table", {}).get("decimal", "."))
    kind = find_kind(found.frame[label], decimal, label)
    target = read_target(found.frame[label], kind, classes=True, positive=task.positive, decimal=decimal)
    findings += target.findings
    schema: dict[str, Any] = {
        "family": task.family, "kind": "classification", "target": label, "classes": list(target.classes),
        "positive": target.positive, "ordered": False, "read": {**found.options, "target": label}, "dropped": [],
        "augment": augment, "columns": [{"name": found.column, "kind": "image", "max_length": REQUEST_LETTERS,
        "side": SIDE if len(found.frame) <= MANY else SMALL_SIDE}],
    }  # fmt: skip
    groups = _groups(found.frame, task.group)
    rows, kept = _rows(found, target.codes, schema, findings)
    names = [str(name) for name in found.frame[found.column].iloc[rows.positions]]
    own = _own_test(request, found, schema, findings)
    division = divide(
        rows.frame, rows.target, classes=len(schema["classes"]), times=None,
        groups=None if groups is None else groups[kept], share=None if own else test_share, seed=seed,
        most=FOLDS if len(rows.target) > FOLD_ROWS else None, locked=locked_before(private, rows.positions),
    )  # fmt: skip
    findings += division.findings
    train = rows.take(division.train)
    test, test_names = own or (rows.take(division.test), [names[place] for place in division.test])
    if own:
        _compare(train, test, findings)
    side = _usual_side(train)
    schema["sample"] = {found.column: _sample(train.frame[found.column].iloc[0])}
    materials = Materials(schema, train, test, division.folds, _facts(found.column, train, side))
    write(materials, folder, private)
    (folder / "test_names.json").write_text(json.dumps(test_names), encoding="utf-8")
    return _profile(task, materials, findings, division.words, division.repeated, side)


def _augment(options: Mapping[str, Scalar]) -> str:
    """What is to be done to training images: `auto`, `none`, or names of changes with commas.

    Raises:
        InputError: there is no such option, or no such change.
    """
    hint = f"There is augment, which is auto, none, or some of {', '.join(CHANGES)} with commas between."
    unknown = sorted(set(options) - {"augment"})
    if unknown:
        raise InputError(f"There is no option {', '.join(unknown)} (--set) for images.", hint=hint)
    asked = str(options.get("augment", "auto")).lower().replace(" ", "").replace("+", ",")
    wrong = [name for name in asked.split(",") if name not in CHANGES]
    if asked not in ("auto", "none") and wrong:
        raise InputError(f"There is no augmentation {wrong[0]!r} (--set augment).", hint=hint)
    return asked


def _rows(found: Images, codes: Array, schema: dict[str, Any], findings: list[Finding]) -> tuple[Rows, Array]:
    """The labelled images that can be used, and their places in the frame."""
    import numpy as np
    import pandas as pd

    from automl_agent.tasks.image_classification.shared import image_io

    (column,) = schema["columns"]
    labelled = np.flatnonzero(codes >= 0)
    values = found.frame[column["name"]].iloc[labelled].tolist()
    images, notes = image_io.load(values, column["side"])
    findings += _told(notes, values, column, len(values))
    good = np.array([image is not None for image in images], dtype=bool)
    if good.sum() < max(10, 0.5 * len(good)):
        worst = Counter(note for note in notes if note in image_io.PROBLEMS).most_common(1)
        text = f", mostly images {image_io.PROBLEMS[worst[0][0]]}" if worst else ""
        raise InputError(
            f"Only {int(good.sum())} of {len(good)} images in {found.path.name!r} can be used{text}.", hint=ACCEPTED
        )
    if sum(len(image) for image in images if image is not None) > MAX_BYTES:
        raise InputError(f"The images in {found.path.name!r} take more than 4 GB.", hint="Give a part of them.")
    kept = labelled[good]
    _check_classes(codes[kept], schema)
    frame = pd.DataFrame({column["name"]: pd.Series([image for image in images if image is not None], dtype=object)})
    return Rows(frame, codes[kept], kept.astype(np.int64)), kept


def _check_classes(codes: Array, schema: dict[str, Any]) -> None:
    """
    Raises:
        InputError: a class has no image that can be used.
    """
    import numpy as np

    counts = np.bincount(codes, minlength=len(schema["classes"]))
    if (counts < 2).any():
        lost = [name for name, count in zip(schema["classes"], counts, strict=True) if count < 2]
        raise InputError(f"Class {lost[0]!r} has fewer than two images that can be used.")


def _told(notes: list[str], values: list[Any], column: Mapping[str, Any], total: int) -> list[Finding]:
    """Findings: how many images were left out and why, and how many were changed."""
    from automl_agent.tasks.image_classification.shared import image_io

    counts, found = Counter(notes), []
    for note, why in image_io.PROBLEMS.items():
        if count := counts[note]:
            first = next(str(value)[:80] for value, other in zip(values, notes, strict=True) if other == note)
            text = f"{count} of {total} images {why} (such as {first!r})"
            found.append(Finding(kind=note, columns=(column["name"],), count=count, text=text, action="dropped"))
    for note, what in image_io.REMARKS.items():
        if count := counts[note]:
            text = f"{count} of {total} images {what.format(side=column['side'])}"
            found.append(Finding(kind=note, columns=(column["name"],), count=count, text=text, action="kept"))
    return found


def _groups(frame: pd.DataFrame, group: str | None) -> Array | None:
    """A number for each image's group; images without one are groups of their own."""
    import numpy as np
    import pandas as pd

    from automl_agent.tasks.tables.shared.table_values import labels

    if group is None:
        return None
    codes, found = pd.factorize(labels(frame[group]))
    alone = np.flatnonzero(codes < 0)
    codes[alone] = len(found) + np.arange(len(alone))
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _own_test(request: Request, found: Images, schema: dict[str, Any], findings: list[Finding]
              ) -> tuple[Rows, list[str]] | None:  # fmt: skip
    """The images of the user's own test: another path, or a folder named so beside that of training."""
    import numpy as np

    from automl_agent.tasks.image_classification.shared import image_io
    from automl_agent.tasks.tables.shared.table_values import encode_target

    if request.test_data:
        path = Path(request.test_data).expanduser()
        test = look(path) if path.exists() else None
        if test is None:
            raise InputError(f"The test data {request.test_data!r} hold no images.", hint=ACCEPTED)
        frame = test.frame
    elif "test" in found.parts:
        names = image_io.listing(found.path)
        test = found
        frame = image_io.labelled(found.path, names, {**found.options, "part": "test"})
    else:
        return None
    for name in (found.column, schema["target"]):
        if name not in frame.columns:
            raise InputError(f"The test data have no {name!r}.", hint="Lay them out as the training data are.")
    codes = encode_target(frame[schema["target"]], {**schema, "read": {}})
    if not (codes >= 0).any():
        raise InputError("No image of the test data has a label that occurs in the training data.")
    if lost := int((codes < 0).sum()):
        text = f"{lost} test images have no label, or one that the training data do not have"
        findings.append(Finding(kind="missing_target", columns=(schema["target"],), count=lost, text=text,
                                action="dropped"))  # fmt: skip
    found_test = Images(test.path, test.options, frame.reset_index(drop=True))
    told: list[Finding] = []
    images, notes = image_io.load(frame[found.column].tolist(), schema["columns"][0]["side"])
    told = _told(notes, frame[found.column].tolist(), schema["columns"][0], len(notes))
    findings += [one.model_copy(update={"text": f"test: {one.text}"}) for one in told]
    good = np.array([image is not None for image in images], dtype=bool) & (codes >= 0)
    if not good.any():
        raise InputError("None of the test images can be used.", hint=ACCEPTED)
    import pandas as pd

    places = np.flatnonzero(good)
    chosen = pd.DataFrame({found.column: pd.Series([images[place] for place in places], dtype=object)})
    names_kept = [str(found_test.frame[found.column].iloc[place]) for place in places]
    return Rows(chosen, codes[places], places.astype(np.int64)), names_kept


def _compare(train: Rows, test: Rows, findings: list[Finding]) -> None:
    """Say how many test images are among the training images, too."""
    if again := leakage.repeated_rows(row_hashes(train.frame), row_hashes(test.frame)):
        text = f"{again} of {len(test.target)} test images are training images, too"
        findings.append(Finding(kind="test_duplicates", count=again, text=text, action="kept"))


def _usual_side(train: Rows) -> float:
    """Median of the longer sides of kept training images, in pixels."""
    import numpy as np

    from automl_agent.tasks.image_classification.shared import image_io

    images = train.frame.iloc[:, 0].tolist()
    sides = []
    for content in images[:: max(1, len(images) // SAMPLED)]:
        with image_io.opened(content) as image:
            sides.append(max(image.size))
    return float(np.median(sides))


def _sample(content: bytes) -> str:
    """An image small enough for an example, as base64 text."""
    from PIL import Image

    from automl_agent.tasks.image_classification.shared import image_io

    with image_io.opened(content) as image:
        small = image_io.plain(image)
        small.thumbnail((28, 28), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        small.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _facts(name: str, train: Rows, side: float) -> list[dict[str, Any]]:
    images = train.frame[name]
    return [{
        "name": name, "kind": "image", "relation": 0.0, "relation_measure": "mutual_information", "missing": 0,
        "distinct": int(images.nunique()), "side": side, "mean_bytes": float(images.map(len).mean()),
    }]  # fmt: skip


def _profile(task: TaskSpec, materials: Materials, findings: list[Finding], words: str, repeated: int, side: float
             ) -> DataProfile:  # fmt: skip
    schema, target = materials.schema, materials.train.target
    classes, rows = len(schema["classes"]), len(target)
    described = profiling.target_facts(target, classes=classes)
    return DataProfile(
        family=task.family,
        fingerprint=fingerprint(materials),
        data="",
        rows_train=rows,
        rows_test=len(materials.test.target),
        columns=1,
        kinds={"image": 1},
        classes=tuple(schema["classes"]),
        positive=schema["positive"],
        target=described,
        meta={
            "rows": float(rows),
            "columns": 1.0,
            "images": 1.0,
            "side": side,
            "classes": float(classes),
            "imbalance": float(described["largest_share"] or 0.0),
            "minority_share": float(described["minority_share"] or 0.0),
            "duplicates_share": repeated / max(1, rows + len(materials.test.target)),
        },
        findings=tuple(findings),
        split=words,
        folds=int(materials.folds.max()) + 1,
    )
