"""Outlines of plans for graphs: three that differ in what they take from the neighbours."""

from __future__ import annotations

from automl_agent.tasks.family import Blueprint

BLUEPRINTS = (
    Blueprint(
        title="Simple models on propagated features",
        hypothesis="Features averaged over one, two and three hops hold most of what a graph network would learn.",
        models=("sgc_linear", "sgc_lightgbm", "correct_and_smooth"),
        steps=(),
        emphasis="speed",
    ),
    Blueprint(
        title="Graph networks",
        hypothesis="A network that mixes features along the edges while it learns finds what a fixed mean hides.",
        models=("appnp", "gcn"),
        steps=(),
        emphasis="score",
    ),
    Blueprint(
        title="Labels alone, and features alone",
        hypothesis="Where neighbours share labels these spread well by themselves; where they do not, edges mislead.",
        models=("label_propagation", "features_linear"),
        steps=(),
        emphasis="robustness",
    ),
)
