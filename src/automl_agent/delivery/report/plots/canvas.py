"""Where a plot is drawn: a figure in CSS pixels, and its SVG in the colours and the font of the page.

Only matplotlib's object API is used, and none of its global settings is read for text or changed. Text is written as
text, measured by a table instead of a font file, and never parsed as mathematics: a column may be called `$x_{1$` or
bear a name in any script.
"""

from __future__ import annotations

import html
import re
import unicodedata
from io import StringIO
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from automl_agent.delivery.words import compact

INK, MUTED, LINE = "#1b1f24", "#5c6671", "#dde2e7"
ACCENT, SOFT, WARN, PAPER = "#1f5fbf", "#c5d7f2", "#c2410c", "#fefefe"
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", SOFT: "soft", WARN: "warn", PAPER: "paper"}

TEXT = 11.5
"""Size of text in CSS pixels, when the plot is shown in its natural width."""
WIDTH = 440


def chart(
    height: int, *, width: int = WIDTH, left: float = 8, right: float = 12, top: float = 10, bottom: float = 26
) -> Any:
    """Axes on a figure of their own; all lengths in CSS pixels, margins are measured from the edges."""
    figure: Any = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.set_layout_engine("none")  # whatever the host prefers
    FigureCanvasAgg(figure)
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    axes = figure.add_axes(box, facecolor="none")
    figure.patch.set_visible(False)
    axes.grid(visible=False)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set(color=LINE, linewidth=1)
    axes.tick_params(which="both", length=0, labelsize=TEXT, labelcolor=MUTED, pad=5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: compact(float(value))))
    axes.set_axisbelow(True)
    return axes


def grid(axes: Any, axis: str = "y") -> None:
    axes.grid(visible=True, axis=axis, color=LINE, linewidth=0.8, linestyle="-", alpha=1.0)


def names(axes: Any, x: str = "", y: str = "") -> None:
    """Name the axes: x below at the right end, y above at the left end, both upright."""
    axes.annotate(
        x, (1, 0), (0, -20), xycoords="axes fraction", textcoords="offset points", ha="right", va="top",
        fontsize=TEXT, color=MUTED,
    )  # fmt: skip
    label(axes, 0, 1, y, transform=axes.transAxes, va="bottom", color=MUTED, x_shift=-2, y_shift=6)


def label(axes: Any, x: Any, y: Any, text: str, *, x_shift: float = 0, y_shift: float = 0, **style: Any) -> None:
    """Text at a point, moved by so many pixels."""
    transform = style.pop("transform", axes.transData)
    style = {"fontsize": TEXT, "color": INK, "va": "center"} | style
    axes.annotate(
        text, (x, y), (x_shift, y_shift), xycoords=transform, textcoords="offset points", parse_math=False,
        annotation_clip=False, **style,
    )  # fmt: skip


def width_of(text: str, size: float = TEXT) -> float:
    """Approximate width of a text in the page's font, in CSS pixels."""
    return size * sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in "iljI.,:;'|!()[] ft":
        return 0.32
    if letter in "mwMW%@—":
        return 0.86
    return 0.7 if letter.isupper() else 0.59


def svg(axes: Any, name: str, alternative: str) -> str:
    """The figure as an inline `<svg>` element; `name` starts its ids and must be unique in the page."""
    figure = axes.figure
    width, height = (float(length) * 72 for length in figure.get_size_inches())
    buffer = StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    renderer: Any = _Renderer(width, height, buffer, image_dpi=72, metadata=nothing)  # type: ignore[no-untyped-call]
    figure.draw(renderer)
    renderer.finalize()
    source = buffer.getvalue()
    body = source[source.index(">", source.index("<svg")) + 1 :]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)  # it styles the whole page
    opening = (
        f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" style="max-width:{1.14 * width:g}px" role="img" '
        f'aria-label="{html.escape(alternative, quote=True)}">'
    )
    return opening + _tidy(body, name)


def _tidy(body: str, name: str) -> str:
    """Short unique ids, theme colours instead of fixed ones, and no namespaces."""
    tags = re.compile(r"<[a-zA-Z][^>]*>")  # text is escaped, so that `<` and `>` delimit tags
    referenced = set(re.findall(r'(?:href="#|url\(#)([^")]+)', "".join(tags.findall(body))))
    ids = {old: f"{name}-{index}" for index, old in enumerate(sorted(referenced, key=body.index))}

    def clean(match: re.Match[str]) -> str:
        tag = match.group().replace("xlink:href", "href")
        tag = re.sub(r' id="([^"]*)"', lambda found: f' id="{ids[found[1]]}"' if found[1] in ids else "", tag)
        tag = re.sub(r'(?<=[ "]href="#)[^"]+|(?<=url\(#)[^)]+', lambda found: ids[found[0]], tag)
        return re.sub(r"(?<=: )#[0-9a-f]{6}", lambda found: _color(found[0]), tag)

    return re.sub(r"\n\s*", "\n", tags.sub(clean, body)).strip()


def _color(value: str) -> str:
    return f"var(--{_VARIABLES[value]})" if value in _VARIABLES else value


class _Renderer(RendererSVG):
    """Writes text as `<text>` elements in the font of the page."""

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:  # noqa: ARG002
        size = prop.get_size_in_points()
        return width_of(s, size), 0.95 * size, 0.22 * size

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,  # noqa: ARG002
        mtext: Any = None,
    ) -> None:
        anchor, share = {"center": ("middle", 0.5), "right": ("end", 1.0)}.get(
            mtext.get_horizontalalignment() if mtext else "left", ("start", 0.0)
        )
        size = prop.get_size_in_points()
        weight = ";font-weight: 600" if prop.get_weight() in ("bold", "semibold", 600, 700) else ""
        attributes = {
            "x": f"{x + share * width_of(s, size):.1f}",
            "y": f"{y:.1f}",
            "text-anchor": anchor,
            "style": f"font-size: {size:g}px{weight};fill: {to_hex(gc.get_rgb()[:3])}",
        }
        if angle:
            attributes["transform"] = f"rotate({-angle:g} {x:.1f} {y:.1f})"
        writer: Any = self.writer
        writer.element("text", s, attrib=attributes)

    def draw_tex(self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, *, mtext: Any = None) -> None:
        """Reached only when the host has turned TeX on for its own plots."""
        self.draw_text(gc, x, y, s, prop, angle, False, mtext)
