"""How good a clustering is: internal indices, of points and their clusters, and agreement with labels.

Points (rows, dimensions) are those of the reference view, the same for every model: models look at the data in views of
their own, and only a common measure compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

MOST = 1000
"""Points that indices of pairs are computed on."""
NEAR = 10
"""Neighbours whose clusters are compared; of few points, a twelfth of them."""
REPEATABLE = 3
"""Weight of reproducibility in the quality: the index that tells most about agreement with labels."""
HALVINGS = 10
"""Divisions of few points into two halves that reproducibility is the mean of."""
FLOOR = 0.01
"""Variance added in each direction: a cluster that is flat in one is not infinitely dense."""


def quality(points: Array, labels: Array) -> float:
    """Mean of three indices that fail in different ways, the last counted three times; about 0 for chance, below 1.

    - silhouette: clusters are compact and apart (favours round ones, and few);
    - information: a Gaussian for each cluster describes the points better than one for all (favours stretched ones);
    - reproducibility: a rule learned from one half of the points puts the other half into the same clusters.

    Equal points count once, so that a bootstrap sample does not look denser than it is.
    """
    points, labels = _distinct(points, labels)
    if labels.max(initial=0) < 1:
        return -1.0
    compact = float(np.mean(_silhouettes(_distances(points), labels)))
    repeatable = reproducibility(points, labels)
    return (compact + information(points, labels) + REPEATABLE * repeatable) / (2 + REPEATABLE)


def silhouette(points: Array, labels: Array) -> float:
    """Mean silhouette (Rousseeuw 1987) of up to 1,000 points, always the same; -1 for a single cluster."""
    rows = _sample(np.arange(len(points)))
    labels = _dense(labels[rows])
    if labels.max(initial=0) < 1:
        return -1.0
    return float(np.mean(_silhouettes(_distances(points[rows]), labels)))


def silhouettes(points: Array, labels: Array) -> Array:
    """Silhouette of each point (rows,); all pairs are compared."""
    return _silhouettes(_distances(points), _dense(labels))


def calinski_harabasz(points: Array, labels: Array) -> float:
    """Variance between clusters over that within, each by its degrees of freedom (Calinski & Harabasz 1974)."""
    labels = _dense(labels)
    clusters, rows = int(labels.max(initial=0)) + 1, len(points)
    if clusters < 2 or rows <= clusters:
        return 0.0
    sizes = np.bincount(labels)
    centres = _centres(points, labels)
    between = float((sizes * ((centres - points.mean(axis=0)) ** 2).sum(axis=1)).sum())
    within = float(((points - centres[labels]) ** 2).sum())
    return between / max(within, 1e-12) * (rows - clusters) / (clusters - 1)


def davies_bouldin(points: Array, labels: Array) -> float:
    """Mean over clusters of the worst ratio of widths to distance (Davies & Bouldin 1979); infinite for one cluster."""
    labels = _dense(labels)
    clusters = int(labels.max(initial=0)) + 1
    if clusters < 2:
        return float("inf")
    centres = _centres(points, labels)
    width = np.bincount(labels, weights=np.sqrt(((points - centres[labels]) ** 2).sum(axis=1))) / np.bincount(labels)
    apart = np.sqrt(np.maximum(((centres[:, None] - centres[None]) ** 2).sum(axis=2), 1e-24))
    ratios = (width[:, None] + width[None]) / apart
    np.fill_diagonal(ratios, 0.0)
    return float(ratios.max(axis=1).mean())


def information(points: Array, labels: Array) -> float:
    """Gain of the classification likelihood (Symons 1981) of a Gaussian for each cluster over one for all points, in
    nats for each row and dimension."""
    labels = _dense(labels)
    rows, width = points.shape
    _, covariances, shares = _gaussians(points, labels)
    shifted = points - points.mean(axis=0)
    whole = shifted.T @ shifted / rows + FLOOR * np.eye(width)
    logs = np.linalg.slogdet(covariances)[1]
    gain = 0.5 * np.linalg.slogdet(whole)[1] + float((shares * (np.log(shares) - 0.5 * logs)).sum())
    return float(gain / width)


def reproducibility(points: Array, labels: Array) -> float:
    """Share of the points, beyond chance (Cohen's kappa), that a Gaussian rule learned from the other half of them puts
    into their cluster: prediction strength (Tibshirani & Walther 2005) with a common rule for all models."""
    labels = _dense(labels)
    random = np.random.default_rng(0)
    repeats = int(np.clip(MOST // max(len(labels), 1), 1, HALVINGS))  # few points: one halving would tell little
    return float(np.mean([_recovered(points, labels, random.permutation(len(labels)) % 2 == 0)
                          for _ in range(repeats)]))  # fmt: skip


def _recovered(points: Array, labels: Array, half: Array) -> float:
    """Cohen's kappa between labels and what a rule learned from the other half says."""
    answers = np.empty(len(labels), dtype=np.int64)
    for learned in (half, ~half):
        present, codes = np.unique(labels[learned], return_inverse=True)
        centres, covariances, shares = _gaussians(points[learned], codes)
        shifted = points[~learned][None] - centres[:, None]
        distances = (shifted @ np.linalg.inv(covariances) * shifted).sum(axis=2)
        chances = np.log(shares) - 0.5 * np.linalg.slogdet(covariances)[1] - 0.5 * distances.T
        answers[~learned] = present[chances.argmax(axis=1)]
    clusters = int(labels.max()) + 1
    found, said = (np.bincount(codes, minlength=clusters) / len(labels) for codes in (labels, answers))
    chance = float((found * said).sum())
    return (float((answers == labels).mean()) - chance) / (1 - chance) if chance < 1 else 0.0


def modularity(points: Array, labels: Array) -> float:
    """Modularity (Newman 2006) of the graph of nearest neighbours, of up to 1,000 points: near points lie together,
    whatever the shape of the clusters. Equal points count once."""
    points, labels = _distinct(points, labels)
    return _modularity(_distances(points), labels)


# ---------------------------------------------------------------- agreement of two labellings


def adjusted_rand(truth: Array, labels: Array) -> float:
    """Rand index adjusted for chance (Hubert & Arabie 1985)."""
    table = _table(truth, labels)
    pairs, rows, columns, total = (
        _pairs(table),
        _pairs(table.sum(axis=1)),
        _pairs(table.sum(axis=0)),
        _pairs(table.sum()),
    )
    expected = rows * columns / total if total else 0.0
    most = (rows + columns) / 2
    return float((pairs - expected) / (most - expected)) if most != expected else 1.0


def rand_index(truth: Array, labels: Array) -> float:
    """Share of pairs of rows on which both labellings agree: together or apart (Rand 1971)."""
    table = _table(truth, labels)
    pairs, rows, columns, total = (
        _pairs(table),
        _pairs(table.sum(axis=1)),
        _pairs(table.sum(axis=0)),
        _pairs(table.sum()),
    )
    return float((total + 2 * pairs - rows - columns) / total) if total else 1.0


def mutual_information(truth: Array, labels: Array) -> float:
    """Mutual information over the mean of both entropies: NMI."""
    table = _table(truth, labels)
    joint = table / table.sum()
    across, down = joint.sum(axis=1), joint.sum(axis=0)
    known = joint > 0
    mutual = float((joint[known] * np.log(joint[known] / np.outer(across, down)[known])).sum())
    mean = (_entropy(across) + _entropy(down)) / 2
    return min(max(mutual / mean, 0.0), 1.0) if mean > 1e-12 else 1.0


# ---------------------------------------------------------------- parts


def _dense(labels: Array) -> Array:
    """Labels without gaps: clusters that hold no row do not count."""
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def _distinct(points: Array, labels: Array) -> tuple[Array, Array]:
    """Up to 1,000 different points, and their labels without gaps."""
    _, first = np.unique(points, axis=0, return_index=True)
    rows = _sample(np.sort(first))
    return points[rows], _dense(labels[rows])


def _sample(rows: Array) -> Array:
    if len(rows) <= MOST:
        return rows
    return rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST])]


def _gaussians(points: Array, labels: Array) -> tuple[Array, Array, Array]:
    """Centres, covariances and shares of clusters without gaps. Covariances lean towards the one within all clusters
    by twice as many rows as there are dimensions, so that a cluster of few rows has one."""
    rows, width = points.shape
    centres = _centres(points, labels)
    residuals = points - centres[labels]
    lean = 2 * width
    common = residuals.T @ residuals / rows * lean
    sizes = np.bincount(labels)
    own = np.stack([residuals[labels == cluster].T @ residuals[labels == cluster] for cluster in range(len(sizes))])
    covariances = (own + common) / (sizes + lean)[:, None, None] + FLOOR * np.eye(width)
    return centres, covariances, sizes / rows


def _centres(points: Array, labels: Array) -> Array:
    sums = np.zeros((int(labels.max()) + 1, points.shape[1]))
    np.add.at(sums, labels, points)
    return np.asarray(sums / np.bincount(labels)[:, None])


def _distances(points: Array) -> Array:
    norms = (points**2).sum(axis=1)
    distances = np.sqrt(np.maximum(norms[:, None] - 2 * points @ points.T + norms[None], 0.0))
    np.fill_diagonal(distances, 0.0)
    return np.asarray(distances)


def _silhouettes(distances: Array, labels: Array) -> Array:
    sizes = np.bincount(labels)
    rows = np.arange(len(labels))
    sums = distances @ np.eye(len(sizes))[labels]
    own = sums[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    means = sums / sizes
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    larger = np.maximum(own, other)
    found = np.divide(other - own, larger, out=np.zeros_like(own), where=larger > 0)
    return np.asarray(np.where(sizes[labels] > 1, found, 0.0))


def _modularity(distances: Array, labels: Array) -> float:
    count = min(NEAR, max(2, round(len(labels) / 12)))
    if count >= len(labels):
        return 0.0
    apart = distances + np.diag(np.full(len(labels), np.inf))
    near = np.argpartition(apart, count - 1, axis=1)[:, :count]
    shares = np.bincount(labels) / len(labels)
    return float((labels[near] == labels[:, None]).mean() - (shares**2).sum())


def _table(truth: Array, labels: Array) -> Array:
    truth, labels = _dense(truth), _dense(labels)
    columns = int(labels.max()) + 1
    return np.bincount(truth * columns + labels, minlength=(int(truth.max()) + 1) * columns).reshape(-1, columns)


def _pairs(counts: Any) -> float:
    counts = np.asarray(counts, dtype=np.float64)
    return float((counts * (counts - 1) / 2).sum())


def _entropy(shares: Array) -> float:
    shares = shares[shares > 0]
    return -float((shares * np.log(shares)).sum())
