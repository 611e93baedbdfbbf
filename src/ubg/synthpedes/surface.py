"""Projection of the body, and surfaces with elliptical cross-sections."""

from collections.abc import Sequence
from itertools import pairwise
from math import atan2, cos, hypot, pi, sin

from ubg.synthpedes.canvas import Canvas, Point


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
        self.yaw, self.cos, self.sin = yaw, cos(yaw), sin(yaw)
        self.scale, self.centre, self.ground = scale, centre, ground

    def lowered(self, drop: float) -> "View":
        """The same view of a body that is moved down by a fraction of its height."""
        return View(self.yaw, self.scale, self.centre, self.ground + self.scale * drop)

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
