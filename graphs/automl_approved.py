"""The pipeline as a deployable graph that asks for approval of its plans before anything costly is done."""

from automl_agent import build_graph

graph = build_graph(require_approval=True)
