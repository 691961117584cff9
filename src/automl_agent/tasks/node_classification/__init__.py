"""The task family of node classification: labels for nodes of a graph."""

from automl_agent.tasks.node_classification.family import NodeFamily

FAMILY = NodeFamily()
