"""Collars, hoods, and what closes a garment in front."""

from ubg.synthpedes.canvas import Canvas, Part, fill
from ubg.synthpedes.cuts import Cut
from ubg.synthpedes.identities import OPENABLE, Identity, shows_inner
from ubg.synthpedes.surface import Ring, Surface, View

HOOD_FROM_BEHIND: tuple[Ring, ...] = (
    (0.872, 0.05, 0.045, -0.028),
    (0.85, 0.064, 0.054, -0.03),
    (0.82, 0.064, 0.048, -0.036),
    (0.785, 0.03, 0.03, -0.055),
)
HOOD_IN_FRONT: tuple[Ring, ...] = (
    (0.866, 0.052, 0.046, -0.014),
    (0.845, 0.062, 0.056, -0.01),
    (0.826, 0.052, 0.058, -0.002),
)


def draw_closure(
    canvas: Canvas, view: View, surface: Surface, cut: Cut, identity: Identity
) -> None:
    """Zip, placket or buttons down the front."""
    if identity.upper_open and identity.upper in OPENABLE:
        return
    bottom = max(cut.hem, 0.48) + 0.01
    if cut.closure == "zip":
        fill(canvas, surface.patch(-0.07, 0.07, 0.83, bottom), Part.ZIP)
    elif cut.closure != "none" and surface.at(0.0, 0.7)[2]:
        top = 0.64 if cut.collar == "lapel" else 0.81
        bottom = 0.765 if cut.closure == "placket" else bottom + 0.03
        canvas.crease([surface.at(0.06, y)[:2] for y in (top, bottom)], 0.74)
        count = 2 if cut.closure == "placket" or identity.upper == "suit jacket" else 5
        for i in range(count):
            x, y, _ = surface.at(0.0, top + (bottom - top) * (i + 0.5) / count)
            canvas.ellipse(x, y, view.scale * 0.0055, view.scale * 0.0055, Part.BUTTON)


def draw_collar(
    canvas: Canvas, view: View, surface: Surface, cut: Cut, identity: Identity, light: float
) -> None:
    """What closes the garment round the neck; a hood hangs at the back."""
    if cut.collar == "crew":
        deep = 0.826 if identity.upper != "dress" else 0.812
        neckline = [surface.at(t, y)[:2] for t, y in ((-0.9, 0.85), (-0.45, deep), (0.0, deep))]
        neckline += [surface.at(t, y)[:2] for t, y in ((0.45, deep), (0.9, 0.85))]
        if surface.at(0.0, deep)[2]:
            canvas.polygon(neckline, Part.NECK)
            canvas.line(neckline, view.scale * 0.007, Part.COLLAR)
    elif cut.collar in ("flat", "stand"):
        height = 0.86 if cut.collar == "flat" else 0.874
        ring = Surface(
            view,
            [
                (height, 0.039, 0.042, 0.0),
                (0.84, 0.046, 0.046, -0.002),
                (0.826, 0.058, 0.05, -0.002),
            ],
        )
        ring.draw(canvas, Part.COLLAR, light)
        fill(canvas, ring.patch(-0.35, 0.35, height + 0.001, 0.842), Part.NECK)
        canvas.crease([ring.at(t, 0.828)[:2] for t in (-1.4, -0.5, 0.0, 0.5, 1.4)], 0.7)
    elif cut.collar == "lapel":
        for side in (-1, 1):
            lapel = [(0.3, 0.855), (0.62, 0.82), (0.55, 0.77), (0.06, 0.66), (0.3, 0.78)]
            points = [surface.at(side * t, y) for t, y in lapel]
            if points[3][2]:
                canvas.polygon([p[:2] for p in points], Part.COLLAR)
                canvas.crease([p[:2] for p in points[1:4]], 0.64)
        if not shows_inner(identity) and surface.at(0.0, 0.78)[2]:
            v = [surface.at(t, y)[:2] for t, y in ((-0.5, 0.85), (0.0, 0.755), (0.5, 0.85))]
            canvas.polygon(v, Part.NECK)
    elif cut.collar == "hood":
        ring = Surface(view, HOOD_FROM_BEHIND if view.cos < 0.3 else HOOD_IN_FRONT)
        ring.draw(canvas, Part.HOOD, light)
        canvas.crease([ring.at(3.14 + t, 0.85)[:2] for t in (-1.3, 0.0, 1.3)], 0.7)
        fill(canvas, ring.patch(-0.6, 0.6, 0.876, 0.84), Part.NECK)
        if surface.at(0.0, 0.78)[2] and not identity.upper_open:
            for angle in (-0.16, 0.16):
                cord = [surface.at(angle, y)[:2] for y in (0.835, 0.775)]
                canvas.line(cord, view.scale * 0.006, Part.BUTTON)
            pocket = [(-0.62, 0.5), (-0.4, 0.585), (0.4, 0.585), (0.62, 0.5)]
            canvas.crease([surface.at(t, y)[:2] for t, y in pocket], 0.68)
