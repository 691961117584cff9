"""The task family of tabular classification."""

from automl_agent.tasks.tables.family import TableFamily

FAMILY = TableFamily("classification")
