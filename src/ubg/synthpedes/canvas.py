"""What everything is drawn on: which part covers each pixel, and how light the surface is there.

A part is one thing that a caption may name. Pixels hold parts, not colours: colours come from a
palette at the end, so the pixels of a part that remain visible can be counted exactly.
"""

from collections.abc import Sequence
from enum import IntEnum
from math import hypot

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 64, 192
MARGIN = 24  # drawn beyond the picture, so that what a crop cuts off is known
SUPERSAMPLING = 3
NEUTRAL = 128  # tone at which a surface shows its own colour

Point = tuple[float, float]


class Part(IntEnum):
    """What a pixel belongs to. A part ending in 2 is the second colour of the one before."""

    BACKGROUND = 0
    FACE = 1
    NECK = 2
    ARM = 3
    HAND = 4
    LEG = 5
    HAIR = 6
    BEARD = 7
    EYE = 8
    LIPS = 9
    GLASSES = 10
    HAT = 11
    HAT_BRIM = 12
    UPPER = 13
    UPPER2 = 14
    SLEEVE = 15
    SLEEVE2 = 16
    TAIL = 17  # what of a coat or dress hangs below the hips
    TAIL2 = 18
    COLLAR = 19
    HOOD = 20
    ZIP = 21
    BUTTON = 22
    INNER = 23
    INNER_SLEEVE = 24
    PRINT = 25
    LOWER = 26
    LOWER2 = 27
    SHOES = 28
    SOLE = 29
    BACKPACK = 30
    BACKPACK_TRIM = 31
    BACKPACK_STRAP = 32
    BAG = 33
    BAG_TRIM = 34
    BAG_STRAP = 35
    SUITCASE = 36
    SUITCASE_TRIM = 37
    PHONE = 38
    UMBRELLA = 39
    UMBRELLA_HANDLE = 40
    BOTTLE = 41
    BOTTLE_CAP = 42
    CUP = 43
    CUP_LID = 44
    FOLDER = 45
    EARS = 46
    BROWS = 47
    HANGING_HAIR = 48
    TIED_HAIR = 49


STRANGER = 64  # added to the parts of another pedestrian
OCCLUDER = 128  # first of the entries of things in front


class Canvas:
    """Two drawings of one scene: parts (supersampled) and tones (one to one, blurred later).

    Coordinates are pixels of the finished picture, (0, 0) its top left corner; drawing reaches
    `MARGIN` pixels beyond it.
    """

    def __init__(self) -> None:
        width, height = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN
        self.parts = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING), 0)
        self.tones = Image.new("L", (width, height), NEUTRAL)
        self.offset = 0
        self._parts = ImageDraw.Draw(self.parts)
        self._tones = ImageDraw.Draw(self.tones)

    def polygon(self, points: Sequence[Point], part: int) -> None:
        """Fill with a part, at neutral tone."""
        s = SUPERSAMPLING
        self._parts.polygon(
            [((x + MARGIN) * s, (y + MARGIN) * s) for x, y in points], part + self.offset
        )
        self._tones.polygon([(x + MARGIN, y + MARGIN) for x, y in points], NEUTRAL)

    def ellipse(self, x: float, y: float, rx: float, ry: float, part: int) -> None:
        """Fill an upright ellipse with a part."""
        s = SUPERSAMPLING
        x, y = x + MARGIN, y + MARGIN
        self._parts.ellipse(
            ((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s), part + self.offset
        )
        if rx > 1.5:
            self._tones.ellipse((x - rx, y - ry, x + rx, y + ry), NEUTRAL)

    def line(self, points: Sequence[Point], width: float, part: int) -> None:
        """A line of a given width, drawn with a part."""
        s = SUPERSAMPLING
        self._parts.line(
            [((x + MARGIN) * s, (y + MARGIN) * s) for x, y in points],
            part + self.offset,
            max(1, round(width * s)),
            joint="curve",
        )

    def tone(self, points: Sequence[Point], value: float) -> None:
        """Fill with a tone only."""
        self._tones.polygon([(x + MARGIN, y + MARGIN) for x, y in points], _tone(value))

    def crease(self, points: Sequence[Point], value: float, width: int = 1) -> None:
        """A line of another tone: folds, seams, edges."""
        self._tones.line([(x + MARGIN, y + MARGIN) for x, y in points], _tone(value), width)

    def limb(
        self,
        points: Sequence[Point],
        radii: Sequence[float],
        part: int,
        light: float,
        hem: bool = False,
    ) -> None:
        """A limb along `points` with these radii, rounded at the joints and lit from one side.

        Args:
            points: joints, in pixels.
            radii: of the limb at the joints, in pixels.
            part: what it is.
            light: where the light comes from, -1 left to 1 right.
            hem: end straight, as cloth does.
        """
        left, right = outline(points, radii)
        cast = round(radii[0] + radii[-1]) + 3
        self.crease([(x - light, y + 1.2) for x, y in points], 0.72, cast)
        for (x, y), r in list(zip(points, radii, strict=True))[: -1 if hem else None]:
            self.ellipse(x, y, r, r, part)
        self.polygon([*left, *reversed(right)], part)
        for side, sign in ((left, 1.0), (right, -1.0)):
            # Sides of a downward limb: `left` of its direction lies to the right of the picture.
            value = 1.0 + 0.14 * sign * light - 0.1
            inner = [
                (x + (px - x) * 0.35, y + (py - y) * 0.35)
                for (x, y), (px, py) in zip(side, points, strict=True)
            ]
            self.crease(inner, value, max(1, round(radii[0] * 0.55)))
        if hem:
            self.crease((left[-1], right[-1]), 0.66)


def fill(canvas: Canvas, points: Sequence[Point], part: int) -> None:
    """Fill a piece of a surface; nothing if the piece is out of sight."""
    if points:
        canvas.polygon(points, part)


def outline(points: Sequence[Point], radii: Sequence[float]) -> tuple[list[Point], list[Point]]:
    """Both borders of a band along `points` that is `radii` wide to either side."""
    left, right = [], []
    last = len(points) - 1
    for i, (x, y) in enumerate(points):
        x0, y0 = points[max(0, i - 1)]
        x1, y1 = points[min(last, i + 1)]
        length = hypot(x1 - x0, y1 - y0) or 1.0
        nx, ny = (y1 - y0) / length * radii[i], -(x1 - x0) / length * radii[i]
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left, right


def _tone(value: float) -> int:
    return max(0, min(255, round(NEUTRAL * value)))
