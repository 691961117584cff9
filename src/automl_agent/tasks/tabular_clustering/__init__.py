"""Clusters of the rows of a table. The family is found through the entry point of this package."""

from automl_agent.tasks.tabular_clustering.family import ClusterFamily

FAMILY = ClusterFamily()
