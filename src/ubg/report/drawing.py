"""Charts as inline SVG that follows the colours and the font of the page."""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from ubg.figures.style import FAINT, INK, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID, PAPER, BLACK = str(STYLE["grid.color"]), "#ffffff", "#000000"
FOLLOWS = {BLACK: "--ink", INK: "--ink", FAINT: "--faint", GRID: "--line", PAPER: "--paper"}
SMALL = {"font.size": 9, "axes.titlesize": 10, "axes.titlepad": 8, "lines.linewidth": 1.8}


def draw(
    name: str, alternative: str, size: tuple[float, float], content: "Callable[[Axes], None]"
) -> Markup:
    """Draw into one pair of axes; the same content gives the same text.

    Black and the colours of ink, grid and paper become variables of the page, so that a dark page
    has a dark chart. Letters stay letters, in the font of the page.

    Args:
        name: begins the ids inside the drawing, of which a page may have each once.
        alternative: what it shows, for those who do not see it.
        size: width and height in inches; 4.4 are read well on a telephone and beside another.
        content: draws.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    look = {**STYLE, **SMALL, "svg.fonttype": "none", "svg.hashsalt": name}
    with style.context(["default", look]):
        figure = Figure(figsize=size, layout="constrained")
        content(figure.add_subplot())
        written = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    return Markup(_for_a_page(written.getvalue(), name, alternative))  # noqa: S704 -- our own


def _for_a_page(svg: str, name: str, alternative: str) -> str:
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0]
    inside = svg[svg.index(">", svg.index("<svg")) + 1 :]
    inside = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", inside, flags=re.S
    )
    inside = re.sub(r'\bid="', f'id="{name}-', inside)
    inside = re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", inside)
    inside = re.sub(r"(font: [^;\"]*?px |font-family: )[^;\"]*", r"\g<1>var(--font)", inside)
    inside = re.sub(r">\s+<", "><", inside)
    for colour, variable in FOLLOWS.items():
        inside = inside.replace(colour, f"var({variable})")
    return (
        f'<svg class="drawing" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(alternative)}" style="max-width: {float(width) * 1.4:.0f}px">{inside}'
    ).rstrip()
