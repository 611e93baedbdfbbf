"""Arms and legs with what covers them: sleeves, trousers, skirts, shoes."""

import random

from ubg.synthpedes.body import Build, Person
from ubg.synthpedes.canvas import Canvas, Part, Point
from ubg.synthpedes.cuts import CUTS
from ubg.synthpedes.identities import Identity
from ubg.synthpedes.surface import Surface, View


def draw_arm(canvas: Canvas, view: View, person: Person, side: int, light: float) -> None:
    """One arm with its sleeve and hand."""
    identity, build, skeleton = person
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
    canvas: Canvas, view: View, person: Person, side: int, light: float, rng: random.Random
) -> None:
    """One leg: bare, or what of the trousers covers it, and the shoe."""
    identity, build, skeleton = person
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
