"""What everything is drawn on: which part covers each pixel, and how light the surface is there.

A part is one thing that a caption may name. Pixels hold parts, not colours: colours come from a
palette at the end, so the pixels of a part that remain visible can be counted exactly.
"""

from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise
from math import atan2, cos, hypot, pi, sin

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
    BELT = 28
    SHOES = 29
    SOLE = 30
    BACKPACK = 31
    BACKPACK_TRIM = 32
    BACKPACK_STRAP = 33
    BAG = 34
    BAG_TRIM = 35
    BAG_STRAP = 36
    SUITCASE = 37
    SUITCASE_TRIM = 38
    PHONE = 39
    UMBRELLA = 40
    UMBRELLA_HANDLE = 41
    BOTTLE = 42
    BOTTLE_CAP = 43
    CUP = 44
    CUP_LID = 45
    FOLDER = 46
    FOLDER_TRIM = 47
    EARS = 48
    BROWS = 49
    HANGING_HAIR = 50
    TIED_HAIR = 51


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


class View:
    """Orthographic projection of the body frame (x to the person's left, y up, z forward).

    Args:
        yaw: radians; 0 faces the camera, pi / 2 faces right, pi shows the back.
        scale: pixels of one body height.
        centre: horizontal position in pixels.
        ground: vertical position of the ground in pixels.
    """

    tilt = 0.14  # the camera looks down: nearer points lie lower

    def __init__(self, yaw: float, scale: float, centre: float, ground: float) -> None:
        self.cos, self.sin = cos(yaw), sin(yaw)
        self.scale, self.centre, self.ground = scale, centre, ground

    def depth(self, x: float, z: float) -> float:
        """Distance towards the camera in body heights."""
        return z * self.cos - x * self.sin

    def point(self, x: float, y: float, z: float) -> Point:
        """Where a point of the body lies in the picture."""
        return (
            self.centre + self.scale * (x * self.cos + z * self.sin),
            self.ground - self.scale * (y - self.tilt * self.depth(x, z)),
        )


Ring = tuple[float, float, float, float]  # height, half width, half depth, z of the centre


class Surface:
    """A body of elliptical cross-sections, seen from a view.

    A point of a ring is (a sin t, b cos t) with t = 0 in front; turned by the yaw its horizontal
    position is R sin(t + d), and it faces the camera where cos(t + d) > 0.
    """

    def __init__(self, view: View, rings: Sequence[Ring], x: float = 0.0) -> None:
        self.view = view
        self.heights = [ring[0] for ring in rings]
        self.rings = []
        for y, a, b, z in rings:
            across, along = a * view.cos, b * view.sin
            centre = view.point(x, y, z)
            radius, turn = hypot(across, along) * view.scale, atan2(along, across)
            depth = hypot(a * view.sin, b * view.cos) * view.scale * view.tilt
            self.rings.append((centre[0], centre[1], radius, turn, depth))

    def ring(self, y: float) -> tuple[float, ...]:
        """Centre x and y, radius, turn and drop of the cross-section at a height."""
        heights = self.heights
        if y >= heights[0]:
            return self.rings[0]
        for i in range(1, len(heights)):
            if y >= heights[i]:
                f = (heights[i - 1] - y) / (heights[i - 1] - heights[i])
                above, below = self.rings[i - 1], self.rings[i]
                return tuple(p + (q - p) * f for p, q in zip(above, below, strict=True))
        return self.rings[-1]

    def at(self, angle: float, y: float, near: float | None = None) -> tuple[float, float, bool]:
        """Position of a surface point, and whether it faces the camera.

        A hidden point is put on the contour, on the side where a piece of the surface round the
        angle `near` (the point itself unless given) goes out of sight.
        """
        cx, cy, radius, turn, drop = self.ring(y)
        near = angle if near is None else near
        t = (near + turn + pi) % (2 * pi) - pi + angle - near
        visible = abs(t) < pi / 2
        if not visible:
            t = pi / 2 if t > 0 else -pi / 2
        return cx + radius * sin(t), cy + drop * cos(t), visible

    def contour(self) -> list[Point]:
        """Outline, its lower edge curved as seen from above."""
        left = [(cx - r, cy) for cx, cy, r, _, _ in self.rings]
        right = [(cx + r, cy) for cx, cy, r, _, _ in self.rings]
        cx, cy, r, _, drop = self.rings[-1]
        hem = [(cx + r * u, cy + drop * v) for u, v in ((0.7, 0.71), (0.0, 1.0), (-0.7, 0.71))]
        return [*right, *hem, *reversed(left)]

    def sides_of(self, left: float, right: float) -> tuple[list[Point], list[Point]]:
        """What is visible of the surface but for the piece between two angles, in two parts."""
        heights, rings = self.heights, self.rings
        from_left = [(cx - r, cy) for cx, cy, r, _, _ in rings]
        from_right = [(cx + r, cy) for cx, cy, r, _, _ in rings]
        to_left = [self.at(left, y)[:2] for y in reversed(heights)]
        to_right = [self.at(right, y)[:2] for y in reversed(heights)]
        return [*from_left, *to_left], [*from_right, *to_right]

    def patch(self, left: float, right: float, top: float, bottom: float) -> list[Point]:
        """The visible piece between two angles and two heights; empty if it faces away."""
        middle = (left + right) / 2
        steps = max(2, round((top - bottom) / 0.04) + 1)
        heights = [top + (bottom - top) * i / (steps - 1) for i in range(steps)]
        if not any(self.at(a, heights[0], middle)[2] for a in (left, middle, right)):
            return []
        one = [self.at(left, y, middle)[:2] for y in heights]
        other = [self.at(right, y, middle)[:2] for y in heights]
        return [*one, self.at(middle, bottom)[:2], *reversed(other)]

    def draw(self, canvas: Canvas, part: int, light: float, opening: float | None = None) -> None:
        """Fill the contour, shaded as a lit cylinder, but for a gap in front `opening` wide."""
        if opening is not None:
            for piece in self.sides_of(-opening, opening):
                canvas.polygon(piece, part)
            return
        canvas.polygon(self.contour(), part)
        edges = (-1.0, -0.72, -0.38, 0.0, 0.38, 0.72, 1.0)
        for u0, u1 in pairwise(edges):
            u = (u0 + u1) / 2
            facing = (1 - u * u) ** 0.5 * 0.8 + 0.6 * u * light
            strip = [(cx + r * u0, cy) for cx, cy, r, _, _ in self.rings]
            strip += [(cx + r * u1, cy) for cx, cy, r, _, _ in reversed(self.rings)]
            canvas.tone(strip, 0.66 + 0.46 * max(0.0, facing))


def _tone(value: float) -> int:
    return max(0, min(255, round(NEUTRAL * value)))
