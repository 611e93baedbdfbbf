"""Head, face, hair and what is worn on it."""

from ubg.synthpedes.canvas import Canvas, Part
from ubg.synthpedes.identities import Identity
from ubg.synthpedes.surface import Ring, Surface, View

TOP, CHIN = 1.0, 0.868
SKULL: tuple[Ring, ...] = (
    (TOP, 0.012, 0.016, 0.0),
    (0.994, 0.028, 0.034, 0.0),
    (0.982, 0.041, 0.048, 0.0),
    (0.962, 0.049, 0.057, 0.0),
    (0.938, 0.051, 0.059, 0.001),
    (0.915, 0.048, 0.055, 0.003),
    (0.895, 0.042, 0.048, 0.008),
    (0.88, 0.031, 0.037, 0.014),
    (CHIN, 0.014, 0.018, 0.022),
)
# How far round from the front the face reaches at each height, before the hair begins.
HAIRLINE = ((0.972, 0.55), (0.962, 0.85), (0.945, 1.02), (0.925, 1.3), (0.905, 1.7), (0.868, 2.1))
LONG_HAIRLINE = ((0.974, 0.4), (0.962, 0.75), (0.94, 0.95), (0.915, 1.0), (0.89, 1.1), (0.868, 1.6))


def draw_back_hair(canvas: Canvas, view: View, identity: Identity, light: float) -> None:
    """Hair that hangs: behind the neck from the front, over the clothes from behind."""
    if identity.hair in ("long", "shoulder-length"):
        end = 0.755 if identity.hair == "long" else 0.838
        rings: list[Ring] = [
            (0.975, 0.05, 0.056, -0.004),
            (0.94, 0.059, 0.06, -0.012),
            (0.9, 0.062, 0.055, -0.018),
            (0.86, 0.061, 0.045, -0.026),
        ]
        if identity.hair == "long":
            rings += [(0.81, 0.058, 0.03, -0.048), (0.775, 0.046, 0.026, -0.056)]
        rings.append((end, 0.036 if identity.hair == "long" else 0.055, 0.022, -0.05))
        hair = Surface(view, rings)
        hair.draw(canvas, Part.HANGING_HAIR, light)
        for angle in (2.5, 2.9, -2.9, -2.5):
            strand = [hair.at(angle, y) for y in (0.93, 0.87, end + 0.01)]
            if strand[0][2]:
                canvas.crease([p[:2] for p in strand], 0.75)
    elif identity.hair == "ponytail":
        tail = [view.point(0, y, z) for y, z in ((0.965, -0.055), (0.93, -0.085), (0.82, -0.078))]
        canvas.limb(tail, [view.scale * r for r in (0.014, 0.022, 0.009)], Part.TIED_HAIR, light)


def draw_head(canvas: Canvas, view: View, identity: Identity, light: float, old: bool) -> None:
    """Skull, face, hair, glasses and hat, whatever of them faces the camera."""
    skull = Surface(view, SKULL)
    if identity.hair == "bald":
        skull.draw(canvas, Part.FACE, light)
    else:
        _draw_hair_and_face(canvas, view, identity, light)
    _draw_features(canvas, view, skull, identity)
    if old:
        for side in (0.45, -0.45):
            canvas.crease([skull.at(side, y)[:2] for y in (0.912, 0.893)], 0.8)
    if identity.hat != "none":
        _draw_hat(canvas, view, identity, light)


def _draw_hair_and_face(canvas: Canvas, view: View, identity: Identity, light: float) -> None:
    hanging = identity.hair in ("long", "shoulder-length")
    volume = {"curly": 1.2, "long": 1.12, "shoulder-length": 1.13}.get(identity.hair, 1.07)
    top = 0.012 if identity.hair == "curly" else 0.006
    nape = 0.868 if hanging else 0.893
    cap = [
        (y + top * (y > 0.95), a * volume, b * volume, z - 0.003)
        for y, a, b, z in SKULL
        if y >= nape
    ]
    # The jaw shows below the hair, also from behind.
    Surface(view, SKULL).draw(canvas, Part.FACE, light)
    hair = Surface(view, cap)
    hair.draw(canvas, Part.HAIR, light)
    if identity.hair == "curly":
        for i in range(9):
            x, y, _ = hair.at(-1.4 + 0.7 * (i % 5) + (i > 4) * 3.0, 0.965 + 0.02 * (i % 2))
            canvas.ellipse(x, y, view.scale * 0.016, view.scale * 0.014, Part.HAIR)
            canvas.crease([(x - 1, y), (x + 1, y - 1)], 1.35)
    if identity.hair == "bun":
        x, y = view.point(0, 0.985, -0.05)
        canvas.ellipse(x, y, view.scale * 0.026, view.scale * 0.024, Part.TIED_HAIR)
        canvas.crease([(x - 2, y + 1), (x + 2, y + 1)], 0.7)
    face = Surface(view, [(y, a * 1.02, b * 1.02, z) for y, a, b, z in SKULL])
    line = LONG_HAIRLINE if hanging else HAIRLINE
    sides = [[face.at(sign * angle, y, 0.0) for y, angle in line] for sign in (-1, 1)]
    if view.cos > -0.6:
        middle = [face.at(t, 0.976, 0.0)[:2] for t in (-0.3, 0.0, 0.3)]
        chin = [face.at(t, CHIN + 0.001, 0.0)[:2] for t in (0.9, 0.0, -0.9)]
        edge = [p[:2] for p in sides[1]], [p[:2] for p in reversed(sides[0])]
        canvas.polygon([*middle, *edge[0], *chin, *edge[1]], Part.FACE)
        canvas.crease(edge[0][:3], 0.82)
        canvas.crease(edge[1][-3:], 0.82)


def _draw_features(canvas: Canvas, view: View, skull: Surface, identity: Identity) -> None:
    s = view.scale
    for side in (1.5, -1.5):
        x, y, visible = skull.at(side, 0.928)
        if visible and identity.hair in ("short", "bald", "bun", "ponytail"):
            canvas.ellipse(x, y, s * 0.007, s * 0.014, Part.EARS)
            canvas.crease([(x, y - 1), (x, y + 1)], 0.78)
    nose = view.point(0, 0.917, 0.072)
    bridge, base = skull.at(0, 0.937), skull.at(0, 0.908)
    if bridge[2]:
        canvas.polygon([bridge[:2], nose, base[:2]], Part.FACE)
        canvas.crease([nose, base[:2]], 0.78)
    if identity.beard:
        beard = skull.patch(-1.35, 1.35, 0.902, CHIN - 0.002)
        if beard:
            canvas.polygon(beard, Part.BEARD)
    mouth = [skull.at(t, 0.894) for t in (-0.34, 0.0, 0.34)]
    if mouth[1][2]:
        canvas.line([p[:2] for p in mouth], s * 0.008, Part.LIPS)
    for side in (0.42, -0.42):
        x, y, visible = skull.at(side, 0.935)
        if not visible:
            continue
        canvas.ellipse(x, y, s * 0.0065, s * 0.0055, Part.EYE)
        brow = [skull.at(side + t, 0.949)[:2] for t in (-0.16, 0.16)]
        canvas.line(brow, s * 0.006, Part.BROWS)
    if identity.glasses != "none":
        _draw_glasses(canvas, view, skull, dark=identity.glasses == "sunglasses")


def _draw_glasses(canvas: Canvas, view: View, skull: Surface, dark: bool) -> None:
    s = view.scale
    for side in (1, -1):
        inner, outer = skull.at(side * 0.16, 0.936), skull.at(side * 0.78, 0.936)
        if inner[2] and abs(outer[0] - inner[0]) > 0.02 * s:
            x, r = (inner[0] + outer[0]) / 2, abs(outer[0] - inner[0]) / 2
            y = (inner[1] + outer[1]) / 2
            if dark:
                canvas.ellipse(x, y, r, s * 0.0135, Part.GLASSES)
            else:
                ring = [(x - r, y - s * 0.011), (x + r, y - s * 0.011)]
                ring += [(x + r, y + s * 0.011), (x - r, y + s * 0.011), (x - r, y - s * 0.011)]
                canvas.line(ring, s * 0.0055, Part.GLASSES)
        temple = [skull.at(side * t, 0.938) for t in (0.78, 1.15, 1.5)]
        if temple[2][2]:
            canvas.line([p[:2] for p in temple], s * 0.0075, Part.GLASSES)
    bridge = [skull.at(t, 0.938) for t in (-0.2, 0.2)]
    if bridge[0][2] and bridge[1][2]:
        canvas.line([p[:2] for p in bridge], s * 0.0055, Part.GLASSES)


def _draw_hat(canvas: Canvas, view: View, identity: Identity, light: float) -> None:
    low, high, wide = {
        "cap": (0.96, 1.014, 1.12),
        "beanie": (0.956, 1.022, 1.14),
        "brimmed hat": (0.963, 1.03, 1.12),
    }[identity.hat]
    span = high - low
    shape = ((1.0, 0.42), (0.93, 0.66), (0.75, 0.88), (0.45, 0.98), (0.0, 1.0))
    rings = [(low + span * f, 0.051 * wide * r, 0.06 * wide * r, -0.001) for f, r in shape]
    crown = Surface(view, rings)
    if identity.hat == "brimmed hat":
        brim = Surface(view, [(low + 0.004, 0.098, 0.102, 0.0), (low - 0.003, 0.106, 0.11, 0.0)])
        x, y, radius, _, drop = brim.ring(low)
        canvas.ellipse(x, y, radius, max(drop, 1.2), Part.HAT_BRIM)
        canvas.crease([(x - radius * 0.6, y + drop * 0.8), (x + radius * 0.6, y + drop * 0.8)], 0.8)
    if identity.hat == "cap" and view.cos < -0.2:
        _draw_visor(canvas, view, low)
    crown.draw(canvas, Part.HAT, light)
    if identity.hat == "beanie":
        band = Surface(
            view, [(low + 0.02, 0.06, 0.071, -0.001), (low - 0.002, 0.06, 0.071, -0.001)]
        )
        band.draw(canvas, Part.HAT_BRIM, light)
        canvas.crease([band.at(t, low + 0.02)[:2] for t in (-1.5, 0.0, 1.5)], 0.7)
    if identity.hat == "cap" and view.cos >= -0.2:
        _draw_visor(canvas, view, low)


def _draw_visor(canvas: Canvas, view: View, low: float) -> None:
    """A half disc in front of the forehead, sloping down."""
    rim = [(-0.05, 0.03), (-0.045, 0.085), (-0.02, 0.115), (0.02, 0.115), (0.045, 0.085)]
    points = [view.point(x, low - 0.1 * (z - 0.03), z) for x, z in (*rim, (0.05, 0.03))]
    front = [view.point(x, low + 0.012, 0.06 - abs(x)) for x in (0.05, 0.0, -0.05)]
    canvas.polygon([*points, *front], Part.HAT_BRIM)
    canvas.crease(points[1:5], 0.7)
