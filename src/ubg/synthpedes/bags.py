"""Bags and things in the hand."""

from ubg.synthpedes.body import Skeleton
from ubg.synthpedes.canvas import Canvas, Part
from ubg.synthpedes.identities import Identity
from ubg.synthpedes.surface import Ring, Surface, View


def draw_backpack(canvas: Canvas, view: View, light: float) -> None:
    """The pack itself, behind the shoulders."""
    rings: tuple[Ring, ...] = (
        (0.828, 0.05, 0.03, -0.115),
        (0.815, 0.078, 0.045, -0.12),
        (0.75, 0.088, 0.052, -0.127),
        (0.64, 0.092, 0.056, -0.13),
        (0.595, 0.09, 0.054, -0.128),
        (0.578, 0.078, 0.046, -0.124),
    )
    pack = Surface(view, rings)
    pack.draw(canvas, Part.BACKPACK, light)
    pocket = pack.patch(3.14 - 0.9, 3.14 + 0.9, 0.69, 0.69 - 0.012)
    if pocket:
        canvas.polygon(pocket, Part.BACKPACK_TRIM)
        corners = ((-0.9, 0.69), (-0.95, 0.6), (0.95, 0.6), (0.9, 0.69))
        canvas.crease([pack.at(3.14 + t, y)[:2] for t, y in corners], 0.66)
        canvas.crease([pack.at(3.14 + t, 0.8)[:2] for t in (-1.0, 0.0, 1.0)], 0.7)


def draw_backpack_straps(canvas: Canvas, view: View, trunk: Surface) -> None:
    """Over the shoulders and down the chest."""
    for side in (1, -1):
        strap = [(0.78, 0.838), (0.66, 0.8), (0.68, 0.74), (0.95, 0.68), (1.35, 0.645)]
        points = [trunk.at(side * t, y) for t, y in strap]
        shown = [p[:2] for p in points if p[2]]
        if len(shown) > 1:
            canvas.line(shown, view.scale * 0.022, Part.BACKPACK_STRAP)
            canvas.crease([(x + 1, y) for x, y in shown], 0.75)


def draw_shoulder_bag(canvas: Canvas, view: View, light: float) -> None:
    """A flat bag at the left hip."""
    rings: tuple[Ring, ...] = (
        (0.575, 0.03, 0.068, 0.01),
        (0.56, 0.036, 0.078, 0.01),
        (0.48, 0.038, 0.08, 0.01),
        (0.462, 0.034, 0.074, 0.01),
    )
    bag = Surface(view, rings, x=0.135)
    bag.draw(canvas, Part.BAG, light)
    flap = bag.patch(-3.0, 3.0, 0.533, 0.527)
    if flap:
        canvas.crease([bag.at(t, 0.528)[:2] for t in (0.2, 1.5, 2.8)], 0.62)
    x, y, visible = bag.at(1.57, 0.525)
    if visible:
        canvas.ellipse(x, y, view.scale * 0.009, view.scale * 0.008, Part.BAG_TRIM)


def draw_bag_strap(canvas: Canvas, view: View, trunk: Surface) -> None:
    """From the right shoulder across chest and back to the left hip."""
    front = [(-0.75, 0.835), (-0.5, 0.8), (0.0, 0.72), (0.6, 0.64), (1.25, 0.57)]
    for path in (front, [(3.14 - t, y) for t, y in front]):
        points = [trunk.at(t, y) for t, y in path]
        shown = [p[:2] for p in points if p[2]]
        if len(shown) > 1:
            canvas.line(shown, view.scale * 0.016, Part.BAG_STRAP)


def draw_held_by_left(
    canvas: Canvas, view: View, skeleton: Skeleton, identity: Identity, light: float
) -> None:
    """A handbag or a suitcase below the left hand."""
    _, _, (x, y, z) = skeleton.arms[0]
    y -= 0.02
    if identity.bag == "handbag":
        rings: tuple[Ring, ...] = (
            (y - 0.055, 0.03, 0.055, z),
            (y - 0.075, 0.036, 0.07, z),
            (y - 0.14, 0.04, 0.082, z),
            (y - 0.155, 0.036, 0.076, z),
        )
        handle = [
            view.point(x, y + dy, z + dz) for dy, dz in ((-0.06, -0.04), (0, 0), (-0.06, 0.04))
        ]
        canvas.line(handle, view.scale * 0.011, Part.BAG_TRIM)
        bag = Surface(view, rings, x=x + 0.012)
        bag.draw(canvas, Part.BAG, light)
        canvas.crease([bag.at(t, y - 0.085)[:2] for t in (-1.5, 0.0, 1.5, 3.0)], 0.68)
    elif identity.bag == "suitcase":
        z -= 0.03
        base = skeleton.drop
        rings = (
            (base + 0.3, 0.065, 0.045, z),
            (base + 0.29, 0.074, 0.052, z),
            (base + 0.05, 0.076, 0.054, z),
            (base + 0.035, 0.07, 0.05, z),
        )
        for dx in (-0.03, 0.03):
            bar = [view.point(x + 0.03 + dx, h, z) for h in (base + 0.3, y)]
            canvas.line(bar, view.scale * 0.009, Part.SUITCASE_TRIM)
        bar = [view.point(x + 0.03 + dx, y, z) for dx in (-0.03, 0.03)]
        canvas.line(bar, view.scale * 0.013, Part.SUITCASE_TRIM)
        case = Surface(view, rings, x=x + 0.03)
        for dx in (-0.05, 0.05):
            wx, wy = view.point(x + 0.03 + dx, base + 0.015, z)
            canvas.ellipse(wx, wy, view.scale * 0.012, view.scale * 0.012, Part.SUITCASE_TRIM)
        case.draw(canvas, Part.SUITCASE, light)
        for h in (0.24, 0.17, 0.1):
            canvas.crease([case.at(t, base + h)[:2] for t in (-1.5, 0.0, 1.5)], 0.72)


def draw_held_by_right(canvas: Canvas, view: View, skeleton: Skeleton, identity: Identity) -> None:
    """What the right hand carries."""
    s = view.scale
    _, (ex, ey, ez), (wx, wy, wz) = skeleton.arms[1]
    hx, hy, hz = wx + (wx - ex) * 0.12, wy + (wy - ey) * 0.12, wz + (wz - ez) * 0.12 + 0.012
    x, y = view.point(hx, hy, hz)
    if identity.carried == "phone":
        canvas.polygon(
            [(x - s * 0.012, y - s * 0.03), (x + s * 0.012, y - s * 0.032),
             (x + s * 0.014, y + s * 0.012), (x - s * 0.01, y + s * 0.014)], Part.PHONE
        )  # fmt: skip
    elif identity.carried == "bottle":
        canvas.limb([(x, y - s * 0.035), (x, y + s * 0.03)], [s * 0.014] * 2, Part.BOTTLE, 0.4)
        canvas.line([(x, y - s * 0.06), (x, y - s * 0.045)], s * 0.014, Part.BOTTLE_CAP)
    elif identity.carried == "cup":
        canvas.polygon(
            [(x - s * 0.018, y - s * 0.035), (x + s * 0.018, y - s * 0.035),
             (x + s * 0.013, y + s * 0.022), (x - s * 0.013, y + s * 0.022)], Part.CUP
        )  # fmt: skip
        canvas.line([(x - s * 0.02, y - s * 0.036), (x + s * 0.02, y - s * 0.036)], s * 0.012,
                    Part.CUP_LID)  # fmt: skip
    elif identity.carried == "folder":
        corners = ((-0.05, -0.02), (0.055, -0.02), (0.055, 0.1), (-0.05, 0.1))
        points = [view.point(hx + 0.02 + dx, hy + dy, hz + 0.01 + 0.25 * dx) for dx, dy in corners]
        canvas.polygon(points, Part.FOLDER)
        canvas.crease(points[:2], 0.7)
    elif identity.carried == "umbrella":
        tip = view.point(hx - 0.02, hy - 0.36, hz + 0.06)
        top = view.point(hx, hy + 0.03, hz)
        canvas.line([top, (x, y)], s * 0.014, Part.UMBRELLA_HANDLE)
        middle = ((x + tip[0]) / 2, (y + tip[1]) / 2)
        canvas.limb([(x, y + s * 0.02), middle, tip], [s * 0.012, s * 0.017, s * 0.003],
                    Part.UMBRELLA, 0.3)  # fmt: skip
