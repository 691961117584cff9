"""The records that flow through the graph: frozen, typed, small, serialisable.

Each is made by one part of the system and says so; each names the records before it by id. Data, models and code never
enter a record: they live in the artifact store and a record holds their id. Numbers are plain Python numbers (a
checkpoint refuses numpy's).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from automl_agent.frames import stored_data

Scalar = str | int | float | bool | None
"""A value that survives JSON and a checkpoint unchanged."""

Params = dict[str, str | int | float | bool | list[str] | list[int] | list[float] | None]
"""Hyper-parameters of a candidate, or options of a data step."""

Comparison = Literal["<=", "<", ">=", ">", "==", "in", "not in"]
Status = Literal["delivered", "missed", "refused", "needs_answer", "planned", "failed"]


class Record(BaseModel):
    """Base of every record: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---------------------------------------------------------------- what the caller says


class Request(Record):
    """What the caller wants. Every field but `words` may be left out; what is given overrules what is inferred."""

    words: str = ""
    """The request in plain words."""
    based_on: str | None = None
    """A finished run that is to be varied: its id, the folder with its result, or `last` (the last that delivered a
    model). All that it was asked and given is taken over; `words` and the other fields say what shall be different."""
    data: Annotated[tuple[str, ...], BeforeValidator(stored_data)] = ()
    """Paths of files or folders, or pandas data frames (stored, and replaced by their paths). Two files named train and
    test are taken as a user's own split."""
    test_data: str | None = None
    """The user's own test file, with the target column."""
    family: str | None = None
    """Name of a task family, e.g. `tabular_regression`."""
    target: str | None = None
    positive: str | None = None
    """The class that counts as positive, as written in the data."""
    metric: str | None = None
    time: str | None = None
    """Column by which rows are ordered in time: the test is the last part."""
    group: str | None = None
    """Column whose equal values must stay on one side of every split."""
    weight: str | None = None
    """Column that says how much each row counts, in every fit and score; 0 leaves the row out."""
    ignore: tuple[str, ...] = ()
    """Columns that no model may see."""
    by: tuple[str, ...] = ()
    """Columns by whose values the scores on the locked test are told apart; ignored ones too."""
    options: dict[str, Scalar] = Field(default_factory=dict)
    """Options of the task family."""
    budget: float | None = None
    """Seconds from the start to the result; overrules `Settings.budget`."""
    trials: int | None = None
    max_rows: int | None = Field(default=None, ge=1)
    """Rows of a table to use at most; of a larger one some are drawn. Overrules `Settings.max_rows`."""
    max_cost: float | None = None
    """US dollars for language-model calls."""
    seed: int | None = None
    out: str | None = None
    """Folder for the result."""


# ---------------------------------------------------------------- what was understood


class Inference(Record):
    """One field of the task that the user did not spell out: what was taken for it, and from what."""

    field: str
    value: str
    reason: str
    by: Literal["user", "rules", "model"] = "rules"
    sure: bool = True
    """False for a default or a guess, which a language model may correct."""


class Constraint(Record):
    """A requirement that is checked as a number or as membership, never as an opinion."""

    measure: str
    """A metric's name, `latency_ms`, `size_mb`, `train_seconds`, `memory_mb` or `model_family`."""
    comparison: Comparison
    value: float | str | tuple[str, ...]
    unit: str = ""
    words: str = ""
    """The user's own phrase."""
    validation_only: bool = False
    """Compares with the out-of-fold score of an earlier run: no score on the locked test is held against it."""


class User(Record):
    intent: str = ""
    expertise: Literal["novice", "practitioner", "expert"] = "novice"
    language: str = "en"
    """ISO 639-1 code of the language that the request is written in."""


class Problem(Record):
    area: str = "tabular"
    downstream_task: str = ""
    domain: str = ""
    description: str = ""


class DatasetSpec(Record):
    name: str
    source: Literal["upload", "link", "named", "described"] = "upload"
    location: str = ""
    modality: str = "table"


class Service(Record):
    target_device: str = "cpu"
    endpoint: str = "http"


class TaskSpec(Record):
    """The Prompt Agent's reading of a request: the paper's keys, and what a pipeline needs besides."""

    words: str
    user: User = User()
    problem: Problem = Problem()
    dataset: tuple[DatasetSpec, ...] = ()
    model: tuple[str, ...] = ()
    """Model families that the user asked for."""
    knowledge: tuple[str, ...] = ()
    """Hints that the user gave in words."""
    service: Service = Service()
    family: str = ""
    target: str | None = None
    positive: str | None = None
    metric: str = ""
    higher_is_better: bool = True
    constraints: tuple[Constraint, ...] = ()
    deliverables: tuple[str, ...] = ()
    """Artefacts asked for: `confusion_matrix`, `report`, `feature_importance`, `learning_curve`, ..."""
    time: str | None = None
    group: str | None = None
    weight: str | None = None
    """Column that says how much each row counts."""
    ignore: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    """Columns by whose values the scores on the locked test are told apart."""
    options: dict[str, Scalar] = Field(default_factory=dict)
    inferences: tuple[Inference, ...] = ()
    warnings: tuple[str, ...] = ()
    based_on: str = ""
    """Id of the run that this one varies."""
    changes: tuple[str, ...] = ()
    """What is different from that run, one phrase each."""


class Question(Record):
    """What must be answered before a run can start."""

    field: str
    text: str
    choices: tuple[str, ...] = ()
    user_only: bool = False
    """Whether no language model may answer: each of the choices was asked for."""


# ---------------------------------------------------------------- what the data are


class Finding(Record):
    """Something noticed in the data, and what was done about it."""

    kind: str
    """`leak`, `id`, `constant`, `empty`, `duplicates`, `target_copy`, `infinite`, `drift`, `sampled`, ..."""
    columns: tuple[str, ...] = ()
    count: int = 0
    text: str
    action: str = ""
    """What the library did: `dropped`, `kept`, `grouped`, `replaced by missing`, ..."""


class DataProfile(Record):
    """What was measured on the training rows. The summary is here; the columns lie in the data folder."""

    family: str
    fingerprint: str
    """Hash of the materialised data, the split and the folds: the data part of a trial's key."""
    data: str
    """Artifact id of the folder with training rows, test inputs, folds and schema (never the test targets)."""
    rows_train: int
    rows_test: int
    columns: int
    kinds: dict[str, int]
    """Number of feature columns of each kind."""
    classes: tuple[str, ...] = ()
    """Class labels in the order of predicted probabilities; empty for numeric targets."""
    positive: str | None = None
    target: dict[str, Scalar] = Field(default_factory=dict)
    """Measured facts of the target: share of the rarest class, skewness, minimum, maximum, ..."""
    meta: dict[str, float] = Field(default_factory=dict)
    """Meta-features that notes and plans put conditions on: `rows`, `columns`, `missing_share`, `imbalance`, ..."""
    findings: tuple[Finding, ...] = ()
    split: str = ""
    """How the test was locked, in words."""
    folds: int = 5
    test_reads: int = 0
    """How often the locked test of these data was read by earlier runs."""
    test: str = ""
    """Under which name the reads of the locked test are counted: the fingerprint of the run that locked these rows."""
    sources: dict[str, str] = Field(default_factory=dict)
    """What was read, by path, with a checksum of what it held."""


# ---------------------------------------------------------------- knowledge and plans


class CandidateChoice(Record):
    """A candidate with the parameters that it shall be tried with."""

    candidate: str
    """Name of a candidate of the task family, or the path of a candidate file."""
    params: Params = Field(default_factory=dict)
    reason: str = ""


class Note(Record):
    """A cited piece of knowledge: when it applies, and what it suggests."""

    id: str
    title: str
    kind: str
    """`paper`, `kaggle`, `practice`, or `experience`: what earlier runs on similar data measured."""
    source: str
    families: tuple[str, ...]
    when: dict[str, str] = Field(default_factory=dict)
    """Conditions on meta-features, e.g. `{"rows": "<= 3000"}`."""
    models: tuple[str, ...] = ()
    """Names of candidates that the note suggests."""
    steps: tuple[str, ...] = ()
    """Names of data steps that the note suggests."""
    choices: tuple[CandidateChoice, ...] = ()
    """Configurations that scored best on similar data; only experience has them."""
    questions: tuple[str, ...] = ()
    """What a user might say who needs this note, in words that the note does not use."""
    text: str = ""
    relevance: float = 0.0
    applies: bool = True
    """Whether the conditions hold on the measured profile."""
    unmet: str = ""
    """The condition that does not hold, and what was measured."""


class Plan(Record):
    """A hypothesis on how to solve the task."""

    id: str
    title: str
    hypothesis: str
    steps: tuple[str, ...]
    """Data steps to consider, by name."""
    models: tuple[str, ...]
    """Candidates to consider, by name, most promising first."""
    emphasis: Literal["score", "speed", "robustness"] = "score"
    choices: tuple[CandidateChoice, ...] = ()
    """Configurations that must be tried as they are."""
    notes: tuple[str, ...] = ()
    """Ids of the notes that the plan rests on."""
    rejected: dict[str, str] = Field(default_factory=dict)
    """Ids of the other notes that were found, with the reason why the plan does without them."""
    features: tuple[str, ...] = ()
    """Ideas for new columns, in words: a language model writes them as a feature module."""
    architecture: str = ""
    """Idea for a model of its own, in words: a language model writes it as a model module."""
    differs: str = ""
    revision: int = 0
    by: Literal["rules", "model"] = "rules"


class SubTask(Record):
    """One part of one plan, for one agent."""

    plan: Plan
    role: str
    goal: str


class Measurement(Record):
    """A number that an agent rests its decision on."""

    what: str
    value: float
    unit: str = ""


class DataRecipe(Record):
    kind: Literal["recipe"] = "recipe"
    steps: tuple[str, ...] = ()
    """Data steps kept, because they improved the out-of-fold score."""
    rejected: tuple[str, ...] = ()
    gains: dict[str, float] = Field(default_factory=dict)
    """By how much the out-of-fold score of the plan's probe is better with each step that was measured."""
    features: str = ""
    """Artifact id of the feature module that improved the out-of-fold score; empty without one."""
    without: tuple[str, ...] = ()
    """Columns of that module that are left out, since the score was better without them."""


class Shortlist(Record):
    kind: Literal["shortlist"] = "shortlist"
    choices: tuple[CandidateChoice, ...] = ()
    rejected: dict[str, str] = Field(default_factory=dict)
    """Candidates left out, with the reason."""
    late: tuple[CandidateChoice, ...] = ()
    """Those of them that there was no time to measure: the search gives them a second chance."""
    spaces: dict[str, dict[str, Params]] = Field(default_factory=dict)
    """Search spaces to tune in instead of the whole declared ones: candidate -> parameter -> entry, as in `SPACE`."""


class Suggestions(Record):
    """What a custom agent adds: candidates to try besides the shortlist, and data steps to use besides the recipe."""

    kind: Literal["suggestions"] = "suggestions"
    choices: tuple[CandidateChoice, ...] = ()
    steps: tuple[str, ...] = ()


class CodeModule(Record):
    """A module that a language model wrote, and what became of it."""

    id: str
    """Artifact id of the folder with its source, `module.py`, and all earlier versions."""
    kind: Literal["features", "model", "program"]
    plan: str
    title: str
    status: Literal["kept", "dropped", "failed"]
    """`dropped`: it ran, and the out-of-fold score did not improve or a check objected; `failed`: it never ran."""
    reason: str = ""
    versions: int = 1
    """Versions written until it ran, or until it was given up."""
    score_without: float | None = None
    score_with: float | None = None
    """Out-of-fold scores of the same candidate at the same fidelity, without and with the module."""
    ablation: dict[str, float] = Field(default_factory=dict)
    """Column that it adds -> by how much the score gets worse when it is left out (negative: better without)."""
    findings: tuple[str, ...] = ()
    """What the leakage check and the data-usage check noticed."""
    by: str = ""
    """Name of the language model."""


class TaskResult(Record):
    """A sub-task solved, or failed."""

    plan: str
    role: str
    output: DataRecipe | Shortlist | Suggestions | None = Field(default=None, discriminator="kind")
    measurements: tuple[Measurement, ...] = ()
    modules: tuple[CodeModule, ...] = ()
    """What a language model wrote for it."""
    summary: str = ""
    error: str = ""
    seconds: float = 0.0


# ---------------------------------------------------------------- trials and verdicts


class Fidelity(Record):
    """How much data a trial saw. Only scores of equal fidelity are compared."""

    rows: int
    """Training rows used in each fold at most; 0 means all."""
    folds: int
    """Number of folds that were run, counted from the first."""


class Trial(Record):
    """A candidate, trained and measured."""

    id: str
    """Hash of code, parameters, data and fidelity."""
    plan: str
    candidate: str
    params: Params = Field(default_factory=dict)
    steps: tuple[str, ...] = ()
    fidelity: Fidelity
    score: float | None = None
    """Out-of-fold score in the user's metric; `None` when the trial failed."""
    tie_break: float = 0.0
    """Loss in a smoother metric, which ranks trials of equal score."""
    fold_scores: tuple[float, ...] = ()
    fit_seconds: float = 0.0
    """Sum over folds, one thread each."""
    fold_seconds: tuple[float, ...] = ()
    """Of each fold: the first one may have found out what the others took over."""
    latency_ms: float | None = None
    """95th percentile for one raw row through one fold's model."""
    predict_ms: float = 0.0
    """For one raw row among many, through one fold's model."""
    size_mb: float = 0.0
    """Of one fold's stored model."""
    memory_mb: float = 0.0
    """Highest resident memory of the worker during the fit."""
    origin: str = ""
    """`agent_data`, `agent_model`, `try_plan`, `portfolio`, `tuning`, `revision`, ..."""
    revision: int = 0
    cached: bool = False
    """Taken from the trial store instead of being run again."""
    reused: bool = False
    """Trained by an earlier run: it took this one no time."""
    error: str = ""

    @property
    def configuration(self) -> tuple[str, str, tuple[str, ...]]:
        """What was trained, on however many rows and folds."""
        return self.candidate, str(self.params), self.steps

    @property
    def late(self) -> bool:
        """Whether it was given up, or not begun, for want of time. The beginning decides: an error may quote a column
        that is called "cancelled"."""
        return self.error.startswith(("out of time", "cancelled: ", "TimeoutError", "error: TimeoutError"))


class ConstraintCheck(Record):
    measure: str
    comparison: Comparison
    value: float | str | tuple[str, ...]
    unit: str = ""
    measured: float | str | tuple[str, ...] | None = None
    met: bool = False
    text: str = ""
    """The check in one sentence."""


class Verdict(Record):
    """What a verifier decided, and from what."""

    subject: str
    """`request`, a plan's id, `plans`, `solution` or `grade`."""
    passed: bool
    checks: tuple[ConstraintCheck, ...] = ()
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Member(Record):
    """One trial in the ensemble."""

    trial: str
    candidate: str
    plan: str = ""
    params: Params = Field(default_factory=dict)
    steps: tuple[str, ...] = ()
    weight: float
    folds: tuple[int, ...]
    """Whose fitted models ship; their predictions are averaged."""
    rows: int = 0
    """Training rows that each fold was fitted on at most; 0 means all. Above 0 only where time ran out."""
    score: float | None = None
    latency_ms: float | None = None


class Solution(Record):
    """What will be delivered when it passes."""

    id: str
    members: tuple[Member, ...]
    metric: str
    score: float
    """Cross-fitted out-of-fold score: weights, temperature and threshold were fitted without the scored fold."""
    others: dict[str, float] = Field(default_factory=dict)
    """Further metrics that constraints ask for, cross-fitted alike."""
    gains: dict[str, float] = Field(default_factory=dict)
    """Candidate of a member -> by how much the out-of-fold score is worse without it (of a single member: than with the
    next best candidate in its place). All are positive or zero: what does not help is left out."""
    interval: tuple[float, float] | None = None
    temperature: float = 1.0
    """Of probabilities: their logarithms are divided by it, so that they mean what they say."""
    threshold: float | tuple[float, ...] | None = None
    """For metrics on labels. Two classes: the probability from which on the positive one is answered. More: weights of
    the classes' probabilities, or, where classes have an order, cuts of the mean class code (one less than classes)."""
    latency_ms: float = 0.0
    """95th percentile of one raw row through the loaded bundle."""
    size_mb: float = 0.0
    train_seconds: float = 0.0
    """Fit time of all that ships."""
    memory_mb: float = 0.0
    folder: str
    """Artifact id of the built, not yet graded bundle."""
    trials_run: int = 0
    revision: int = 0


class Evidence(Record):
    """What a failed round teaches the next one."""

    revision: int
    failed: tuple[str, ...]
    """What was missed, as measured."""
    best: float | None
    tried: tuple[str, ...]
    """Candidates and steps that were run, with their scores, in short."""
    ideas: tuple[str, ...] = ()
    """What the next plans should aim at."""
    reasons: tuple[str, ...] = ()
    """Why it may have failed, in a language model's words."""


class Subgroup(Record):
    """The scores of the locked test rows that share a value of a column, or a range of values."""

    name: str
    """The value or the range; in brackets what is neither: `(missing)`, `(5 other values)`."""
    rows: int
    enough: bool
    """Whether the rows are enough to judge by: 30."""
    score: float | None = None
    """In the grade's metric; `None` where it says nothing, as the ROC AUC of rows of one class."""
    interval: tuple[float, float] | None = None
    """95 % bootstrap interval."""
    worse: bool = False
    """Whether there are rows enough and the whole interval is worse than the score of all test rows."""
    predicted_positive: float | None = None
    """Share of the rows that the positive class is answered for; here and below for two classes only."""
    recall: float | None = None
    """Share of the positive rows that are found."""
    false_positive_rate: float | None = None
    """Share of the negative rows that are called positive."""


class Breakdown(Record):
    """The locked test rows told apart by one column: every row is in one group."""

    column: str
    groups: tuple[Subgroup, ...]
    """Ranges ascending, values by their rows; missing ones last."""


class Grade(Record):
    """The one look at the locked test."""

    metric: str
    score: float
    interval: tuple[float, float]
    """95 % bootstrap interval."""
    baseline: float
    """Score of the trivial baseline on the same rows."""
    others: dict[str, float] = Field(default_factory=dict)
    """Further metrics of the family, for the report."""
    rows: int
    coverage: float | None = None
    """Share of test targets inside the 90 % prediction interval (regression)."""
    reads: int = 1
    """How often the test of these data has been read, this time included."""
    details: str = ""
    """Artifact id of what the report plots: predictions and truth of the test rows."""
    subgroups: tuple[Breakdown, ...] = ()
    """The scores by each column of `TaskSpec.by`."""


class ServerCheck(Record):
    """What was seen when the bundle's own server was started without the library."""

    ok: bool
    seconds: float = 0.0
    http_ms: float | None = None
    """Median time of one `/predict` over HTTP."""
    text: str = ""


class Bundle(Record):
    """The folder that a user takes away."""

    path: str
    files: tuple[str, ...] = ()
    size_mb: float = 0.0
    server: ServerCheck | None = None
    retrain: ServerCheck | None = None
    """One member and fold trained again from the bundle's own code."""


class Submission(Record):
    """Predictions of the rows of the user's own file without target, in the form that its sample shows."""

    path: str
    file: str
    """Name of the file whose rows were predicted."""
    rows: int
    form: str
    """Columns, and what the predictions are, in words."""
    ok: bool
    """Whether the written file was found to have the columns, the ids in their order, and a prediction in each row."""
    text: str = ""
    """What the check found."""


class ModelCall(Record):
    """One request to a language model, as the ledger holds it."""

    role: str
    """Who asked: `prompt`, `request`, `planner`, `data`, `model`, `coder`, `reviewer`, `reviser` or `report`."""
    model: str
    outcome: str
    """`ok`, or what went wrong (`automl_agent.llm.outcome`)."""
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = None
    """`None` where the price of the model is not known."""
    estimated: bool = False
    """Whether the server reported no usage, so that the tokens are the upper bound that was reserved."""
    cached: bool = False
    """Answered from memory, at no cost."""
    stage: str = ""
    plan: str = ""


class Earlier(Record):
    """The run that was varied, beside this one."""

    run_id: str
    words: str
    changes: tuple[str, ...] = ()
    """What is different, one phrase each."""
    metric: str
    """The metric of this run, in which both are scored."""
    measured: dict[str, tuple[float | None, float | None]] = Field(default_factory=dict)
    """(earlier, now) of `test` and `validation` (the scores), `latency_ms`, `size_mb` and `columns`; `None` where it
    was not measured."""
    same_test: bool = True
    """Whether both were graded on the same rows: only then do their test scores compare."""
    trials: int = 0
    trials_reused: int = 0
    """How many of this run's trials an earlier run had trained: no time was spent on them."""


class Suggestion(Record):
    """What a note suggested, and what measuring it said."""

    name: str
    """Of a candidate or a data step."""
    kind: Literal["model", "step"]
    outcome: Literal["kept", "not better", "failed", "not tried"]
    """`kept`: it is part of the solution, and the out-of-fold score is better for it."""
    score: float | None = None
    """Best out-of-fold score of a trial with it."""
    gain: float | None = None
    """By how much the out-of-fold score is better with it: in the solution for a model, on the plan's probe for a
    step."""


class NoteUse(Record):
    """A note that was found for a run, and what became of it."""

    note: str
    title: str
    source: str
    kind: str
    plans: tuple[str, ...] = ()
    """Ids of the plans that rest on it."""
    reason: str = ""
    """Why no plan does."""
    suggestions: tuple[Suggestion, ...] = ()


class Report(Record):
    """The result of a run: the object that `--json` prints."""

    status: Status
    run_id: str = ""
    reason: str = ""
    """Why the request was refused, what must be answered, or what was missed."""
    question: Question | None = None
    score: float | None = None
    """Score on the locked test, in `metric`."""
    task: dict[str, Scalar | list[str]] = Field(default_factory=dict)
    metric: dict[str, str | float | bool | list[float] | None] = Field(default_factory=dict)
    subgroups: tuple[Breakdown, ...] = ()
    """The scores on the locked test by each column that was asked for."""
    constraints: tuple[ConstraintCheck, ...] = ()
    plans: tuple[dict[str, str | float | list[str] | None], ...] = ()
    knowledge: tuple[NoteUse, ...] = ()
    """The notes that were found, most relevant first, and what each of them brought."""
    revisions: int = 0
    bundle: str | None = None
    predictions: str | None = None
    submission: Submission | None = None
    """Only where the data hold rows without target that are to be predicted, as in a competition."""
    report: str | None = None
    earlier: Earlier | None = None
    """Only where the run varies another one."""
    seconds: dict[str, float] = Field(default_factory=dict)
    cost: dict[str, float] = Field(default_factory=dict)
    calls: tuple[ModelCall, ...] = ()
    """Every request to a language model."""
    code: tuple[CodeModule, ...] = ()
    """Every module that a language model wrote."""
    summary: str = ""
    """The result in words for the user; `summary_by` says who wrote it."""
    summary_by: Literal["", "rules", "model"] = ""
    warnings: tuple[str, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def exit_status(self) -> int:
        """Exit status of the command line: 0 delivered, 3 a constraint is missed, 4 refused or a question is open."""
        return {"delivered": 0, "planned": 0, "missed": 3, "refused": 4, "needs_answer": 4, "failed": 1}[self.status]
