"""The VQGAN itself: images to ids of codes, and back."""

import contextlib
import io

import torch
from taming.modules.diffusionmodules.model import Decoder, Encoder
from torch import Tensor, nn
from torch.nn import functional

from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.quantise import nearest_codes


class Codebook(nn.Module):
    """The codes, under the name that published checkpoints give them."""

    def __init__(self, codes: int, code_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, code_dim)


class VQGAN(nn.Module):
    """Encoder, codebook and decoder (Esser et al. 2021, https://arxiv.org/abs/2012.09841).

    Built from the modules of taming-transformers with the weights' published names. Images are
    float [B, 3, H, W] in [-1, 1] (see `to_signed`), whatever normalisation the towers use.

    Attributes:
        codes: size K of the codebook.
        factor: side in pixels of the square that one code stands for.
    """

    def __init__(self, architecture: Architecture, decoder: bool = True) -> None:
        """A VQGAN with random weights.

        Args:
            architecture: sizes.
            decoder: False builds only what `encode` needs.
        """
        super().__init__()
        self.architecture = architecture
        self.codes = architecture.codes
        self.factor = architecture.factor
        pixels = 3 * architecture.patch**2
        sizes = {
            "ch": architecture.channels,
            "out_ch": pixels,
            "ch_mult": architecture.multipliers,
            "num_res_blocks": architecture.blocks,
            "attn_resolutions": architecture.attention_resolutions,
            "in_channels": pixels,
            "resolution": architecture.resolution,
            "z_channels": architecture.latent_channels,
            "double_z": False,
        }
        width, code_dim = architecture.latent_channels, architecture.code_dim
        self.encoder = Encoder(**sizes)
        self.quant_conv = nn.Conv2d(width, code_dim, 1)
        self.quantize = Codebook(architecture.codes, code_dim)
        if decoder:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints its sizes
                self.decoder = Decoder(**sizes)
            self.post_quant_conv = nn.Conv2d(code_dim, width, 1)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of codes of an image of `height` x `width` pixels.

        Raises:
            ValueError: the sides are no multiples of `factor`.
        """
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"images of {height}x{width}: the VQGAN needs sides that are multiples of "
                f"{self.factor}; change image.height and image.width"
            )
        return height // self.factor, width // self.factor

    def latents(self, images_B3HW: Tensor) -> Tensor:
        """What is quantised: float [B, D, h, w]."""
        folded = functional.pixel_unshuffle(images_B3HW, self.architecture.patch)
        return self.quant_conv(self.encoder(folded))

    def nearest(self, latents_BDhw: Tensor) -> Tensor:
        """Ids, long [B, h, w], of the codes nearest to the latents; float32 also under autocast."""
        batch, dim, height, width = latents_BDhw.shape
        flat = latents_BDhw.permute(0, 2, 3, 1).reshape(-1, dim)
        with torch.autocast(latents_BDhw.device.type, enabled=False):
            ids = nearest_codes(flat.float(), self.quantize.embedding.weight.float())
        return ids.view(batch, height, width)

    def encode(self, images_B3HW: Tensor) -> Tensor:
        """Images in [-1, 1] to ids, long [B, h, w]."""
        return self.nearest(self.latents(images_B3HW))

    def lookup(self, ids_Bhw: Tensor) -> Tensor:
        """The codes of ids: float [B, D, h, w]."""
        return self.quantize.embedding(ids_Bhw).permute(0, 3, 1, 2)

    def reconstruct(self, codes_BDhw: Tensor) -> Tensor:
        """Codes, or latents in their place, to images [B, 3, H, W] of about [-1, 1]."""
        folded = self.decoder(self.post_quant_conv(codes_BDhw))
        return functional.pixel_shuffle(folded, self.architecture.patch)

    def decode(self, ids_Bhw: Tensor) -> Tensor:
        """Ids, long [B, h, w], to images [B, 3, H, W] of about [-1, 1], not clipped."""
        return self.reconstruct(self.lookup(ids_Bhw))


def exact_convolutions() -> contextlib.AbstractContextManager[None]:
    """On a GPU, reproducible float32 convolutions: no TF32, no autotuning."""
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )


def to_signed(pixels: Tensor) -> Tensor:
    """uint8 values to float32 in [-1, 1], in whatever layout."""
    return pixels.float() / 127.5 - 1


def to_uint8(images: Tensor) -> Tensor:
    """Images of about [-1, 1] to uint8, clipped, in whatever layout."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
