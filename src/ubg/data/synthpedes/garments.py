"""Clothes: the trunk and sleeves, trousers and skirts, shoes."""

import random
from dataclasses import dataclass

from ubg.data.synthpedes.body import Build, Skeleton
from ubg.data.synthpedes.canvas import Canvas, Part, Point, Ring, Surface, View
from ubg.data.synthpedes.identities import OPENABLE, Identity, shows_inner


@dataclass(frozen=True)
class Cut:
    """How an upper garment is cut. Lengths are fractions of the body height."""

    hem: float
    ease: float
    sleeve: str  # none, short, long
    collar: str  # crew, flat, lapel, stand, hood
    closure: str  # none, placket, buttons, zip
    flare: float = 0.0  # how much wider the hem is than the hips


CUTS = {
    "t-shirt": Cut(0.495, 0.008, "short", "crew", "none"),
    "polo shirt": Cut(0.495, 0.008, "short", "flat", "placket"),
    "shirt": Cut(0.48, 0.009, "long", "flat", "buttons"),
    "sweater": Cut(0.49, 0.013, "long", "crew", "none"),
    "hoodie": Cut(0.485, 0.016, "long", "hood", "none"),
    "jacket": Cut(0.495, 0.016, "long", "flat", "zip"),
    "puffer jacket": Cut(0.49, 0.027, "long", "stand", "zip"),
    "suit jacket": Cut(0.455, 0.014, "long", "lapel", "buttons"),
    "coat": Cut(0.29, 0.02, "long", "lapel", "buttons", 0.018),
    "vest": Cut(0.49, 0.02, "none", "stand", "zip"),
    "tank top": Cut(0.5, 0.005, "none", "crew", "none"),
    "dress": Cut(0.3, 0.007, "short", "crew", "none", 0.05),
}


def draw_trunk(
    canvas: Canvas, view: View, build: Build, identity: Identity, light: float, rng: random.Random
) -> Surface:
    """The upper garment without its sleeves; its surface, for what lies on it."""
    cut = CUTS[identity.upper]
    rings = _trunk_rings(build, cut)
    surface = Surface(view, [ring for ring in rings if ring[0] >= min(cut.hem, 0.48) - 1e-6])
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
        _fill(canvas, surface.patch(-0.28, 0.28, 0.86, 0.8), Part.INNER)
    _draw_closure(canvas, view, surface, cut, identity)
    _draw_collar(canvas, view, surface, cut, identity, light)
    if identity.upper_pattern == "print":
        logo = surface.patch(-0.5, 0.5, 0.765, 0.7)
        _fill(canvas, logo, Part.PRINT)
        for y in (0.748, 0.733, 0.718):
            _fill(canvas, surface.patch(-0.36, 0.3, y, y - 0.006), Part.UPPER)
    if cut.sleeve == "none" and identity.upper == "tank top":
        for sign in (1, -1):
            _fill(canvas, surface.patch(sign * 1.05, sign * 1.75, 0.835, 0.775), Part.ARM)
        _fill(canvas, surface.patch(-0.75, 0.75, 0.87, 0.805), Part.NECK)
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
    _fill(canvas, surface.patch(-0.46, 0.46, 0.86, 0.5), Part.INNER)
    for side in (-0.46, 0.46):
        edge = [surface.at(side, y) for y in (0.83, 0.7, 0.52)]
        if edge[1][2]:
            canvas.crease([p[:2] for p in edge], 0.66)


def _draw_closure(
    canvas: Canvas, view: View, surface: Surface, cut: Cut, identity: Identity
) -> None:
    if identity.upper_open and shows_inner(identity) and identity.upper not in ("vest",):
        return
    bottom = max(cut.hem, 0.48) + 0.01
    if cut.closure == "zip":
        _fill(canvas, surface.patch(-0.07, 0.07, 0.83, bottom), Part.ZIP)
    elif cut.closure != "none" and surface.at(0.0, 0.7)[2]:
        top, bottom = {
            "placket": (0.815, 0.765),
            "buttons": (0.64 if cut.collar == "lapel" else 0.81, bottom + 0.03),
        }[cut.closure]
        canvas.crease([surface.at(0.06, y)[:2] for y in (top, bottom)], 0.74)
        count = 2 if cut.closure == "placket" or identity.upper == "suit jacket" else 5
        for i in range(count):
            x, y, _ = surface.at(0.0, top + (bottom - top) * (i + 0.5) / count)
            canvas.ellipse(x, y, view.scale * 0.0055, view.scale * 0.0055, Part.BUTTON)


def _draw_collar(
    canvas: Canvas, view: View, surface: Surface, cut: Cut, identity: Identity, light: float
) -> None:
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
        _fill(canvas, ring.patch(-0.35, 0.35, height + 0.001, 0.842), Part.NECK)
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
        ring = Surface(
            view,
            [(0.872, 0.05, 0.045, -0.028), (0.85, 0.064, 0.054, -0.03), (0.82, 0.064, 0.048, -0.036),
             (0.785, 0.03, 0.03, -0.055)] if view.cos < 0.3 else
            [(0.866, 0.052, 0.046, -0.014), (0.845, 0.062, 0.056, -0.01), (0.826, 0.052, 0.058, -0.002)],
        )  # fmt: skip
        ring.draw(canvas, Part.HOOD, light)
        canvas.crease([ring.at(3.14 + t, 0.85)[:2] for t in (-1.3, 0.0, 1.3)], 0.7)
        _fill(canvas, ring.patch(-0.6, 0.6, 0.876, 0.84), Part.NECK)
        if surface.at(0.0, 0.78)[2] and not identity.upper_open:
            for side in (-0.16, 0.16):
                cord = [surface.at(side, y)[:2] for y in (0.835, 0.775)]
                canvas.line(cord, view.scale * 0.006, Part.BUTTON)
            pocket = [(-0.62, 0.5), (-0.4, 0.585), (0.4, 0.585), (0.62, 0.5)]
            canvas.crease([surface.at(t, y)[:2] for t, y in pocket], 0.68)


def draw_arm(
    canvas: Canvas, view: View, build: Build, skeleton: Skeleton, side: int, identity: Identity,
    light: float,
) -> None:  # fmt: skip
    """One arm with its sleeve and hand."""
    cut = CUTS[identity.upper]
    shoulder, elbow, wrist = (view.point(*joint) for joint in skeleton.arms[side])
    skin = [view.scale * build.limb * r for r in (0.027, 0.023, 0.017)]
    hand = _towards(elbow, wrist, 1.13)
    canvas.limb([wrist, hand], [view.scale * 0.015, view.scale * 0.017], Part.HAND, light)
    vest = identity.upper == "vest"
    if cut.sleeve == "long" or vest:
        ease = view.scale * (0.006 if vest else cut.ease * 0.7)
        radii = [r + ease for r in skin]
        part = Part.INNER_SLEEVE if vest else Part.SLEEVE
        canvas.limb([shoulder, elbow, _towards(elbow, wrist, 0.97)], radii, part, light)
        canvas.crease([_towards(shoulder, elbow, 0.9), _towards(elbow, wrist, 0.12)], 0.72)
        if identity.upper == "puffer jacket":
            for f in (0.35, 0.7, 1.0):
                x, y = _towards(shoulder, elbow, f)
                canvas.crease([(x - radii[1], y), (x + radii[1], y + 1)], 0.66)
    else:
        canvas.limb([shoulder, elbow, wrist], skin, Part.ARM, light)
        if cut.sleeve == "short":
            end = _towards(shoulder, elbow, 0.72)
            radii = [skin[0] + view.scale * cut.ease, skin[1] + view.scale * 0.012]
            canvas.limb([shoulder, end], radii, Part.SLEEVE, light, hem=True)


def draw_leg(
    canvas: Canvas, view: View, build: Build, skeleton: Skeleton, side: int, identity: Identity,
    light: float, rng: random.Random,
) -> None:  # fmt: skip
    """One leg: bare, or what of the trousers covers it, and the shoe."""
    joints = skeleton.legs[side]
    hip, knee, ankle = (view.point(*joint) for joint in joints)
    bare = [view.scale * build.limb * r for r in (0.051, 0.037, 0.034, 0.021)]
    calf = _towards(knee, ankle, 0.35)
    covered = identity.lower if identity.upper != "dress" else "dress"
    tucked = identity.shoes == "boots" and covered in ("jeans", "leggings")
    if covered in ("trousers", "sweatpants") or not tucked:
        draw_shoe(canvas, view, joints, identity, light)
    if covered in ("jeans", "trousers", "sweatpants", "leggings"):
        ease = {"jeans": 0.006, "trousers": 0.009, "sweatpants": 0.011, "leggings": 0.0}[covered]
        radii = [r + view.scale * ease for r in bare]
        if covered in ("jeans", "trousers"):
            radii[3] = view.scale * (0.031 if covered == "trousers" else 0.027)
        end = _towards(knee, ankle, 0.97)
        canvas.limb([hip, knee, calf, end], radii, Part.LOWER, light)
        for start, f in ((knee, 0.0), (knee, 0.07), (ankle, -0.06)):
            x, y = _towards(start, ankle, f) if f >= 0 else _towards(ankle, knee, -f)
            tilt = rng.uniform(-2, 2)
            canvas.crease([(x - radii[1] * 0.7, y), (x + radii[1] * 0.5, y + tilt)], 0.74)
        if covered == "sweatpants" and identity.lower_stripe:
            sign = 1 if side == 0 else -1
            x = joints[1][0] + sign * 0.03
            if view.depth(x, 0.0) > view.depth(joints[1][0], 0.0) - 0.01:
                shift = (view.point(x, 0, 0)[0] - view.point(joints[1][0], 0, 0)[0]) * 0.95
                stripe = [(px + shift, py) for px, py in (hip, knee, end)]
                canvas.line(stripe, view.scale * 0.014, Part.LOWER2)
        if tucked:
            draw_shoe(canvas, view, joints, identity, light)
        return
    canvas.limb([hip, knee, calf, ankle], bare, Part.LEG, light)
    draw_shoe(canvas, view, joints, identity, light)
    if covered == "shorts":
        radii = [bare[0] + view.scale * 0.01, bare[1] + view.scale * 0.02]
        end = _towards(hip, knee, 0.95)
        canvas.limb([hip, end], radii, Part.LOWER, light, hem=True)


def draw_hips(
    canvas: Canvas, view: View, build: Build, identity: Identity, light: float, swing: float
) -> None:
    """The seat of the trousers, or the skirt."""
    if identity.upper == "dress":
        return
    low = [(y, a + 0.004, b + 0.004, z) for y, a, b, z in build.torso if y <= 0.58]
    if identity.lower in ("skirt", "long skirt"):
        hem = 0.33 if identity.lower == "skirt" else 0.11
        _, a, b, z = low[-1]
        for f, wider in ((0.4, 0.016), (0.8, 0.03), (1.0, 0.036)):
            low.append((0.48 - (0.48 - hem) * f, a + wider, b + wider + swing * 0.05 * f, z))
        skirt = Surface(view, low)
        skirt.draw(canvas, Part.LOWER, light)
        for angle in (-2.6, -1.9, -1.2, -0.5, 0.2, 0.9, 1.6, 2.3, 3.0):
            pleat = [skirt.at(angle, y) for y in (0.5, 0.42, hem + 0.005)]
            if pleat[0][2]:
                canvas.crease([p[:2] for p in pleat], 0.7)
        return
    Surface(view, low).draw(canvas, Part.LOWER, light)
    belt = Surface(view, low).patch(-1.5, 1.5, 0.535, 0.52)
    if identity.lower in ("jeans", "trousers") and belt:
        canvas.polygon(belt, Part.BELT)


def draw_shoe(
    canvas: Canvas,
    view: View,
    joints: tuple[tuple[float, float, float], ...],
    identity: Identity,
    light: float,
) -> None:
    """A shoe that follows the direction of the foot; its sole."""
    (_, _, _), (_, knee_y, knee_z), (x, y, z) = joints
    pitch = max(-0.25, min(0.6, (knee_z - z) / max(0.05, knee_y - y)))
    heel, ball, toe = (x, y - 0.016 + pitch * 0.02, z - 0.022), (x, y - 0.02, z + 0.05), None
    toe = (x, y - 0.021 - pitch * 0.03, z + 0.095)
    line = [view.point(*p) for p in (heel, ball, toe)]
    radii = [view.scale * r for r in (0.021, 0.021, 0.017)]
    if identity.shoes == "boots":
        top = _towards(view.point(*joints[2]), view.point(*joints[1]), 0.42)
        canvas.limb([top, view.point(*joints[2])], [view.scale * 0.036, view.scale * 0.026],
                    Part.SHOES, light)  # fmt: skip
    if identity.shoes == "sandals":
        canvas.limb(line, [r * 0.9 for r in radii], Part.LEG, light)
        for f in (0.25, 0.8):
            px, py = _towards(line[0], line[2], f)
            canvas.line([(px - radii[0], py), (px + radii[0], py)], view.scale * 0.017, Part.SHOES)
    else:
        canvas.limb([view.point(x, y + 0.012, z), line[0]], [radii[0] * 0.95, radii[0]],
                    Part.SHOES, light)  # fmt: skip
        canvas.limb(line, radii, Part.SHOES, light)
    sole = [(px, py + radii[0] * 0.85) for px, py in line]
    width = 0.013 if identity.shoes in ("sneakers", "boots") else 0.008
    canvas.line([(sole[0][0], sole[0][1]), *sole[1:]], view.scale * width, Part.SOLE)


def _towards(start: Point, end: Point, fraction: float) -> Point:
    return (
        start[0] + (end[0] - start[0]) * fraction,
        start[1] + (end[1] - start[1]) * fraction,
    )


def _fill(canvas: Canvas, points: list[Point], part: int) -> None:
    if points:
        canvas.polygon(points, part)
