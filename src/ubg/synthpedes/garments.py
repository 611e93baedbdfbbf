"""The trunk: upper garments without their sleeves."""

import random

from ubg.synthpedes.body import Build
from ubg.synthpedes.canvas import Canvas, Part, fill
from ubg.synthpedes.collars import draw_closure, draw_collar
from ubg.synthpedes.cuts import CUTS, Cut
from ubg.synthpedes.identities import OPENABLE, Identity, shows_inner
from ubg.synthpedes.surface import Ring, Surface, View


def draw_trunk(
    canvas: Canvas, view: View, build: Build, identity: Identity, light: float, rng: random.Random
) -> Surface:
    """The upper garment without its sleeves; its surface, for what lies on it."""
    cut = CUTS[identity.upper]
    rings = _trunk_rings(build, cut)
    surface = Surface(view, [ring for ring in rings if ring[0] >= max(cut.hem, 0.48) - 1e-6])
    opens = shows_inner(identity) and identity.upper in OPENABLE
    if cut.hem < 0.45:
        tail = Surface(view, [ring for ring in rings if ring[0] <= 0.49])
        tail.draw(canvas, Part.TAIL, light, opening=0.42 if opens else None)
        for angle in (-2.4, -0.8, 0.8, 2.4):
            x, y, visible = tail.at(angle + rng.uniform(-0.3, 0.3), 0.44)
            if visible:
                fold = tail.at(angle * 1.05, cut.hem + 0.01)
                canvas.crease([(x, y), fold[:2]], 0.72, 2)
    surface.draw(canvas, Part.UPPER, light)
    _draw_folds(canvas, surface, cut, identity, rng)
    if shows_inner(identity) and identity.upper != "vest":
        _draw_inner(canvas, surface, identity)
    elif identity.upper == "vest":
        fill(canvas, surface.patch(-0.28, 0.28, 0.86, 0.8), Part.INNER)
    draw_closure(canvas, view, surface, cut, identity)
    draw_collar(canvas, view, surface, cut, identity, light)
    if identity.upper_pattern == "print":
        logo = surface.patch(-0.5, 0.5, 0.765, 0.7)
        fill(canvas, logo, Part.PRINT)
        for y in (0.748, 0.733, 0.718):
            fill(canvas, surface.patch(-0.36, 0.3, y, y - 0.006), Part.UPPER)
    if cut.sleeve == "none" and identity.upper == "tank top":
        for sign in (1, -1):
            fill(canvas, surface.patch(sign * 1.05, sign * 1.75, 0.835, 0.775), Part.ARM)
        fill(canvas, surface.patch(-0.75, 0.75, 0.87, 0.805), Part.NECK)
    return surface


def _trunk_rings(build: Build, cut: Cut) -> list[Ring]:
    top = [(y, a + cut.ease * (y < 0.83), b + cut.ease, z) for y, a, b, z in build.torso]
    if cut.hem >= 0.48:
        rings = [ring for ring in top if ring[0] > cut.hem + 0.005]
        _, a, b, z = next(ring for ring in top if ring[0] <= cut.hem + 0.005)
        return [*rings, (cut.hem, a, b, z)]
    _, a, b, z = top[-1]
    steps = [0.48 - (0.48 - cut.hem) * i / 3 for i in (1, 2, 3)]
    wider = [cut.flare * i / 3 for i in (1, 2, 3)]
    return [*top, *((y, a + w, b + w, z) for y, w in zip(steps, wider, strict=True))]


def _draw_folds(
    canvas: Canvas, surface: Surface, cut: Cut, identity: Identity, rng: random.Random
) -> None:
    bottom = max(cut.hem, 0.48)
    if identity.upper in ("puffer jacket", "vest"):
        y = 0.8
        while y > bottom + 0.02:
            for angle in (0.0, 3.14):
                seam = [surface.at(angle + t, y) for t in (-1.4, -0.7, 0.0, 0.7, 1.4)]
                if seam[2][2]:
                    canvas.crease([p[:2] for p in seam], 0.62)
            y -= 0.045
        return
    for _ in range(7):
        angle, y = rng.uniform(-3.1, 3.1), rng.uniform(bottom + 0.03, 0.76)
        start = surface.at(angle, y)
        end = surface.at(angle + rng.uniform(-0.5, 0.5), y - rng.uniform(0.03, 0.09))
        if start[2] and end[2]:
            canvas.crease([start[:2], end[:2]], rng.choice((0.74, 0.8, 1.16)))
    if identity.upper in ("sweater", "hoodie"):
        rib = [surface.at(t, bottom + 0.018)[:2] for t in (-1.5, 0.0, 1.5)]
        canvas.crease(rib, 0.74)


def _draw_inner(canvas: Canvas, surface: Surface, identity: Identity) -> None:
    """What shows between the open fronts: a wide strip, or the V of a suit jacket."""
    if identity.upper == "suit jacket":
        points = [surface.at(t, y)[:2] for t, y in ((-0.36, 0.85), (0.0, 0.66), (0.36, 0.85))]
        if surface.at(0.0, 0.75)[2]:
            canvas.polygon(points, Part.INNER)
        return
    fill(canvas, surface.patch(-0.46, 0.46, 0.86, 0.5), Part.INNER)
    for side in (-0.46, 0.46):
        edge = [surface.at(side, y) for y in (0.83, 0.7, 0.52)]
        if edge[1][2]:
            canvas.crease([p[:2] for p in edge], 0.66)
