"""The one look of all figures: colours, fonts, size, reproducible files."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.ImageFont import FreeTypeFont

# Colours that the colour-blind can tell apart, after Okabe and Ito (2008).
BLUE, ORANGE = "#0072b2", "#d55e00"
INK = "#222222"
FAINT = "#8a8a8a"

DPI = 110
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 2.2,
    "legend.frameon": False,
}


@contextmanager
def figure(path: str | Path, width: float, height: float) -> Iterator["Figure"]:
    """A figure of `width` x `height` inches, written as PNG to `path` when the block ends well.

    DVC shows an image pixel by pixel, so 10 inches (1,100 pixels) fill a page. The same content
    gives the same bytes.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        drawing = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        yield drawing
        drawing.savefig(path, format="png", dpi=DPI, metadata={"Software": None})


def font(size: int, bold: bool = False) -> "FreeTypeFont":
    """The font of the figures for drawing with PIL, `size` in pixels."""
    from PIL import ImageFont

    return ImageFont.truetype(_font_file("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"), size)


def undrawable(texts: Iterable[str]) -> str | None:
    """A line about the characters that the font has not, which become boxes; None if it has all.

    No other font steps in: which ones there are depends on the machine, and so would the picture.
    """
    from matplotlib.ft2font import FT2Font

    known = FT2Font(str(_font_file("DejaVuSans.ttf"))).get_charmap()
    used = sorted({letter for text in texts for letter in text if not letter.isspace()})
    lacking = [f"U+{ord(letter):04X}" for letter in used if ord(letter) not in known]
    if not lacking:
        return None
    shown = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if lacking[5:] else "")
    return f"Boxes: the font has no {shown}"


def _font_file(name: str) -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
