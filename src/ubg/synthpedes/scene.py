"""One picture: a pedestrian in a pose, view and light, behind an occluder; and what shows of it."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import pi

import numpy as np
from PIL import Image, ImageFilter

from ubg.synthpedes.background import draw_background
from ubg.synthpedes.body import Pose, draw_pose
from ubg.synthpedes.canvas import HEIGHT, MARGIN, NEUTRAL, SUPERSAMPLING, WIDTH, Canvas
from ubg.synthpedes.figure import apply_pattern, draw_person, palette
from ubg.synthpedes.identities import Identity
from ubg.synthpedes.occluders import KINDS, draw_occluder
from ubg.synthpedes.surface import View


@dataclass(frozen=True)
class Scene:
    """What differs between two pictures of one person."""

    yaw: float  # radians, 0 faces the camera
    pose: Pose
    height: float  # of an average person, pixels
    centre: float
    ground: float
    light: float  # direction, -1 from the left to 1 from the right
    exposure: float
    cast: tuple[float, float, float]
    contrast: float
    blur: float  # radius in pixels
    noise: float  # standard deviation in grey levels
    occluder: str | None

    @property
    def aspect(self) -> str:
        """front, back or side."""
        turned = abs((self.yaw + pi) % (2 * pi) - pi)
        return "front" if turned < pi * 0.3 else "back" if turned > pi * 0.7 else "side"


@dataclass(frozen=True)
class Visibility:
    """Pixels of each part before and after occluders and crop, in pixels of the picture."""

    drawn: tuple[float, ...]
    shown: tuple[float, ...]
    sharp: bool = field(default=True)

    def pixels(self, parts: Iterable[int]) -> float:
        """How many pixels of these parts can be seen."""
        return sum(self.shown[part] for part in parts)

    def sees(self, parts: Iterable[int], pixels: float, share: float = 0.5) -> bool:
        """Whether at least so many pixels remain, and at least this share of what was drawn."""
        parts = tuple(parts)
        shown = self.pixels(parts)
        return shown >= pixels and shown >= share * sum(self.drawn[part] for part in parts)


@dataclass(frozen=True)
class Rendering:
    """Layers of a scene at the size of the picture, before light and camera."""

    colour: np.ndarray  # float32 [192, 64, 3], premultiplied
    cover: np.ndarray  # float32 [192, 64, 1], 0 background to 1 drawn
    tone: np.ndarray  # float32 [192, 64, 1], 1 where neutral
    parts: Image.Image  # supersampled, cropped
    visibility: Visibility


def draw_scene(rng: random.Random, identity: Identity, yaw: float | None = None) -> Scene:
    """A scene at random; `yaw` fixes the view."""
    if yaw is None:
        side = rng.choice((0.5 * pi, -0.5 * pi))
        base = rng.choices((0.0, pi, side), (0.4, 0.26, 0.34))[0]
        yaw = base + rng.uniform(-0.5, 0.5)
    cut = rng.random()
    height = HEIGHT * rng.uniform(0.86, 0.97)
    ground = HEIGHT - rng.uniform(3, 11)
    if cut < 0.08:  # the detector missed the feet
        ground += rng.uniform(14, 34)
    elif cut < 0.13:  # or the top of the head
        ground -= 4
        height *= rng.uniform(1.04, 1.1)
    return Scene(
        yaw=yaw,
        pose=draw_pose(rng, identity.carried, identity.bag),
        height=height,
        centre=WIDTH / 2 + rng.uniform(-5, 5),
        ground=ground,
        light=rng.uniform(-1, 1),
        exposure=rng.uniform(0.74, 1.16),
        cast=(rng.uniform(0.94, 1.06), rng.uniform(0.96, 1.03), rng.uniform(0.92, 1.07)),
        contrast=rng.uniform(0.84, 1.12),
        blur=rng.choice((0.0, rng.uniform(0.2, 0.9))),
        noise=rng.uniform(1.0, 5.0),
        occluder=rng.choice(KINDS) if rng.random() < 0.3 else None,
    )


def render(identity: Identity, scene: Scene, rng: random.Random) -> Rendering:
    """Draw a scene and count what shows of each part."""
    canvas = Canvas()
    table = np.zeros((256, 3), np.uint8)
    colours = palette(identity)
    table[: len(colours)] = colours
    view = View(scene.yaw, scene.height, scene.centre, scene.ground)
    draw_person(canvas, identity, scene.pose, view, scene.light, rng)
    apply_pattern(canvas, identity)
    table[0] = 0
    drawn = canvas.parts.histogram()
    if scene.occluder is not None:
        draw_occluder(canvas, rng, scene.occluder, scene.ground, table)
    s = SUPERSAMPLING
    box = (MARGIN, MARGIN, MARGIN + WIDTH, MARGIN + HEIGHT)
    left, top, right, bottom = (s * edge for edge in box)
    parts = canvas.parts.crop((left, top, right, bottom))
    shown = parts.histogram()
    parts.putpalette(table.tobytes())
    tones = canvas.tones.crop(box).filter(ImageFilter.GaussianBlur(0.9))
    cover = parts.point([0] + [255] * 255, "L").reduce(s)
    area = s * s
    return Rendering(
        colour=np.asarray(parts.convert("RGB").reduce(s), np.float32),
        cover=np.asarray(cover, np.float32)[..., None] / 255,
        tone=np.asarray(tones, np.float32)[..., None] / NEUTRAL,
        parts=parts,
        visibility=Visibility(
            tuple(count / area for count in drawn),
            tuple(count / area for count in shown),
            sharp=scene.blur < 0.6,
        ),
    )


def photograph(rendering: Rendering, scene: Scene, rng: random.Random) -> Image.Image:
    """The colour picture, RGB 192 x 64."""
    background = np.asarray(draw_background(rng, scene.ground), np.float32)
    image = background * (1 - rendering.cover) + rendering.colour * rendering.tone
    side = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :, None]
    gain = np.float32(scene.exposure) * (1 + 0.1 * scene.light * side)
    image *= gain * np.array(scene.cast, np.float32)
    image = (image - 118) * np.float32(scene.contrast) + 118
    if scene.blur > 0:
        sharp = Image.fromarray(_to_bytes(image))
        image = np.asarray(sharp.filter(ImageFilter.GaussianBlur(scene.blur)), np.float32)
    return Image.fromarray(_to_bytes(image + grain(rng, scene.noise)))


def grain(rng: random.Random, deviation: float, channels: int = 3) -> np.ndarray:
    """Sensor noise, float32 [192, 64, channels]."""
    source = np.random.default_rng(rng.getrandbits(64))
    noise = source.standard_normal((HEIGHT, WIDTH, channels), np.float32)
    return noise * np.float32(deviation)


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)
