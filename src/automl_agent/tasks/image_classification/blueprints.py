"""Outlines of plans for images: features that were thought out, a network that is learned, one that was learned."""

from __future__ import annotations

from automl_agent.tasks.family import Blueprint

BLUEPRINTS = (
    Blueprint(
        title="Gradients and colours into a kernel machine",
        hypothesis="Histograms of gradients hold the shape; a smooth kernel on them needs few images.",
        models=("hog_kernel", "hog_linear"),
        steps=(),
        emphasis="robustness",
    ),
    Blueprint(
        title="A small network trained on these images",
        hypothesis="Convolutions find the features that these classes differ by, and err otherwise than fixed ones.",
        models=("small_network",),
        steps=(),
        emphasis="score",
    ),
    Blueprint(
        title="What was learned from other images",
        hypothesis="A network that has seen a million photographs knows textures and parts; a linear head will do.",
        models=("backbone_head", "lightgbm_images"),
        steps=(),
        emphasis="score",
    ),
)
