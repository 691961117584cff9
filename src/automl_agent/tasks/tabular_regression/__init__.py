"""The task family of tabular regression."""

from automl_agent.tasks.tables.family import TableFamily

FAMILY = TableFamily("regression")
