"""What a witness of one picture can say: facts whose parts can be seen in it.

Every fact names the parts that prove it, and how many pixels of them must remain. Whatever is
occluded, cut off, turned away or too small is no fact, so no caption can mention it.
"""

from dataclasses import dataclass

from ubg.synthpedes.canvas import Part
from ubg.synthpedes.identities import Identity, shows_inner
from ubg.synthpedes.scene import Scene, Visibility

TRUNK = (Part.UPPER, Part.UPPER2, Part.TAIL, Part.TAIL2)
SLEEVES = (Part.SLEEVE, Part.SLEEVE2)
TAIL = (Part.TAIL, Part.TAIL2)
LOWER = (Part.LOWER, Part.LOWER2)
HAIR = (Part.HAIR, Part.HANGING_HAIR, Part.TIED_HAIR)
HAT = (Part.HAT, Part.HAT_BRIM)


@dataclass(frozen=True)
class Facts:
    """What can be said, in plain words; None or False where it cannot be seen."""

    sex: str | None
    age: str | None
    build: str | None
    skin: str | None
    hair: str | None  # style
    hair_colour: str | None
    beard: bool
    glasses: str | None
    hat: str | None
    hat_colour: str | None
    upper: str | None  # a general word where what tells garments apart cannot be seen
    upper_colour: str | None
    pattern: str | None
    second_colour: str | None
    sleeves: str | None
    open: bool
    inner_colour: str | None
    zip: bool
    buttons: bool
    hood: bool
    lower: str | None
    lower_colour: str | None
    stripe: bool
    bare_legs: bool
    shoes: str | None
    shoes_colour: str | None
    bag: str | None
    bag_colour: str | None
    carried: str | None
    aspect: str
    walking: bool


def find_facts(identity: Identity, scene: Scene, seen: Visibility) -> Facts:
    """The facts of one picture."""
    face = seen.sees((Part.FACE,), 40)
    trunk = seen.sees((*TRUNK, *SLEEVES), 200)
    lower = identity.upper != "dress" and seen.sees(LOWER, 120)
    shoes = seen.sees((Part.SHOES,), 8 if identity.shoes == "sandals" else 14)
    hair = _hair(identity, seen)
    hat = identity.hat != "none" and seen.sees(HAT, 40)
    pattern = trunk and _pattern_shows(identity, seen)
    inner = trunk and shows_inner(identity) and seen.sees((Part.INNER, Part.INNER_SLEEVE), 22)
    bag = _bag(identity, seen)
    return Facts(
        sex=identity.sex if trunk and (face or seen.sees(HAIR, 25)) else None,
        age=identity.age if face else None,
        build=identity.build if seen.sees((*TRUNK, *SLEEVES), 400, 0.7) else None,
        skin=identity.skin
        if seen.sees((Part.FACE, Part.ARM, Part.HAND, Part.LEG), 40, 0)
        else None,
        hair=hair,
        hair_colour=(
            identity.hair_colour if identity.hair != "bald" and seen.sees(HAIR, 25) else None
        ),
        beard=identity.beard and seen.sharp and seen.sees((Part.BEARD,), 14),
        glasses=(
            identity.glasses
            if identity.glasses != "none" and seen.sharp and seen.sees((Part.GLASSES,), 7, 0.7)
            else None
        ),
        hat=identity.hat if hat else None,
        hat_colour=identity.hat_colour if hat else None,
        upper=_upper(identity, seen) if trunk else None,
        upper_colour=identity.upper_colour if trunk else None,
        pattern=identity.upper_pattern if pattern else None,
        second_colour=identity.upper_second_colour if pattern else None,
        sleeves=_sleeves(identity, seen) if trunk else None,
        open=inner and identity.upper != "vest" and seen.sees((Part.INNER,), 22),
        inner_colour=identity.inner_colour if inner else None,
        zip=trunk and seen.sharp and seen.sees((Part.ZIP,), 8, 0.6),
        buttons=(
            trunk
            and seen.sharp
            and identity.upper in ("shirt", "coat", "polo shirt", "suit jacket")
            and seen.sees((Part.BUTTON,), 4, 0.7)
        ),
        hood=trunk and seen.sees((Part.HOOD,), 18),
        lower=_lower(identity, seen) if lower else None,
        lower_colour=identity.lower_colour if lower else None,
        stripe=lower and seen.sees((Part.LOWER2,), 14),
        bare_legs=seen.sees((Part.LEG,), 70, 0.6) and identity.shoes != "boots",
        shoes=_shoes(identity, seen) if shoes else None,
        shoes_colour=identity.shoes_colour if shoes else None,
        bag=bag,
        bag_colour=identity.bag_colour if bag else None,
        carried=_carried(identity, seen),
        aspect=scene.aspect,
        walking=abs(scene.pose.hips[0]) > 0.22 and seen.sees((*LOWER, Part.LEG), 150, 0.6),
    )


def _hair(identity: Identity, seen: Visibility) -> str | None:
    if identity.hair in ("long", "shoulder-length"):
        return identity.hair if seen.sees((Part.HANGING_HAIR,), 35) else None
    if identity.hair in ("ponytail", "bun"):
        return identity.hair if seen.sees((Part.TIED_HAIR,), 12, 0.7) else None
    if identity.hat != "none":
        return None
    if identity.hair == "bald":
        return "bald" if seen.sees((Part.FACE,), 120, 0.8) else None
    return identity.hair if seen.sees((Part.HAIR,), 40) else None


def _pattern_shows(identity: Identity, seen: Visibility) -> bool:
    if identity.upper_pattern == "print":
        return seen.sees((Part.PRINT,), 16, 0.7)
    second = (Part.UPPER2, Part.SLEEVE2, Part.TAIL2)
    return identity.upper_pattern != "plain" and seen.sharp and seen.sees(second, 60)


def _upper(identity: Identity, seen: Visibility) -> str:
    proof: dict[str, tuple[tuple[int, ...], float]] = {
        "t-shirt": ((*SLEEVES, Part.ARM), 30),
        "polo shirt": ((Part.COLLAR,), 8),
        "shirt": ((Part.COLLAR,), 8),
        "sweater": (SLEEVES, 30),
        "hoodie": ((Part.HOOD,), 18),
        "jacket": (SLEEVES, 30),
        "puffer jacket": ((Part.UPPER,), 150),
        "suit jacket": ((Part.COLLAR,), 12),
        "coat": (TAIL, 120),
        "vest": ((Part.INNER_SLEEVE,), 25),
        "tank top": ((Part.ARM,), 30),
        "dress": (TAIL, 120),
    }
    parts, pixels = proof[identity.upper]
    return identity.upper if seen.sees(parts, pixels, 0.5) else "top"


def _sleeves(identity: Identity, seen: Visibility) -> str | None:
    if identity.upper in ("t-shirt", "polo shirt", "dress"):
        return "short" if seen.sees((Part.ARM,), 25) else None
    if identity.upper in ("shirt", "sweater"):
        return "long" if seen.sees(SLEEVES, 60, 0.6) else None
    return None


def _lower(identity: Identity, seen: Visibility) -> str:
    if identity.lower in ("shorts", "skirt"):
        return identity.lower if seen.sees((Part.LEG,), 30, 0.4) else "bottoms"
    if identity.lower == "long skirt":
        return identity.lower if seen.sees(LOWER, 300, 0.75) else "skirt"
    return identity.lower if seen.sees(LOWER, 150, 0.6) else "bottoms"


def _shoes(identity: Identity, seen: Visibility) -> str:
    if identity.shoes != "boots":
        return identity.shoes
    covered = identity.upper != "dress" and identity.lower in ("trousers", "sweatpants")
    return "boots" if not covered and seen.sees((Part.SHOES,), 60, 0.6) else "shoes"


def _bag(identity: Identity, seen: Visibility) -> str | None:
    proof: dict[str, tuple[tuple[int, ...], float]] = {
        "backpack": ((Part.BACKPACK,), 60),
        "shoulder bag": ((Part.BAG,), 40),
        "handbag": ((Part.BAG,), 40),
        "suitcase": ((Part.SUITCASE,), 80),
    }
    if identity.bag == "none":
        return None
    parts, pixels = proof[identity.bag]
    if seen.sees(parts, pixels):
        return identity.bag
    if identity.bag == "backpack" and seen.sees((Part.BACKPACK_STRAP,), 20, 0.6):
        return "backpack straps"
    return None


def _carried(identity: Identity, seen: Visibility) -> str | None:
    proof = {
        "phone": (Part.PHONE, 8),
        "umbrella": (Part.UMBRELLA, 22),
        "bottle": (Part.BOTTLE, 14),
        "cup": (Part.CUP, 16),
        "folder": (Part.FOLDER, 30),
    }
    if identity.carried == "none":
        return None
    part, pixels = proof[identity.carried]
    return identity.carried if seen.sees((part,), pixels, 0.7) else None
