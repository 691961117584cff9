"""The pipeline as a deployable graph: rule-based agents, local workers, the embedded knowledge store."""

from automl_agent import build_graph

graph = build_graph()
