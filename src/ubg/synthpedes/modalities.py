"""The same pedestrians in infrared, colour pencil and sketch: drawn anew, not from photographs."""

import random

import numpy as np
from PIL import Image, ImageFilter

from ubg.synthpedes.canvas import HEIGHT, SUPERSAMPLING, WIDTH, Part
from ubg.synthpedes.scene import Rendering, Scene, grain

MODALITIES = ("nir", "cp", "sk")


def picture(
    modality: str, rendering: Rendering, scene: Scene, look: int, rng: random.Random
) -> Image.Image:
    """One rendering as infrared (nir), colour pencil (cp) or sketch (sk); RGB 192 x 64.

    Cloth reflects infrared as `look` says, that of the outfit.
    """
    if modality == "nir":
        image = _infrared(rendering, scene, look, rng)
    elif modality == "cp":
        image = _colour_pencil(rendering, rng)
    else:
        image = _sketch(rendering, rng)
    return Image.fromarray(np.clip(image + 0.5, 0, 255).astype(np.uint8))


def _infrared(rendering: Rendering, scene: Scene, look: int, rng: random.Random) -> np.ndarray:
    """Active illumination: bright skin, cloth by material instead of colour, dark corners."""
    material = np.random.default_rng(look).uniform(70, 210, 256)
    material[[Part.FACE, Part.NECK, Part.ARM, Part.HAND, Part.LEG, Part.EARS]] = 205
    material[[Part.HAIR, Part.HANGING_HAIR, Part.TIED_HAIR, Part.BEARD, Part.BROWS]] = 120
    material[[Part.EYE, Part.GLASSES, Part.LIPS]] = (30, 40, 150)
    # A garment keeps one reflectance, whatever part of it is drawn.
    for part in (Part.SLEEVE, Part.TAIL, Part.HOOD, Part.COLLAR):
        material[part] = material[Part.UPPER]
    for part in (Part.UPPER2, Part.SLEEVE2, Part.TAIL2):
        material[part] = material[Part.UPPER] * 0.8
    material[0] = 0
    table = np.clip(material, 0, 255).astype(np.uint8).tolist()
    gray = np.asarray(rendering.parts.point(table, "L").reduce(SUPERSAMPLING), np.float32)
    x = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None]
    y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    wall = 42 + 22 * np.cos(2.2 * x + scene.light) + 12 * (y > rng.uniform(0.1, 0.5))
    cover, tone = rendering.cover[..., 0], rendering.tone[..., 0]
    image = wall * (1 - cover) + gray * tone
    image = image * (1.05 - 0.3 * (x * x + 0.6 * y * y)) + grain(rng, 5.0, 1)[..., 0]
    return np.repeat(image[..., None], 3, axis=2)


def _lines(rendering: Rendering, width: int) -> np.ndarray:
    """How much of each pixel is covered by contours between parts, float32 [192, 64, 1]."""
    parts = np.asarray(rendering.parts)
    edge = np.zeros(parts.shape, bool)
    edge[1:] |= parts[1:] != parts[:-1]
    edge[:, 1:] |= parts[:, 1:] != parts[:, :-1]
    drawn = Image.fromarray(edge.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(width))
    return np.asarray(drawn.reduce(SUPERSAMPLING), np.float32)[..., None] / 255


def _paper(rng: random.Random) -> np.ndarray:
    return np.array((250, 247, 240), np.float32) + grain(rng, 2.5, 1)


def _hatching(rng: random.Random, spacing: float) -> np.ndarray:
    """Slanted strokes of uneven pressure, float32 [192, 64, 1] from 0 to 1."""
    slope = rng.uniform(0.6, 1.4)
    x = np.arange(WIDTH, dtype=np.float32)[None]
    y = np.arange(HEIGHT, dtype=np.float32)[:, None]
    stroke = 0.5 + 0.5 * np.sin((x + slope * y) * np.float32(2 * np.pi / spacing))
    return np.clip(stroke[..., None] + grain(rng, 0.16, 1), 0, 1)


def _colour_pencil(rendering: Rendering, rng: random.Random) -> np.ndarray:
    """Pale strokes of colour on paper, contours in grey."""
    paper = _paper(rng)
    cover = np.maximum(rendering.cover, 1e-3)
    colour = rendering.colour / cover * np.clip(rendering.tone, 0.6, 1.2)
    pressure = rendering.cover * (0.5 + 0.38 * _hatching(rng, rng.uniform(2.6, 3.6)))
    image = paper * (1 - pressure) + colour * pressure
    lines = 0.65 * _lines(rendering, 3)
    return image * (1 - lines) + 70 * lines


def _sketch(rendering: Rendering, rng: random.Random) -> np.ndarray:
    """Contours and hatched shade in pencil: no colour at all."""
    paper = _paper(rng)
    shade = np.clip(1.05 - rendering.tone, 0, 0.5) * rendering.cover
    dark = 1 - rendering.colour.mean(axis=2, keepdims=True) / 255
    tint = (shade + 0.22 * dark * rendering.cover) * _hatching(rng, 3.0)
    ink = np.clip(0.85 * _lines(rendering, 3) + tint, 0, 0.95)
    return paper * (1 - ink) + 48 * ink
