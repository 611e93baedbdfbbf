"""Where the pedestrian walks. Drawn at the size of the picture and slightly out of focus."""

import random

from PIL import Image, ImageDraw, ImageFilter

from ubg.synthpedes.canvas import HEIGHT, WIDTH

Colour = tuple[int, int, int]


def draw_background(rng: random.Random, ground: float) -> Image.Image:
    """A place, RGB 192 x 64, with the pedestrian's shadow on the ground.

    Args:
        rng: of everything in it.
        ground: vertical position of the feet in pixels.
    """
    image = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    horizon = rng.uniform(85, 140)
    place = rng.choice((_bricks, _shop, _street, _park, _crossing, _corridor))
    place(draw, rng, horizon)
    _shadow(image, rng, ground)
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.4)))


def _bricks(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: float) -> None:
    wall = _vary(rng, rng.choice(((150, 88, 68), (172, 140, 112), (128, 122, 118))))
    joint = _mix(wall, (205, 200, 192), 0.5)
    draw.rectangle((0, 0, WIDTH, horizon), joint)
    height, width = rng.randint(4, 7), rng.randint(10, 16)
    for row in range(int(horizon) // height + 1):
        for column in range(-1, WIDTH // width + 1):
            x = column * width + (row % 2) * width // 2
            draw.rectangle(
                (x, row * height, x + width - 2, min(horizon, row * height + height - 2)),
                _vary(rng, wall, 12),
            )
    _pavement(draw, rng, horizon)


def _shop(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: float) -> None:
    frame = _vary(rng, rng.choice(((60, 60, 66), (120, 84, 52), (196, 196, 190))))
    draw.rectangle((0, 0, WIDTH, horizon), frame)
    sign = _vary(rng, rng.choice(((168, 52, 48), (48, 88, 140), (52, 112, 78), (214, 176, 84))))
    draw.rectangle((0, rng.randint(0, 8), WIDTH, 26), sign)
    for x in range(rng.randint(2, 14), WIDTH, rng.randint(9, 14)):
        draw.rectangle((x, 13, x + 5, 20), _mix(sign, (255, 255, 255), 0.7))
    edge = rng.randint(-10, 30)
    for x in (edge, edge + 44):
        draw.rectangle((x, 32, x + 38, horizon - 8), (112, 134, 146))
        for _ in range(5):
            left, top = x + rng.randint(2, 30), rng.randint(48, int(horizon) - 22)
            goods = _vary(rng, (150, 130, 120), 60)
            draw.rectangle((left, top, left + rng.randint(4, 9), horizon - 10), goods)
        draw.line((x + 5, horizon - 12, x + 24, 34), (168, 188, 196), 2)
    _pavement(draw, rng, horizon)


def _street(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: float) -> None:
    draw.rectangle((0, 0, WIDTH, horizon), _vary(rng, (186, 206, 224)))
    x = -rng.randint(0, 20)
    while x < WIDTH:
        width, top = rng.randint(18, 36), rng.randint(-20, 45)
        house = _vary(rng, rng.choice(((176, 160, 140), (142, 140, 146), (190, 178, 160))), 16)
        draw.rectangle((x, top, x + width, horizon), house)
        for wy in range(top + 8, int(horizon) - 10, 17):
            for wx in range(x + 4, x + width - 5, 10):
                draw.rectangle((wx, wy, wx + 5, wy + 9), _mix(house, (52, 62, 78), 0.7))
        x += width
    road = horizon + rng.uniform(8, 20)
    draw.rectangle((0, horizon, WIDTH, HEIGHT), _vary(rng, (92, 92, 96)))
    if rng.random() < 0.6:
        _parked_car(draw, rng, road)
    _slabs(draw, rng, road + 12)


def _parked_car(draw: ImageDraw.ImageDraw, rng: random.Random, bottom: float) -> None:
    x, paint = rng.randint(-40, 34), _vary(rng, (128, 128, 132), 70)
    draw.rounded_rectangle((x, bottom - 24, x + 72, bottom - 4), 6, paint)
    draw.polygon(
        [
            (x + 12, bottom - 23),
            (x + 22, bottom - 38),
            (x + 52, bottom - 38),
            (x + 62, bottom - 23),
        ],
        _mix(paint, (40, 50, 60), 0.6),
    )
    for wheel in (x + 14, x + 56):
        draw.ellipse((wheel - 6, bottom - 11, wheel + 6, bottom + 1), (34, 34, 36))


def _park(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: float) -> None:
    draw.rectangle((0, 0, WIDTH, horizon), _vary(rng, (172, 200, 216)))
    grass = _vary(rng, (104, 138, 76), 14)
    for _ in range(14):
        x, y, r = rng.randint(-6, 70), rng.uniform(10, horizon - 16), rng.randint(9, 20)
        draw.ellipse((x - r, y - r, x + r, y + r), _vary(rng, _mix(grass, (56, 92, 52), 0.6), 16))
    for _ in range(rng.randint(1, 3)):
        x, w = rng.randint(0, WIDTH), rng.randint(2, 5)
        draw.rectangle((x - w, horizon - 70, x + w, horizon + 6), _vary(rng, (92, 72, 54)))
    draw.rectangle((0, horizon, WIDTH, HEIGHT), grass)
    path = _vary(rng, (188, 172, 144))
    near, far = rng.randint(-20, 10), rng.randint(10, 40)
    draw.polygon([(far, horizon), (far + 16, horizon), (near + 90, HEIGHT), (near, HEIGHT)], path)


def _crossing(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: float) -> None:
    _street(draw, rng, horizon)
    draw.rectangle((0, horizon + 12, WIDTH, HEIGHT), _vary(rng, (84, 84, 88)))
    top, step = horizon + rng.uniform(12, 20), rng.uniform(13, 20)
    slant = rng.uniform(-14, 14)
    x = -30.0
    while x < WIDTH + 30:
        draw.polygon(
            [(x, top), (x + step / 2, top), (x + step * 0.7 + slant, HEIGHT), (x + slant, HEIGHT)],
            (206, 206, 200),
        )
        x += step


def _corridor(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: float) -> None:
    wall = _vary(rng, rng.choice(((206, 202, 192), (182, 194, 202), (196, 186, 170))))
    draw.rectangle((0, 0, WIDTH, horizon), wall)
    draw.rectangle((0, horizon * 0.55, WIDTH, horizon), _mix(wall, (120, 116, 112), 0.35))
    centre = rng.randint(12, 52)
    draw.rectangle((centre - 14, 28, centre + 14, horizon), _mix(wall, (84, 76, 70), 0.55))
    draw.rectangle((centre - 9, 38, centre + 9, horizon * 0.6), _mix(wall, (160, 190, 206), 0.6))
    for x in range(rng.randint(0, 20), WIDTH, 30):
        draw.rectangle((x, 4, x + 16, 8), (246, 246, 238))
    floor = _vary(rng, (158, 152, 144))
    draw.rectangle((0, horizon, WIDTH, HEIGHT), floor)
    for i in range(-8, 16):
        x = centre + i * 9
        draw.line((x, horizon, centre + i * 22, HEIGHT), _mix(floor, (96, 92, 88), 0.5))
    y = horizon
    while y < HEIGHT:
        draw.line((0, y, WIDTH, y), _mix(floor, (96, 92, 88), 0.5))
        y += 3 + (y - horizon) * 0.3


def _pavement(draw: ImageDraw.ImageDraw, rng: random.Random, horizon: float) -> None:
    draw.rectangle((0, horizon, WIDTH, HEIGHT), (70, 68, 66))
    _slabs(draw, rng, horizon + 2)


def _slabs(draw: ImageDraw.ImageDraw, rng: random.Random, top: float) -> None:
    stone = _vary(rng, (166, 162, 156), 14)
    draw.rectangle((0, top, WIDTH, HEIGHT), stone)
    vanish, seam = rng.randint(0, WIDTH), _mix(stone, (90, 88, 86), 0.5)
    for i in range(-6, 8):
        draw.line((vanish + i * 14, top, vanish + i * 30, HEIGHT), seam)
    y = top
    while y < HEIGHT:
        draw.line((0, y, WIDTH, y), seam)
        y += 5 + (y - top) * 0.25


def _shadow(image: Image.Image, rng: random.Random, ground: float) -> None:
    lean = rng.uniform(-14, 14)
    shade = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(shade)
    draw.ellipse((14 + lean, ground - 5, 50 + lean, ground + 5), rng.randint(70, 150))
    image.paste((20, 20, 26), mask=shade.filter(ImageFilter.GaussianBlur(2)))


def _vary(rng: random.Random, colour: Colour, amount: int = 10) -> Colour:
    r, g, b = (max(0, min(255, c + rng.randint(-amount, amount))) for c in colour)
    return r, g, b


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b
