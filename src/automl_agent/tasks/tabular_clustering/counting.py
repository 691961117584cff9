"""How many clusters there are, where the user does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

FEWEST, MOST = 2, 12
ROWS = 800
"""Rows that the count is made on at most."""
STARTS = 3
REPEATS = 5
SHARE = 0.7
"""Of the rows that each repetition sees."""


@dataclass(frozen=True)
class Count:
    """One number of clusters, with what was measured of it."""

    clusters: int
    silhouette: float
    calinski_harabasz: float
    davies_bouldin: float
    stability: float
    """Mean adjusted Rand index between the clusters of all rows and those found on parts of them."""
    rank: float = 0.0
    """Mean rank among all numbers, 1 being the best; stability counts twice."""


def count_clusters(points: Array, *, seed: int = 0) -> tuple[int, tuple[Count, ...]]:
    """The number of clusters, 2 to 12, with the best mean rank of four measures, and all that were measured.

    One index alone chooses badly: silhouette likes two clusters, Calinski-Harabasz many round ones. Stability under
    resampling (Ben-Hur, Elisseeff & Guyon 2002; Hennig 2007) counts twice.

    Args:
        points: (rows, dimensions) of the reference view.
    """
    import numpy as np

    from automl_agent.tasks.tabular_clustering import indices

    random = np.random.default_rng(seed)
    points = points[np.sort(random.permutation(len(points))[:ROWS])]
    parts = [np.sort(random.permutation(len(points))[: max(round(SHARE * len(points)), 2)]) for _ in range(REPEATS)]
    distinct = len(np.unique(points.round(9), axis=0))
    found = []
    for clusters in range(FEWEST, min(MOST, distinct - 1, len(points) // 5) + 1):
        labels = _assigned(points, points, clusters, seed)
        again = [indices.adjusted_rand(labels, _assigned(points[part], points, clusters, seed)) for part in parts]
        found.append(Count(
            clusters, indices.silhouette(points, labels), indices.calinski_harabasz(points, labels),
            indices.davies_bouldin(points, labels), float(np.mean(again)),
        ))  # fmt: skip
    if not found:
        return FEWEST, ()
    return _ranked(found)


def _assigned(seen: Array, points: Array, clusters: int, seed: int) -> Array:
    """Clusters of points by k-means on those that are seen."""
    import numpy as np
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        model = KMeans(min(clusters, len(seen)), n_init=STARTS, random_state=seed).fit(seen)
    return np.asarray(model.predict(points))


def _ranked(found: list[Count]) -> tuple[int, tuple[Count, ...]]:
    import numpy as np
    from scipy.stats import rankdata

    measured = np.array([[-one.silhouette, -one.calinski_harabasz, one.davies_bouldin, -one.stability, -one.stability]
                         for one in found])  # fmt: skip
    ranks = np.mean([rankdata(column) for column in measured.T], axis=0)
    best = found[int(ranks.argmin())].clusters
    told = [Count(**{**vars(one), "rank": round(float(rank), 3)}) for one, rank in zip(found, ranks, strict=True)]
    return best, tuple(told)
