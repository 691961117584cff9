"""Which notes come first: those whose conditions hold, by relevance, and no two that say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from automl_agent.records import Note
from automl_agent.tasks.candidate import holds

SPECIFIC = 0.06
"""Added to the relevance of a note whose conditions were measured to hold: it was written for such data."""
DIVERSITY = 0.3
"""How much likeness to notes already chosen counts against relevance."""
SAME = 0.9
"""Notes more alike than this (cosine) say the same: only the first is returned."""

_FACTS: tuple[tuple[str, str, str], ...] = (
    ("rows", "<= 3000", "small data, few rows"),
    ("rows", ">= 50000", "large data, many rows"),
    ("rows_per_column", "<= 10", "wide table, more columns than rows can carry"),
    ("columns", ">= 300", "wide table with hundreds of columns"),
    ("max_cardinality", ">= 30", "high-cardinality categories with many levels"),
    ("categories", ">= 8", "many categorical columns"),
    ("missing_share", ">= 0.02", "missing values"),
    ("minority_share", "<= 0.2", "imbalanced classes, rare positives"),
    ("classes", ">= 3", "multiclass"),
    ("target_skew", ">= 1", "skewed target with a long tail"),
    ("duplicates_share", ">= 0.01", "duplicate rows"),
    ("dates", ">= 1", "date columns"),
    ("texts", ">= 1", "free-text columns"),
    ("budget", "<= 120", "short time budget"),
    ("characters", "<= 200", "short texts of a sentence"),
    ("characters", ">= 2000", "long documents"),
    ("side", "<= 40", "small images of few pixels"),
    ("side", ">= 224", "photographs of high resolution"),
    ("series", "<= 1", "a single series"),
    ("series", ">= 20", "many series"),
    ("length", "<= 60", "short series with few observations"),
    ("horizon", ">= 24", "many steps ahead"),
    ("known_columns", ">= 1", "covariates known in advance"),
    ("homophily", "<= 0.5", "heterophily, neighbours differ in label"),
    ("homophily", ">= 0.7", "homophily, neighbours share labels"),
    ("labelled_share", "<= 0.1", "few labelled nodes"),
    ("isolated_share", ">= 0.1", "isolated nodes without edges"),
    ("features", "<= 0", "nodes without features"),
    ("directed", ">= 1", "directed edges"),
)


@dataclass(frozen=True)
class Hit:
    """A note found, with its vector (length one) and its likeness to the query (cosine)."""

    note: Note
    vector: Sequence[float]
    similarity: float


def facts(meta: Mapping[str, float]) -> str:
    """What is striking about the data, in words that notes use."""
    return ". ".join(words for name, condition, words in _FACTS if holds(condition, meta.get(name)))


def document(note: Note) -> str:
    """What of a note is embedded: the title counts twice, what users ask comes early (a sentence embedding reads the
    beginning only), and its conditions are put into words."""
    edges = {name: float(condition.split(",")[0].strip("<>= ")) for name, condition in note.when.items()}
    names = " ".join((*note.models, *note.steps)).replace("_", " ")
    return ". ".join([note.title, note.title, *note.questions, facts(edges), names, note.text])


def applies(note: Note, meta: Mapping[str, float]) -> bool:
    """Whether all conditions hold; without any measurement nothing speaks against a note."""
    return not meta or not unmet(note, meta)


def unmet(note: Note, meta: Mapping[str, float]) -> str:
    """The first condition that does not hold, and what was measured; empty where all hold."""
    for name, condition in note.when.items():
        if not holds(condition, meta.get(name)):
            measured = f"{meta[name]:.4g}" if name in meta else "not measured"
            return f"it is about {name} {condition}, here {measured}"
    return ""


def ranked(hits: Sequence[Hit], meta: Mapping[str, float], k: int) -> tuple[Note, ...]:
    """The `k` best notes with `applies` and `relevance` set, those that apply before those that do not."""
    fitting = [replace(hit, similarity=_relevance(hit, meta)) for hit in hits if applies(hit.note, meta)]
    others = [hit for hit in hits if not applies(hit.note, meta)]
    chosen = _chosen(fitting, [], k)
    rest = _chosen(others, chosen, k - len(chosen))
    return tuple(_judged(hit) for hit in chosen) + tuple(_judged(hit, unmet(hit.note, meta)) for hit in rest)


def _relevance(hit: Hit, meta: Mapping[str, float]) -> float:
    return hit.similarity + (SPECIFIC if meta and hit.note.when else 0.0)


def _judged(hit: Hit, unmet: str = "") -> Note:
    relevance = round(min(1.0, max(0.0, hit.similarity)), 4)
    return hit.note.model_copy(update={"applies": not unmet, "unmet": unmet, "relevance": relevance})


def _chosen(candidates: Sequence[Hit], before: Sequence[Hit], k: int) -> list[Hit]:
    """Up to `k` hits, taken one at a time for being relevant and unlike those taken (maximal marginal relevance).

    What is returned is ordered by relevance: variety decides who is in, relevance who comes first.
    """
    import numpy as np

    candidates = sorted(candidates, key=lambda hit: (-hit.similarity, hit.note.id))[: max(16, 3 * k)]
    if not candidates or k < 1:
        return []
    vectors = np.array([hit.vector for hit in candidates], dtype=np.float32)
    relevance = np.array([hit.similarity for hit in candidates])
    likeness = np.zeros(len(candidates))
    for other in before:
        likeness = np.maximum(likeness, vectors @ np.asarray(other.vector, dtype=np.float32))
    taken: list[int] = []
    while len(taken) < k:
        gains = np.where(likeness < SAME, relevance - DIVERSITY * likeness, -np.inf)
        place = int(gains.argmax())
        if gains[place] == -np.inf:
            break
        taken.append(place)
        likeness = np.maximum(likeness, vectors @ vectors[place])
        likeness[place] = 1.0
    return [candidates[place] for place in sorted(taken)]
