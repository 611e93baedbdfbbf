"""Things between the camera and the pedestrian. Their pixels hide parts, and captions notice."""

import random

import numpy as np

from ubg.synthpedes.body import draw_pose
from ubg.synthpedes.canvas import HEIGHT, OCCLUDER, STRANGER, WIDTH, Canvas
from ubg.synthpedes.figure import draw_person, palette
from ubg.synthpedes.identities import draw_identity
from ubg.synthpedes.surface import View

KINDS = ("pole", "car", "bench", "plant", "railing", "stranger")
CARS = (
    ((168, 172, 178), (52, 62, 72), (28, 28, 30)),
    ((96, 34, 36), (44, 52, 60), (24, 24, 26)),
    ((44, 62, 96), (60, 70, 82), (26, 26, 28)),
)


def draw_occluder(
    canvas: Canvas, rng: random.Random, kind: str, ground: float, table: np.ndarray
) -> None:
    """Draw one thing over a part of the picture.

    Args:
        canvas: drawn on.
        rng: of its place and shape.
        kind: one of `KINDS`.
        ground: where the pedestrian's feet stand, in pixels; nearer things stand lower.
        table: uint8 [256, 3], the palette; gets the colours of the thing.
    """
    if kind == "stranger":
        _stranger(canvas, rng, ground, table)
        return
    shade = rng.uniform(0.7, 1.2)
    main, detail, third = {
        "pole": ((112, 116, 118), (70, 72, 76), (210, 180, 60)),
        "car": rng.choice(CARS),
        "bench": ((136, 96, 60), (62, 60, 60), (110, 76, 46)),
        "plant": ((62, 104, 54), (86, 132, 70), (150, 92, 66)),
        "railing": ((88, 92, 96), (128, 132, 136), (60, 62, 66)),
    }[kind]  # fmt: skip
    for i, colour in enumerate((main, detail, third)):
        table[OCCLUDER + i] = np.clip(np.array(colour) * shade, 0, 255)
    draw = {
        "pole": _pole,
        "car": _car,
        "bench": _bench,
        "plant": _plant,
        "railing": _railing,
    }[kind]
    draw(canvas, rng, min(ground + 8, HEIGHT + 16))


def _pole(canvas: Canvas, rng: random.Random, bottom: float) -> None:
    x, w = rng.choice((rng.uniform(4, 20), rng.uniform(44, 60))), rng.uniform(3, 6)
    _box(canvas, x - w, -20, x + w, bottom, 0)
    canvas.crease([(x - w * 0.4, -20), (x - w * 0.4, bottom)], 1.3, 2)
    if rng.random() < 0.4:
        y = rng.uniform(10, 60)
        _box(canvas, x - 9, y, x + 9, y + 20, 2)
        _box(canvas, x - 7, y + 2, x + 7, y + 18, 1)


def _car(canvas: Canvas, rng: random.Random, bottom: float) -> None:
    top = bottom - rng.uniform(34, 66)
    left = rng.uniform(-60, 20)
    canvas.polygon(
        [(left - 8, top + 8), (left + 6, top), (left + 70, top), (left + 92, top + 10),
         (left + 100, bottom - 10), (left - 16, bottom - 10)], OCCLUDER
    )  # fmt: skip
    canvas.polygon(
        [(left + 2, top + 16), (left + 10, top + 4), (left + 66, top + 4), (left + 80, top + 16)],
        OCCLUDER + 1,
    )
    canvas.crease([(left, top + 22), (left + 96, top + 22)], 0.8)
    for x in (left + 8, left + 78):
        canvas.ellipse(x, bottom - 8, 11, 11, OCCLUDER + 2)
        canvas.ellipse(x, bottom - 8, 5, 5, OCCLUDER + 1)


def _bench(canvas: Canvas, rng: random.Random, bottom: float) -> None:
    left, top = rng.uniform(-30, 24), bottom - rng.uniform(40, 54)
    for x in (left + 5, left + 62):
        _box(canvas, x, top, x + 4, bottom, 1)
    for y in (top, top + 8, top + 22):
        _box(canvas, left, y, left + 70, y + 5, 0)
        canvas.crease([(left, y + 5), (left + 70, y + 5)], 0.6)


def _plant(canvas: Canvas, rng: random.Random, bottom: float) -> None:
    x, height = rng.choice((rng.uniform(0, 22), rng.uniform(42, 64))), rng.uniform(30, 70)
    _box(canvas, x - 9, bottom - 16, x + 9, bottom, 2)
    for i in range(16):
        y = bottom - 12 - height * rng.random()
        r = rng.uniform(4, 8)
        canvas.ellipse(x + rng.uniform(-11, 11), y, r, r * 0.8, OCCLUDER + i % 2)


def _railing(canvas: Canvas, rng: random.Random, bottom: float) -> None:
    top = bottom - rng.uniform(36, 60)
    _box(canvas, -24, top, WIDTH + 24, top + 4, 0)
    _box(canvas, -24, top + 16, WIDTH + 24, top + 19, 0)
    for x in range(-20 + rng.randint(0, 12), WIDTH + 24, 15):
        _box(canvas, x, top, x + 3, bottom, 1)


def _stranger(canvas: Canvas, rng: random.Random, ground: float, table: np.ndarray) -> None:
    """Another pedestrian, nearer to the camera and cut off by the border of the picture."""
    other = draw_identity(rng)
    colours = palette(other)
    table[STRANGER : STRANGER + len(colours)] = colours
    x = rng.choice((rng.uniform(-12, 0), rng.uniform(WIDTH, WIDTH + 12)))
    view = View(rng.uniform(-3.1, 3.1), rng.uniform(165, 190), x, ground + 6)
    canvas.offset = STRANGER
    draw_person(canvas, other, draw_pose(rng, "none", "none"), view, rng.uniform(-1, 1), rng)
    canvas.offset = 0


def _box(canvas: Canvas, x0: float, y0: float, x1: float, y1: float, shade: int) -> None:
    canvas.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], OCCLUDER + shade)
