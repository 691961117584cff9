"""The contract of a task family, and the small records that it speaks in.

A family is one folder with the same files (read, profile, split, metrics, candidates, baseline). Nothing outside knows
a family's name: families are found through the entry point group `automl_agent.families` (`registry.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from automl_agent.records import DataProfile, Inference, Params, Question, Request, Scalar, TaskSpec

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from automl_agent.tasks.measures import Threshold

    Array = npt.NDArray[Any]


TEST_ROWS = "test_rows.npy"
"""File of a data folder: where the locked test rows stand in what was read, (rows,) int64."""
LOCKED = "locked.npy"
"""File of the private folder, there before `acquire` when a run is varied on the same data: the `TEST_ROWS` of that
run. They stay the test, whatever columns are used, unless the task orders or groups rows in another way."""


@dataclass(frozen=True)
class MetricSpec:
    """A metric of a family."""

    name: str
    """Our name: lower case, underscores, e.g. `roc_auc`."""
    title: str
    higher_is_better: bool
    synonyms: tuple[str, ...] = ()
    """What people call it, lower case."""
    needs: Literal["labels", "probabilities", "values"] = "values"
    low: float | None = None
    """Smallest possible value; `None` when unbounded."""
    high: float | None = None
    tie_break: str = ""
    """A smoother metric of the family that ranks predictions of equal score: on few rows, few scores are possible."""
    consensus: float = 0.0
    """What full agreement (`TaskFamily.agreement`) with the best of each other candidate adds to a score when one model
    is chosen: for an index without labels, which a lone odd model may please most."""


@dataclass(frozen=True)
class Candidate:
    """A model family as one source file (see `tasks/candidate.py` for the contract of the file)."""

    name: str
    path: Path
    title: str
    tags: tuple[str, ...]
    """What people call it and its kind: `lightgbm`, `gradient boosting`, `tree`, `linear`, `neural network`, ..."""
    portfolio: tuple[Params, ...]
    """Configurations worth trying first, in order. The first must be cheap and good."""
    space: Mapping[str, Mapping[str, Any]]
    """Search space: name -> {"type": "float"|"int"|"categorical", "low", "high", "log", "choices"}."""
    requires: tuple[str, ...] = ()
    """Packages that must be importable."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """Conditions on the profile's meta-features, e.g. {"rows": "<= 20000"}."""
    shared: tuple[Path, ...] = ()
    """Shared files that the candidate imports by plain name, or that these import: they travel with it."""
    generated: bool = False
    """Whether a language model wrote part of it: then it runs in the sandbox only."""
    settles: bool = False
    """Whether the first fold of a trial finds parameters that its other folds take over: how long to boost."""

    @property
    def modules(self) -> tuple[Path, ...]:
        """The files that a language model wrote: they lie beside the candidate, what the family shares does not."""
        return tuple(path for path in self.shared if self.generated and path.parent == self.path.parent)

    @cached_property
    def sha(self) -> str:
        """Hash over the source that a trial runs, as it was when first asked for; wherever it lies."""
        digest = hashlib.sha256(self.path.read_bytes())
        for path in sorted(self.shared, key=lambda path: path.name):
            digest.update(path.read_bytes())
        return digest.hexdigest()


def kept_examples(values: Sequence[str], distinct: int) -> tuple[str, ...]:
    """Examples of a column as a look keeps them: long ones are cut, but not those of two labels, since one of them is
    the positive class and is named by what stands here."""
    return tuple(values) if distinct <= 2 else tuple(value[:80] for value in values)


@dataclass(frozen=True)
class PeekColumn:
    """What a short look at a column shows."""

    name: str
    kind: str
    """`number`, `category`, `boolean`, `date`, `text`, `id`, `constant` or `empty`."""
    distinct: int
    examples: tuple[str, ...] = ()
    """Up to 20 of the most frequent values, as written."""
    missing: float = 0.0
    """Share of missing values."""
    shares: tuple[float, ...] = ()
    """Share of each of the `examples` among the values that are there."""


@dataclass(frozen=True)
class Peek:
    """A short look at the data given: enough to understand the words, not more."""

    sources: tuple[str, ...]
    modality: str
    """`table`, ..."""
    rows: int
    """Rows looked at."""
    columns: tuple[PeekColumn, ...] = ()
    target: str = ""
    """The column that the data themselves show to be the target: the only one that a test file beside them lacks."""
    question: Question | None = None
    """What must be answered before it is clear what the data are, such as how several tables belong together."""

    def column(self, name: str) -> PeekColumn | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Reading:
    """A family's understanding of a request and the data at hand."""

    confidence: float
    """0 (cannot be meant) to 1 (said in so many words). The family with the highest one is taken."""
    target: str | None = None
    positive: str | None = None
    metric: str | None = None
    options: Mapping[str, Scalar] = field(default_factory=dict)
    inferences: tuple[Inference, ...] = ()
    """One for each field that was not given by the caller, the family itself (`field="family"`) included."""
    question: Question | None = None
    """Set when the family is meant but something that it needs could not be found."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataStep:
    """Something that a recipe may do to the data before a model sees them."""

    text: str
    """What it does, in one sentence."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """Conditions on meta-features, without which it does nothing."""
    nothing_for: tuple[str, ...] = ()
    """Tags of candidates that gain nothing by it: it is not measured with them."""


@dataclass(frozen=True)
class Blueprint:
    """The outline of a plan that makes sense for a family; the planner fits it to the data and the notes."""

    title: str
    hypothesis: str
    models: tuple[str, ...]
    """Candidates, most promising first."""
    steps: tuple[str, ...]
    """Data steps worth measuring."""
    emphasis: Literal["score", "speed", "robustness"] = "score"


@dataclass(frozen=True)
class FoldData:
    """One fold, as a worker sees it."""

    train: pd.DataFrame
    target: Array
    """Class codes (int64) or values (float64) of the training rows."""
    valid: pd.DataFrame
    valid_rows: Array
    """Positions of the validation rows among all training rows."""
    weight: Array | None = None
    """What each training row counts, above 0; `None` where all count the same."""
    rounds: tuple[tuple[pd.DataFrame, Array], ...] = ()
    """Where `valid` becomes known bit by bit: frames that are predicted one after another instead of it, and the places
    in `valid` of their last rows, which are asked for; the rows before them bring what was observed meanwhile."""


@dataclass(frozen=True)
class Grouping:
    """The locked test rows, told apart by one column."""

    column: str
    names: tuple[str, ...]
    """The groups: ranges ascending, values by their rows, missing ones last."""
    codes: Array
    """(rows,) position of each test row's group among the names."""


class TaskFamily(Protocol):
    """What the graph, the agents and the workers need to know of a family.

    Everything must be importable without heavy libraries; pandas and the like are imported inside methods.
    """

    name: str
    title: str
    area: str
    metrics: Mapping[str, MetricSpec]
    steps: Mapping[str, DataStep]
    """The data steps that a recipe may hold, by name."""
    baseline: str
    """Name of the candidate that is the trivial baseline."""
    probe: tuple[str, ...]
    """Candidates, fast ones first, that the Data Agent measures recipes with."""
    probe_cells: float
    """Cells of a table, for each second of the budget, up to which the lowest rung sees all rows; 0 where its costs do
    not go by cells. A promoted trial then lacks its other folds only, and few rows tell little of who is good on many.
    Each class beyond two counts the cells once more, as boosting fits one tree for each."""
    blueprints: tuple[Blueprint, ...]
    """Outlines of plans that differ by design, the most promising first."""
    shared: tuple[Path, ...]
    """Folders of the files that candidates may import by plain name, the family's own first."""
    reader: str
    """Name of the shared file (`read`, `typed`, `inspect`, `encode_target`; see `tables/shared/table_io.py`) with which
    a bundle's programs read and type raw rows."""
    files: tuple[str, ...]
    """Names of files of the data folder that candidates read besides the rows (a graph, say). They travel with a bundle
    in `files/`; candidates find the folder where they lie in `task["files"]`, and the reader's `files(path, schema,
    folder)` writes them for other data."""
    ships: Literal["folds", "whole"]
    """What a bundle holds of each member: the models of the folds, averaged, or one model of all training rows, fitted
    when the member was chosen (fold number `DataProfile.folds`, which leaves nothing out)."""
    follows: bool
    """Whether models can answer from the end of newer rows without learning from them (`follow` of a candidate)."""
    blends: bool
    """Whether predictions of different models may be averaged."""
    pooled: bool
    """Whether out-of-fold predictions are scored together; otherwise the score is the mean over the folds."""
    dated: bool
    """Whether folds are different times, some harder than others: for a blend, errors then count beside what the
    candidates lose in the same fold, lest one hard time chooses the members."""
    weighs: bool
    """Whether rows may count differently (`TaskSpec.weight`)."""
    code: tuple[str, ...]
    """What a language model may write for this family: `features`, `model`, `program`."""
    subgroups: bool
    """Whether items are rows with named columns, so that scores can be told apart by one (`TaskSpec.by`)."""
    pictures: str
    """`package.module:function` that draws what its practitioners look for, from a `ReportContent` (see
    `delivery/report/pictures.py`); empty for the usual pictures of classes and values."""

    def candidates(self) -> Mapping[str, Candidate]:
        """All candidates of the family, the baseline included."""
        ...

    def peek(self, request: Request) -> Peek | None:
        """Look at the request's data; `None` when they are not of this family's kind.

        Raises:
            InputError: when the data are of this kind but cannot be read.
        """
        ...

    def interpret(self, request: Request, peek: Peek | None) -> Reading:
        """Say how likely the request is meant for this family, and how it would understand it."""
        ...

    def acquire(self, task: TaskSpec, request: Request, folder: Path, private: Path, *, seed: int, test_share: float
                ) -> DataProfile:  # fmt: skip
        """Read all, check, profile, lock the test, fix the folds, and materialise.

        Writes training rows, folds, schema and test *inputs* to `folder`, the test targets to `private` only. Where
        `private` holds `LOCKED`, these rows are the test.
        `DataProfile.data` is left empty: the caller fills in the artifact id.
        """
        ...

    def describe(self, folder: Path, metric: str) -> dict[str, Any]:
        """What a candidate is told about the task: the `task` of `tasks/candidate.py`."""
        ...

    def fold(self, folder: Path, index: int, *, rows: int, seed: int) -> FoldData:
        """Load one fold; `rows` > 0 takes a (stratified) sample of at most so many training rows.

        The number after the last fold leaves no training row out; its validation rows are some of them.
        """
        ...

    def training_truth(self, folder: Path) -> Array:
        """What predictions of all training rows are scored against, in row order: (rows,) targets, or (rows, n) with
        the target first and what metrics need besides."""
        ...

    def test_inputs(self, folder: Path) -> Any: ...

    def test_truth(self, private: Path) -> Array:
        """The same of the locked test rows."""
        ...

    def groupings(self, private: Path) -> tuple[Grouping, ...]:
        """The locked test rows by each column of `TaskSpec.by`, as `acquire` left them in the private folder."""
        ...

    def weights(self, truth: Array) -> Array | None:
        """What each row counts, from what predictions are scored against; `None` where all count the same."""
        ...

    def spread(self, folder: Path, rows: Array, truth: Array, prediction: Array) -> Any:
        """What the reader's `bounds` makes 90 % prediction intervals of, learned from out-of-fold predictions: for
        tables the half-width. `None` where there are no intervals.

        Args:
            rows: positions of the predicted training rows.
        """
        ...

    def score(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None,
              threshold: Threshold = None) -> float:  # fmt: skip
        """The metric's value.

        `prediction` has shape (rows, classes) with probabilities, or (rows,) with values. `positive` is the code of the
        positive class. With a `threshold`, answers are taken by it (`measures.answers`).
        """
        ...

    def threshold(self, metric: str, truth: Array, prediction: Array, *, positive: int | None = None) -> Threshold:
        """The threshold that is best for the metric, or `None` when the metric has no use for one. Quick: it is asked
        for every blend that is tried."""
        ...

    def decision(self, metric: str, truth: Array, prediction: Array) -> Threshold:
        """What to answer by among more than two classes, fitted with more effort; `None` where nothing is to be won."""
        ...

    def agreement(self, one: Array, other: Array) -> float:
        """How far two models' predictions for the same rows agree, 1 for wholly; of families whose metrics ask for
        `consensus`."""
        ...


def shared_file(family: TaskFamily, name: str) -> Path:
    """A shared file of a family by name.

    Raises:
        FileNotFoundError: there is none.
    """
    for folder in family.shared:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"The family {family.name} has no shared file {name}.")


def targets(truth: Array) -> Array:
    """The targets (rows,) in what a family scores against."""
    return truth if truth.ndim == 1 else truth[:, 0]


def loss(metric: MetricSpec, score: float) -> float:
    """A score as a loss: lower is better."""
    return -score if metric.higher_is_better else score


def better(metric: MetricSpec, score: float, than: float) -> bool:
    return loss(metric, score) < loss(metric, than)


def improvement(metric: MetricSpec, score: float, base: float) -> float:
    """By how much a score is better than another, as a share of what is left to a perfect one."""
    difference = loss(metric, base) - loss(metric, score)
    left = abs(metric.high - base) if metric.high is not None and metric.higher_is_better else abs(base)
    return difference / max(left, 1e-9)


def best(metric: MetricSpec, scores: Sequence[float]) -> float:
    return min(scores, key=lambda score: loss(metric, score))
