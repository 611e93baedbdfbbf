"""Vision transformers of CLIP and SigLIP from transformers, at any input size."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, SiglipVisionConfig, SiglipVisionModel

from ubg.models.towers.embeddings import ConvStem, GridEmbeddings, resize_positions
from ubg.models.towers.pretrained import load_pretrained
from ubg.params import Image, VisionTower


@dataclass(frozen=True)
class Normalisation:
    """Per-channel mean and standard deviation of pixels in [0, 1], as the tower expects them."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


CLIP_NORMALISATION = Normalisation(
    (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
)
SIGLIP_NORMALISATION = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class VisionEncoder(nn.Module):
    """A vision transformer: images [B, 3, H, W] to tokens [B, L, C] and a pooled vector [B, C].

    CLIP pools the class token; SigLIP pools by attention.
    """

    def __init__(self, transformer: nn.Module, width: int, pretrained: bool):
        super().__init__()
        self.transformer = transformer
        self.width = width
        self.pretrained = pretrained

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        output = self.transformer(pixel_values=images)
        return output.last_hidden_state, output.pooler_output


def clip_vision(params: VisionTower, image: Image) -> VisionEncoder:
    """CLIP's vision transformer (arXiv 2103.00020) for images of the given size."""
    if params.pretrained is not None:
        model = load_pretrained(CLIPVisionModel, params.pretrained)
    else:
        model = CLIPVisionModel(CLIPVisionConfig(**_sizes(params), hidden_act="quick_gelu"))
    body = _body(model)
    body.embeddings = _grid_embeddings(body.embeddings, params, image, class_token=True)
    return VisionEncoder(model, model.config.hidden_size, params.pretrained is not None)


def siglip_vision(params: VisionTower, image: Image) -> VisionEncoder:
    """SigLIP's vision transformer with attention pooling (arXiv 2303.15343)."""
    if params.pretrained is not None:
        model = load_pretrained(SiglipVisionModel, params.pretrained)
    else:
        model = SiglipVisionModel(SiglipVisionConfig(**_sizes(params)))
    body = _body(model)
    body.embeddings = _grid_embeddings(body.embeddings, params, image, class_token=False)
    return VisionEncoder(model, model.config.hidden_size, params.pretrained is not None)


def _sizes(params: VisionTower) -> dict[str, int]:
    assert params.width and params.layers and params.heads and params.mlp_width
    return {
        "hidden_size": params.width,
        "num_hidden_layers": params.layers,
        "num_attention_heads": params.heads,
        "intermediate_size": params.mlp_width,
        "patch_size": params.patch_size,
        "image_size": params.patch_size,
    }


def _body(model: nn.Module) -> nn.Module:
    # Older releases of transformers wrap the transformer once more.
    return getattr(model, "vision_model", model)


def _grid_embeddings(
    embeddings: nn.Module, params: VisionTower, image: Image, class_token: bool
) -> GridEmbeddings:
    if image.height % params.patch_size or image.width % params.patch_size:
        raise ValueError(
            f"image: {image.height}x{image.width} is not a multiple of patch_size "
            f"{params.patch_size}; change one of them"
        )
    grid = image.height // params.patch_size, image.width // params.patch_size
    token = embeddings.class_embedding.detach() if class_token else None
    patches, positions = embeddings.patch_embedding, embeddings.position_embedding.weight.detach()
    if params.pretrained is None:
        if params.conv_stem:
            patches = ConvStem(patches.out_channels, params.patch_size)
        shape = (grid[0] * grid[1] + int(class_token), positions.shape[1])
        return GridEmbeddings(patches, 0.02 * torch.randn(shape), token)
    if patches.kernel_size != (params.patch_size, params.patch_size):
        raise ValueError(
            f"patch_size: {params.patch_size} is not that of {params.pretrained}, "
            f"{patches.kernel_size[0]}; give that"
        )
    return GridEmbeddings(patches, resize_positions(positions, grid, class_token), token)
