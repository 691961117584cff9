"""The report of a run: one self-contained HTML page."""

from automl_agent.delivery.report.content import ReportContent
from automl_agent.delivery.report.render import write_report

__all__ = ["ReportContent", "write_report"]
