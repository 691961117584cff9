"""Outlines of plans for clusters: three that differ in the shape that they expect clusters to have."""

from __future__ import annotations

from automl_agent.tasks.family import Blueprint

BLUEPRINTS = (
    Blueprint(
        title="Compact clusters around centres",
        hypothesis="Clusters are clouds: centres, or Gaussians of common shape, describe them and new rows are quick.",
        models=("kmeans", "gaussian_mixture"),
        steps=(),
        emphasis="score",
    ),
    Blueprint(
        title="Clusters that grow together",
        hypothesis="Clusters differ in size and width: joining the nearest rows pair by pair finds them.",
        models=("ward", "gaussian_mixture"),
        steps=(),
        emphasis="robustness",
    ),
    Blueprint(
        title="Clusters of any shape",
        hypothesis="Clusters are dense regions with thin places between them, whatever their outline.",
        models=("spectral", "hdbscan", "ward"),
        steps=(),
        emphasis="score",
    ),
)
