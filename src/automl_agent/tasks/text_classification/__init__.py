"""The task family of text classification: single texts and pairs of texts."""

from automl_agent.tasks.text_classification.family import TextFamily

FAMILY = TextFamily()
