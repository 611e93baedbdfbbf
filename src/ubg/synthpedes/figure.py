"""A whole pedestrian, from the farthest part to the nearest; and the colours of its parts."""

import random

import numpy as np
from PIL import Image

from ubg.synthpedes import bags, garments, head, limbs
from ubg.synthpedes.body import Person, Pose, Skeleton, make_build, make_skeleton
from ubg.synthpedes.canvas import SUPERSAMPLING, Canvas, Part
from ubg.synthpedes.identities import COLOURS, HAIR_COLOURS, SKINS, Identity, random_stream
from ubg.synthpedes.surface import Surface, View

Colour = tuple[int, int, int]
BEHIND = -0.02  # depth below which an arm passes behind the trunk


def draw_person(
    canvas: Canvas, identity: Identity, pose: Pose, placed: View, light: float, rng: random.Random
) -> None:
    """Draw one pedestrian.

    Args:
        canvas: drawn on; its `offset` is added to the parts.
        identity: who.
        pose: angles of the joints.
        placed: the view, its ground where the lower foot stands.
        light: where the light comes from, -1 left to 1 right.
        rng: of folds.
    """
    build = make_build(identity)
    skeleton = make_skeleton(build, pose)
    person = Person(identity, build, skeleton)
    view = placed.lowered(skeleton.drop)
    facing = view.cos
    if identity.bag == "backpack" and facing > -0.1:
        bags.draw_backpack(canvas, view, light)
    if facing > -0.1:
        head.draw_back_hair(canvas, view, identity, light)
    order = sorted((0, 1), key=lambda side: _arm_depth(view, skeleton, side))
    behind = [side for side in order if _arm_depth(view, skeleton, side) < BEHIND]
    for side in behind:
        _draw_arm(canvas, view, person, side, light)
    if identity.bag == "shoulder bag" and view.depth(0.135, 0) < 0:
        bags.draw_shoulder_bag(canvas, view, light)
    for side in sorted((0, 1), key=lambda i: _leg_depth(view, skeleton, i)):
        limbs.draw_leg(canvas, view, person, side, light, rng)
        _shadow_between_legs(canvas, view, skeleton, side)
    limbs.draw_hips(canvas, view, build, identity, light, abs(pose.hips[0]))
    _draw_neck(canvas, view, light)
    trunk = garments.draw_trunk(canvas, view, build, identity, light, rng)
    if identity.bag == "shoulder bag":
        bags.draw_bag_strap(canvas, view, trunk)
    if identity.bag == "backpack":
        bags.draw_backpack_straps(canvas, view, trunk)
        if facing <= -0.1:
            bags.draw_backpack(canvas, view, light)
    head.draw_head(canvas, view, identity, light, old=identity.age == "elderly")
    if facing <= -0.1:
        head.draw_back_hair(canvas, view, identity, light)
    for side in order:
        if side not in behind:
            _draw_arm(canvas, view, person, side, light)
    if identity.bag == "shoulder bag" and view.depth(0.135, 0) >= 0:
        bags.draw_shoulder_bag(canvas, view, light)


def _draw_arm(canvas: Canvas, view: View, person: Person, side: int, light: float) -> None:
    """An arm, with what it carries drawn over the hand."""
    limbs.draw_arm(canvas, view, person, side, light)
    if side == 0:
        bags.draw_held_by_left(canvas, view, person.skeleton, person.identity, light)
    else:
        bags.draw_held_by_right(canvas, view, person.skeleton, person.identity)


def _draw_neck(canvas: Canvas, view: View, light: float) -> None:
    neck = Surface(view, [(0.9, 0.028, 0.03, -0.004), (0.83, 0.033, 0.034, -0.004)])
    neck.draw(canvas, Part.NECK, light)
    canvas.crease([neck.at(t, 0.868)[:2] for t in (-1.2, 0.0, 1.2)], 0.72, 2)


def _arm_depth(view: View, skeleton: Skeleton, side: int) -> float:
    _, (ex, _, ez), (wx, _, wz) = skeleton.arms[side]
    return (view.depth(ex, ez) + view.depth(wx, wz)) / 2


def _leg_depth(view: View, skeleton: Skeleton, side: int) -> float:
    _, (kx, _, kz), (ax, _, az) = skeleton.legs[side]
    return view.depth(kx, kz) + view.depth(ax, az)


def _shadow_between_legs(canvas: Canvas, view: View, skeleton: Skeleton, side: int) -> None:
    """The farther leg stands in the shade of the nearer one; drawn before that one covers it."""
    nearer = max((0, 1), key=lambda i: _leg_depth(view, skeleton, i))
    if side != nearer:
        points = [view.point(*joint) for joint in skeleton.legs[nearer]]
        canvas.crease(points, 0.8, max(3, round(view.scale * 0.12)))


def palette(identity: Identity) -> np.ndarray:
    """The colour of each part.

    Returns:
        uint8 [parts, 3]. A body and an outfit have the same colours in every picture; two with the
        same named colour do not.
    """
    body = random_stream(identity.look, "palette")
    table = np.zeros((len(Part), 3))
    skin = _jittered(body, SKINS[identity.skin], 7)
    hair = _jittered(body, HAIR_COLOURS[identity.hair_colour], 7)
    rng = random_stream(identity.outfit_look, "palette")
    for _ in (skin, hair):
        _jittered(rng, (0, 0, 0))  # a look of both gives garments the numbers after these
    upper = _jittered(rng, COLOURS[identity.upper_colour])
    second = _jittered(rng, COLOURS[identity.upper_second_colour])
    inner = _jittered(rng, COLOURS[identity.inner_colour])
    lower = _jittered(rng, COLOURS[identity.lower_colour])
    shoes = _jittered(rng, COLOURS[identity.shoes_colour])
    hat = _jittered(rng, COLOURS[identity.hat_colour])
    bag = _jittered(rng, COLOURS[identity.bag_colour])
    metal = np.array(rng.choice(((170, 172, 176), (60, 60, 64), (196, 170, 96))))
    for colour, parts in (
        (skin, (Part.FACE, Part.NECK, Part.ARM, Part.HAND, Part.LEG, Part.EARS)),
        (skin * 0.72 + np.array((40, 0, 6)), (Part.LIPS,)),
        (hair, (Part.HAIR, Part.HANGING_HAIR, Part.TIED_HAIR)),
        (hair * 0.85, (Part.BEARD, Part.BROWS)),
        (np.array((26, 22, 24)), (Part.EYE, Part.GLASSES, Part.PHONE)),
        (hat, (Part.HAT,)),
        (hat * 0.86, (Part.HAT_BRIM,)),
        (upper, (Part.UPPER, Part.SLEEVE, Part.TAIL, Part.HOOD)),
        (second, (Part.UPPER2, Part.SLEEVE2, Part.TAIL2, Part.PRINT)),
        (upper * 0.84, (Part.COLLAR,)),
        (metal, (Part.ZIP,)),
        (np.where(upper.mean() > 110, upper * 0.45, upper + 90), (Part.BUTTON,)),
        (inner, (Part.INNER, Part.INNER_SLEEVE)),
        (lower, (Part.LOWER,)),
        (np.where(lower.mean() > 150, 40, 225) * np.ones(3), (Part.LOWER2,)),
        (shoes, (Part.SHOES,)),
        (np.array((226, 226, 222) if identity.shoes == "sneakers" else (44, 36, 32)), (Part.SOLE,)),
        (bag, (Part.BACKPACK, Part.BACKPACK_STRAP, Part.BAG, Part.SUITCASE)),
        (bag * 0.66, (Part.BACKPACK_TRIM, Part.BAG_STRAP)),
        (metal, (Part.BAG_TRIM, Part.SUITCASE_TRIM)),
        (_jittered(rng, (40, 44, 70)), (Part.UMBRELLA,)),
        (np.array((120, 84, 48)), (Part.UMBRELLA_HANDLE,)),
        (_jittered(rng, (120, 190, 214)), (Part.BOTTLE,)),
        (np.array((240, 240, 244)), (Part.BOTTLE_CAP,)),
        (np.array((236, 232, 222)), (Part.CUP,)),
        (np.array((70, 44, 32)), (Part.CUP_LID,)),
        (_jittered(rng, (226, 214, 176)), (Part.FOLDER,)),
    ):
        table[list(parts)] = colour
    return np.clip(np.rint(table), 0, 255).astype(np.uint8)


def apply_pattern(canvas: Canvas, identity: Identity) -> None:
    """Give the second colour to those pixels of the upper garment that its pattern asks for."""
    if identity.upper_pattern in ("plain", "print"):
        return
    rng = random_stream(identity.outfit_look, "pattern")
    period = SUPERSAMPLING * rng.choice((6, 7, 9))
    parts = np.array(canvas.parts)
    row = np.arange(parts.shape[0])[:, None] % period
    column = np.arange(parts.shape[1])[None, :] % period
    half, third, quarter = period // 2, period // 3, period // 4
    chosen = {
        "horizontal stripes": row < half,
        "vertical stripes": column < third,
        "checks": (row < quarter) | (column < quarter),
        "dots": (row - half) ** 2 + (column - half) ** 2 < third * third * 0.8,
    }[identity.upper_pattern]
    garment = np.isin(parts, [p + canvas.offset for p in (Part.UPPER, Part.SLEEVE, Part.TAIL)])
    parts += (garment & chosen).astype(np.uint8)
    canvas.parts.paste(Image.fromarray(parts))


def _jittered(rng: random.Random, colour: Colour, amount: float = 9) -> np.ndarray:
    shade = rng.uniform(0.93, 1.07)
    return np.array([c * shade + rng.uniform(-amount, amount) for c in colour])
