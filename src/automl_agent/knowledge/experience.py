"""What earlier runs measured, kept so that later runs on similar data start from it.

An episode is one run: the measured facts of its data and its out-of-fold scores. It holds no row, value, column name,
word of the request or score on a test. Each is a small file in `HOME/knowledge/experience`; a second collection of the
Chroma store, with the facts as vectors, finds those of the nearest data.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from automl_agent.errors import InputError
from automl_agent.execution.home import prepare_home, write_durably
from automl_agent.knowledge.index import ChromaFiles
from automl_agent.knowledge.lock import exclusive
from automl_agent.records import CandidateChoice, DataProfile, Note, Params, Record, Solution, TaskSpec, Trial

FACTS = (
    "rows", "columns", "rows_per_column", "numbers", "categories", "texts", "dates", "missing_share", "max_cardinality",
    "high_cardinality", "classes", "imbalance", "minority_share", "target_skew", "duplicates_share", "clusters",
    "characters", "side", "series", "length", "horizon", "season", "known_columns", "nodes", "edges", "mean_degree",
    "isolated_share", "labelled_share", "homophily", "features", "directed",
)  # fmt: skip
"""Meta-features that make the vector of a profile, in this order."""
COLLECTION = "experience-1"
"""Its number changes with `FACTS` and their scale."""
REACH = 1.5
"""Distance of similar profiles at most: all else alike, rows and columns may each differ tenfold."""
RESULTS = 12
"""Trials that an episode keeps."""
LEADERS = 3
"""Candidates that a note of an episode names."""
DEAR = 2.0
"""How many times longer than the quickest of its candidate a configuration may have taken that others start from."""
LOCK_SECONDS = 10.0

_log = logging.getLogger(__name__)


Label = Annotated[str, Field(pattern=r"^[\w@.:+-]{1,80}$")]
"""A name and nothing else: what an imported file says must not become prose in a prompt."""


class Result(Record):
    """One trial of an episode."""

    candidate: Label
    params: Params = Field(default_factory=dict)
    steps: tuple[Label, ...] = ()
    score: float
    rows: int = 0
    """Training rows of each fold at most; 0 means all."""
    folds: int = 1
    fit_seconds: float = 0.0


class Episode(Record):
    """What one run measured."""

    version: Literal[1] = 1
    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    """Hash of data, family and metric: a later run on the same takes the place of the earlier one."""
    data: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Hash of what was read; not of its name."""
    family: Label
    metric: Label
    higher_is_better: bool
    facts: dict[Label, float]
    budget: float
    baseline: float
    """Out-of-fold score of the trivial model."""
    score: float
    """Out-of-fold score of the solution."""
    members: dict[Label, float]
    """Candidate -> its weight in the solution."""
    results: tuple[Result, ...]
    """Those that saw most data first, the best of them on top."""
    at: Label = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    """ISO 8601, UTC."""


def data_hash(profile: DataProfile) -> str:
    """Which data a profile is of: the same for every seed and split where they were read from files."""
    checksums = sorted(profile.sources.values())
    return hashlib.sha256("\n".join(checksums or [profile.fingerprint]).encode()).hexdigest()


def episode(
    task: TaskSpec,
    profile: DataProfile,
    solution: Solution,
    baseline: float,
    trials: Iterable[Trial],
    candidates: Collection[str],
    budget: float,
) -> Episode:
    """The episode of a run.

    Args:
        candidates: names of the family's own candidates; what a language model or a user wrote is not kept.
    """
    sign = -1.0 if task.higher_is_better else 1.0
    own = [trial for trial in trials if trial.candidate in candidates and trial.score is not None]
    unique = {(t.candidate, json.dumps(t.params, sort_keys=True), t.steps, t.fidelity): t for t in own}
    order = sorted(
        unique.values(),
        key=lambda t: (-(t.fidelity.rows or 1 << 62), -t.fidelity.folds, sign * (t.score or 0.0), t.id),
    )
    weights: dict[str, float] = {}
    for member in solution.members:
        if member.candidate in candidates:
            weights[member.candidate] = round(weights.get(member.candidate, 0.0) + member.weight, 4)
    data = data_hash(profile)
    name = hashlib.sha256(f"{data} {task.family} {task.metric}".encode()).hexdigest()[:16]
    return Episode(
        id=name,
        data=data,
        family=task.family,
        metric=task.metric,
        higher_is_better=task.higher_is_better,
        facts={name: profile.meta[name] for name in FACTS if name in profile.meta},
        budget=budget,
        baseline=baseline,
        score=solution.score,
        members=weights,
        results=tuple(_result(trial) for trial in _kept(order)),
    )


def _kept(order: Sequence[Trial]) -> list[Trial]:
    """The best trial of every candidate, and the next best ones."""
    leaders: dict[str, Trial] = {}
    for trial in order:
        leaders.setdefault(trial.candidate, trial)
    chosen = {trial.id: trial for trial in (*leaders.values(), *order)}
    return [trial for trial in order if trial.id in list(chosen)[: max(RESULTS, len(leaders))]]


def _result(trial: Trial) -> Result:
    return Result(candidate=trial.candidate, params=trial.params, steps=trial.steps, score=trial.score or 0.0,
                  rows=trial.fidelity.rows, folds=trial.fidelity.folds,
                  fit_seconds=round(trial.fit_seconds, 3))  # fmt: skip


def vector(facts: Mapping[str, float]) -> list[float]:
    """A profile as a point: shares as they are, larger numbers by their order of magnitude; 0 for what was not
    measured."""
    return [_scaled(facts.get(name, 0.0)) for name in FACTS]


def _scaled(value: float) -> float:
    if not math.isfinite(value):
        return 0.0
    return value if abs(value) <= 1 else math.copysign(1 + math.log10(abs(value)), value)


class Experience:
    """The episodes of one home folder. Processes may share it."""

    def __init__(self, home: Path) -> None:
        self.root = Path(home) / "knowledge"
        self.folder = self.root / "experience"

    # ------------------------------------------------------------ by hand

    def episodes(self) -> tuple[Episode, ...]:
        """All that can be read, by id. A file that is none, or was changed into none, is left out with a warning."""
        found = []
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else ():
            try:
                one = Episode.model_validate_json(path.read_bytes())
            except (OSError, ValidationError) as error:
                _log.warning("The experience in %s is left out: %s", path, " ".join(str(error).split())[:200])
                continue
            found.append(one)
        return tuple(found)

    def add(self, *episodes: Episode) -> None:
        """Keep episodes; one of the same data, family and metric is replaced.

        Raises:
            InputError, OSError: the folder cannot be written to.
        """
        prepare_home(self.root.parent)
        self.folder.mkdir(parents=True, exist_ok=True)
        for one in episodes:
            write_durably(self.folder / f"{one.id}.json", one.model_dump_json() + "\n")

    def export(self, path: Path) -> int:
        """Write all episodes to a file, one line of JSON each; how many there are."""
        episodes = self.episodes()
        write_durably(path, "".join(one.model_dump_json() + "\n" for one in episodes))
        return len(episodes)

    def load(self, path: Path) -> int:
        """Take over what `export` wrote, here or elsewhere; how many episodes. All are checked before one is kept.

        Raises:
            InputError: the file cannot be read, or a line of it is no episode; names the line and the field.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The experience file {path} cannot be read: {error}.") from error
        found = [_checked(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
        self.add(*found)
        return len(found)

    def forget(self, *names: str) -> int:
        """Delete the episodes of these ids; all without any. How many were deleted.

        Raises:
            InputError: there is no episode of an id; none is deleted then.
        """
        known = {path.stem: path for path in self.folder.glob("*.json")} if self.folder.is_dir() else {}
        if missing := [name for name in names if name not in known]:
            raise InputError(f"There is no experience {missing[0]!r}.",
                             hint="`automl-agent experience list` names what there is.")  # fmt: skip
        doomed = [known[name] for name in names or known]
        for path in doomed:
            path.unlink(missing_ok=True)
        with suppress(Exception):  # the vectors go now if they can, else with the next search
            self._synchronised(self.episodes()).close()
        return len(doomed)

    # ------------------------------------------------------------ in a run

    def similar(
        self,
        family: str,
        facts: Mapping[str, float],
        *,
        other_than: str = "",
        candidates: Collection[str] = (),
        k: int = 4,
    ) -> tuple[Note, ...]:
        """What worked on the most similar data, as notes: nearest first, none further than `REACH`.

        Args:
            other_than: hash of data whose own episodes do not count: the same run shall give the same answer.
            candidates: those that notes may name; what an episode says of others is left out.
        """
        known = {one.id: one for one in self.episodes() if one.family == family and one.data != other_than}
        if not known:
            return ()
        notes = []
        for name, distance in self._nearest(known, family, vector(facts), k + 8):
            if distance <= REACH and name in known:
                note = _note(known[name], distance, candidates)
                notes += [note] if note.models else []
        return tuple(notes[:k])

    def _nearest(
        self, known: Mapping[str, Episode], family: str, point: list[float], k: int
    ) -> list[tuple[str, float]]:
        """Ids and distances, nearest first; by hand where the store cannot be used."""
        try:
            store = self._synchronised(self.episodes())
            try:
                found = store.collection.query(query_embeddings=[point], n_results=k, where={"family": family},
                                               include=["distances"])  # fmt: skip
            finally:
                store.close()
            pairs = [(name, math.sqrt(max(0.0, far)))
                     for name, far in zip(found["ids"][0], found["distances"][0], strict=True)]  # fmt: skip
        except Exception as error:  # whatever a damaged file makes Chroma raise
            _log.warning("Experience is compared in memory (%s: %s).", type(error).__name__, error)
            pairs = [(name, math.dist(point, vector(one.facts))) for name, one in known.items()]
        return sorted(pairs, key=lambda pair: (round(pair[1], 6), pair[0]))[:k]

    def _synchronised(self, episodes: Sequence[Episode]) -> ChromaFiles:
        """The collection, holding exactly these episodes."""
        self.root.mkdir(parents=True, exist_ok=True)
        with exclusive(self.root / "lock", LOCK_SECONDS):
            store = ChromaFiles(self.root / "chroma", COLLECTION, space="l2")
            stored = store.collection.get(include=["metadatas"])
            have = {name: (meta or {}).get("at") for name, meta in
                    zip(stored["ids"], stored["metadatas"], strict=True)}  # fmt: skip
            want = {one.id: one for one in episodes}
            if gone := [name for name in have if name not in want or have[name] != want[name].at]:
                store.collection.delete(ids=gone)
            if new := [one for one in episodes if have.get(one.id) != one.at]:
                store.collection.add(
                    ids=[one.id for one in new],
                    embeddings=[vector(one.facts) for one in new],
                    documents=[one.model_dump_json() for one in new],
                    metadatas=[{"family": one.family, "metric": one.metric, "at": one.at} for one in new],
                )
            return store


def _checked(path: Path, number: int, line: str) -> Episode:
    try:
        return Episode.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the line"
        raise InputError(f"{path}, line {number}: {where}: {fault['msg']}.",
                         hint="`automl-agent experience export FILE` writes such a file.") from error  # fmt: skip


def _note(one: Episode, distance: float, candidates: Collection[str]) -> Note:
    """An episode as a note: its best candidates with their configurations, and the steps that its solution took."""
    leaders: dict[str, Result] = {}
    for result in one.results:
        if (not candidates or result.candidate in candidates) and not _dear(result, one.results):
            leaders.setdefault(result.candidate, result)
    best = list(leaders.values())[:LEADERS]
    scores = ", ".join(f"{result.candidate} {result.score:.4g}" for result in best)
    facts = ", ".join(f"{name} {value:.4g}" for name, value in one.facts.items() if value)
    return Note(
        id=f"experience-{one.id}",
        title=f"On similar data ({_size(one.facts)}) {best[0].candidate if best else 'nothing'} scored best",
        kind="experience",
        source=f"a run of {one.at[:10]} with {one.budget:g} s, distance {distance:.2f}",
        families=(one.family,),
        models=tuple(result.candidate for result in best),
        steps=best[0].steps if best else (),
        choices=tuple(CandidateChoice(candidate=result.candidate, params=result.params,
                                      reason="scored best on similar data") for result in best[:2]),
        text=f"Out-of-fold {one.metric}: {scores}; the blend {one.score:.4g}, the trivial model {one.baseline:.4g}. "
             f"Facts: {facts}.",
        relevance=round(1 / (1 + distance), 4),
    )  # fmt: skip


def _dear(result: Result, others: Iterable[Result]) -> bool:
    """Whether another configuration of the candidate was fitted much quicker: a start for a search has to be cheap."""
    alike = [one.fit_seconds for one in others
             if (one.candidate, one.rows, one.folds) == (result.candidate, result.rows, result.folds)]  # fmt: skip
    return result.fit_seconds > DEAR * min(alike)


def _size(facts: Mapping[str, Any]) -> str:
    rows, columns = facts.get("rows"), facts.get("columns")
    sizes = [f"{rows:,.0f} rows"] if rows else []
    return ", ".join([*sizes, f"{columns:,.0f} columns"] if columns else sizes) or "of this kind"
