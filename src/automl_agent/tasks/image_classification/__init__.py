"""The task family of image classification."""

from automl_agent.tasks.image_classification.family import ImageFamily

FAMILY = ImageFamily()
