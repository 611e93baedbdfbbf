"""What a VQGAN makes of validation images: numbers and a picture."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from ubg.data.images.image_pack import ImagePack
from ubg.figures.style import INK, font
from ubg.vqgan.model.vqgan import VQGAN, to_signed, to_uint8

PICTURES, BATCH, GAP = 12, 64, 6
HEADING = "VQGAN: images of the validation split, below each its reconstruction"
TITLE, TITLE_WIDTH = 34, 640  # pixels


@dataclass
class Quality:
    """Mean PSNR of the reconstructions in dB, and how the codebook is used.

    Attributes:
        perplexity: exponential of the entropy of the codes, at most `codes`.
        used_codes: how many codes occur at all.
    """

    psnr: float
    perplexity: float
    used_codes: int
    codes: int

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def psnr(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image in dB, [B]; both uint8 [B, ...]."""
    squares = (reconstructions.float() - images.float()).square()
    return 10 * torch.log10(255**2 / squares.flatten(1).mean(1).clamp(min=1e-6))


def perplexity(counts_K: Tensor) -> float:
    """Exponential of the entropy, in nats, of codes that occur so often."""
    shares = counts_K[counts_K > 0].double() / counts_K.sum()
    return torch.exp(-(shares * shares.log()).sum()).item()


@torch.inference_mode()
def reconstruct(model: VQGAN, pixels_BHWC: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Reconstructions, uint8 [B, H, W, 3], and the ids they come from, long [B, h, w]; on CPU."""
    device = next(model.parameters()).device
    images = to_signed(torch.from_numpy(pixels_BHWC).to(device).permute(0, 3, 1, 2))
    ids = model.encode(images)
    return to_uint8(model.decode(ids)).permute(0, 2, 3, 1).cpu(), ids.cpu()


def measure(model: VQGAN, pack: ImagePack, rows: NDArray[np.int64]) -> Quality:
    """The quality on the images in `rows` of `pack`."""
    ratios, counts = [], torch.zeros(model.codes, dtype=torch.int64)
    for start in range(0, len(rows), BATCH):
        pixels = pack.read(rows[start : start + BATCH])
        reconstructions, ids = reconstruct(model, pixels)
        ratios.append(psnr(reconstructions, torch.from_numpy(pixels)))
        counts += torch.bincount(ids.flatten(), minlength=model.codes)
    return Quality(
        psnr=round(torch.cat(ratios).mean().item(), 3),
        perplexity=round(perplexity(counts), 2),
        used_codes=int((counts > 0).sum()),
        codes=model.codes,
    )


def draw_reconstructions(
    model: VQGAN, pack: ImagePack, rows: NDArray[np.int64], path: Path
) -> None:
    """Write up to a dozen images, spread over `rows`, above their reconstructions as a PNG."""
    count = min(PICTURES, len(rows))
    pixels = pack.read(rows[np.linspace(0, len(rows) - 1, count).astype(int)])
    reconstructions, _ = reconstruct(model, pixels)
    scale = max(1, 192 // pack.height)
    bands = [_band(images, scale) for images in (pixels, reconstructions.numpy())]
    pictures = Image.fromarray(np.concatenate(bands))
    sheet = Image.new("RGB", (max(pictures.width, TITLE_WIDTH), TITLE + pictures.height), "white")
    sheet.paste(pictures, (0, TITLE))
    ImageDraw.Draw(sheet).text((GAP, GAP), HEADING, fill=INK, font=font(16, bold=True))
    sheet.save(path)


def _band(images_BHWC: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Images side by side with white gaps, each pixel `scale` pixels wide."""
    enlarged = images_BHWC.repeat(scale, 1).repeat(scale, 2)
    framed = np.pad(enlarged, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255)
    return np.concatenate(list(framed), axis=1)
