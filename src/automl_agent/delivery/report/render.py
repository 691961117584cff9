"""Writes the report: one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from automl_agent.delivery.report.content import ReportContent
from automl_agent.execution.home import write_durably

_HERE = Path(__file__).parent


def write_report(path: Path, content: ReportContent) -> None:
    """Write the report to `path`; a reader sees the old file or the new one, never a part.

    Every text is escaped by the template; the plots escape their own.

    Raises:
        OSError: when the file cannot be written.
    """
    page = render(content).encode("utf-8", "replace")  # a lone surrogate in a column's name must not stop the report
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, page.decode())


def render(content: ReportContent) -> str:
    """The whole page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from automl_agent.delivery.report.pictures import pictures
    from automl_agent.delivery.report.view import view

    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = Markup((_HERE / "style.css").read_text(encoding="utf-8"))  # our own file
    template = environment.get_template("template.html")
    return template.render(content=content, style=style, pictures=pictures(content), **view(content))
