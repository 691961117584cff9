"""The metrics of clusters: what they are called, and how predictions are scored by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_agent.tasks.family import MetricSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

QUALITY = "cluster_quality"

METRICS: dict[str, MetricSpec] = {spec.name: spec for spec in (
    MetricSpec(QUALITY, "Cluster quality", True, ("clustering quality", "quality of the clusters"), low=-1.0, high=1.0,
               consensus=0.1),
    MetricSpec("silhouette", "Silhouette", True, ("silhouette score", "silhouette coefficient", "silhouette index",
                                                  "mean silhouette"), low=-1.0, high=1.0),
    MetricSpec("calinski_harabasz", "Calinski-Harabasz index", True,
               ("calinski harabasz score", "calinski", "variance ratio criterion"), low=0.0),
    MetricSpec("davies_bouldin", "Davies-Bouldin index", False, ("davies bouldin score", "davies bouldin"), low=0.0),
    MetricSpec("modularity", "Neighbour modularity", True, ("neighbor modularity", "graph modularity"), low=-1.0,
               high=1.0),
    MetricSpec("ari", "Adjusted Rand index", True, ("adjusted rand", "adjusted rand score", "adjusted rand index"),
               needs="labels", low=-1.0, high=1.0),
    MetricSpec("nmi", "Normalised mutual information", True,
               ("normalized mutual information", "normalised mutual information", "normalized mutual info"),
               needs="labels", low=0.0, high=1.0),
    MetricSpec("rand_index", "Rand index", True, ("rand score",), needs="labels", low=0.0, high=1.0),
)}  # fmt: skip
"""`cluster_quality`, the default, is the mean of silhouette, Gaussian information and reproducibility, which counts
three times (see `indices.quality`). Metrics that need labels are measured where a column of labels is named, and choose
nothing unless the user asks for one of them."""

EXTERNAL = tuple(name for name, spec in METRICS.items() if spec.needs == "labels")


def score(metric: str, truth: Array, prediction: Array) -> float:
    """The metric's value; NaN for one that needs labels, without labels.

    Args:
        truth: (rows, 1 + dimensions): code of the label (NaN without one), then the point in the reference view.
        prediction: (rows, clusters) memberships; each row counts for the cluster that it belongs to most.

    Raises:
        KeyError: there is no such metric.
        ValueError: there are no rows, or a prediction is missing or infinite.
    """
    import numpy as np

    from automl_agent.tasks.tabular_clustering import indices

    if not len(truth):
        raise ValueError("There are no rows to score.")
    if not np.isfinite(prediction).all():
        raise ValueError("Predictions hold missing or infinite values.")
    labels, codes, points = prediction.argmax(axis=1), truth[:, 0], truth[:, 1:]
    if metric in EXTERNAL:
        known = np.isfinite(codes)
        if not known.any():
            return float("nan")
        external = {"ari": indices.adjusted_rand, "nmi": indices.mutual_information, "rand_index": indices.rand_index}
        return external[metric](codes[known].astype(np.int64), labels[known])
    internal = {QUALITY: indices.quality, "silhouette": indices.silhouette, "davies_bouldin": indices.davies_bouldin,
                "calinski_harabasz": indices.calinski_harabasz, "modularity": indices.modularity}  # fmt: skip
    return internal[metric](points, labels)
