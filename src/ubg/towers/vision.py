"""Vision transformers of CLIP and SigLIP from transformers, at any input size."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    PreTrainedModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from ubg.data.images.normalisation import Normalisation
from ubg.params import Image, VisionTower
from ubg.towers.attention_mask import additive_mask
from ubg.towers.embeddings import ConvStem, GridEmbeddings, resize_positions
from ubg.towers.one_token import token_of_last_layer
from ubg.towers.pretrained import load_tower, normalisation_of
from ubg.towers.projection import check_projection, new_projection
from ubg.towers.quick_gelu import replace_quick_gelu

CLIP_NORMALISATION = Normalisation(
    (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
)
SIGLIP_NORMALISATION = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class VisionEncoder(nn.Module):
    """A vision transformer: images [B, 3, H, W] to tokens [B, L, C] and a pooled vector [B, C].

    CLIP pools the class token; SigLIP pools by attention, unless it was built without its head.
    """

    normalisation: Normalisation

    def __init__(
        self,
        transformer: PreTrainedModel,
        pretrained: bool,
        normalisation: Normalisation,
        grid: tuple[int, int],
        projection: nn.Linear | None = None,
    ):
        super().__init__()
        self.transformer = transformer
        self.width: int = transformer.config.hidden_size
        self.pretrained = pretrained
        self.normalisation = normalisation
        self.grid = grid
        self.projection = projection

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        output = self.transformer(pixel_values=images)
        return output.last_hidden_state, output.pooler_output

    def tokens(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] to tokens [B, L, C]."""
        return self.transformer(pixel_values=images).last_hidden_state

    def projected_tokens(self, images: Tensor) -> Tensor:
        """CLIP's tokens in the joint space, [B, 1 + N, D], the class token first.

        All of them go through the final layer norm and the projection, as in IRRA (arXiv
        2303.12501); CLIP itself takes the class token alone there.
        """
        assert self.projection is not None, "built without a projection"
        body = getattr(self.transformer, "vision_model", self.transformer)
        return self.projection(body.post_layernorm(self.tokens(images)))

    def projected_class_token(self, images: Tensor) -> Tensor:
        """The first of `projected_tokens` alone, [B, D], in evaluation mode."""
        assert self.projection is not None, "built without a projection"
        body = getattr(self.transformer, "vision_model", self.transformer)
        hidden_BLC = body.pre_layrnorm(body.embeddings(images))
        first_B = torch.zeros(len(images), dtype=torch.long, device=images.device)
        hidden_BC = token_of_last_layer(body.encoder.layers, hidden_BLC, first_B)
        return self.projection(body.post_layernorm(hidden_BC))

    def tokens_of_embeddings(self, embeddings_BLC: Tensor, mask_BL: Tensor) -> Tensor:
        """What the transformer makes of any patch embeddings, positions added, [B, L, C].

        Args:
            embeddings_BLC: see `GridEmbeddings`; SigLIP's, which have no class token.
            mask_BL: 1 on patches, 0 on padding.
        """
        body = getattr(self.transformer, "vision_model", self.transformer)
        hidden = body.encoder(
            inputs_embeds=embeddings_BLC, attention_mask=additive_mask(mask_BL)
        ).last_hidden_state
        return body.post_layernorm(hidden)

    @property
    def embeddings(self) -> GridEmbeddings:
        """From pixels to patch embeddings with their positions."""
        return getattr(self.transformer, "vision_model", self.transformer).embeddings


def clip_vision(
    params: VisionTower,
    image: Image,
    attention: str,
    config: dict[str, Any] | None = None,
    projection_dim: int | None = None,
) -> VisionEncoder:
    """CLIP's vision transformer (arXiv 2103.00020) for images of the given size.

    Args:
        params: sizes or the name of a pretrained model.
        image: height and width in pixels.
        attention: implementation, "sdpa" or "eager".
        config: architecture of a tower saved earlier; its weights are to be loaded by the caller.
        projection_dim: D of `VisionEncoder.projected_tokens`, a pretrained model's own; None
            leaves the projection out.

    Raises:
        ValueError: the pretrained model cannot be loaded, or projects to another size; the image
            does not hold whole patches.
    """
    projection = None
    if config is not None:
        model = CLIPVisionModel(CLIPVisionConfig.from_dict(config))
    elif params.pretrained is None:
        model = CLIPVisionModel(CLIPVisionConfig(**_sizes(params), hidden_act="quick_gelu"))
    elif projection_dim is None:
        model = load_tower(
            CLIPVisionModel, params.pretrained, "clip", "vision", params.architecture
        )
    else:
        whole = load_tower(
            CLIPVisionModelWithProjection, params.pretrained, "clip", "vision", params.architecture
        )
        model, projection = whole.vision_model, whole.visual_projection
        check_projection(projection, projection_dim, params.pretrained)
    replace_quick_gelu(model)
    grid = _fit_to_image(model, params, image, class_token=True)
    model.set_attn_implementation(attention)
    if projection_dim is not None and projection is None:
        projection = new_projection(model.config.hidden_size, projection_dim)
    normalisation = normalisation_of(model.config, CLIP_NORMALISATION)
    return VisionEncoder(model, params.pretrained is not None, normalisation, grid, projection)


def siglip_vision(
    params: VisionTower,
    image: Image,
    attention: str,
    config: dict[str, Any] | None = None,
    pooled: bool = True,
) -> VisionEncoder:
    """SigLIP's vision transformer (arXiv 2303.15343); see `clip_vision`.

    Its head, which pools by attention, is left out where `pooled` is false.
    """
    if config is not None:
        model = SiglipVisionModel(
            SiglipVisionConfig.from_dict(config | {"vision_use_head": pooled})
        )
    elif params.pretrained is not None:
        model = load_tower(
            SiglipVisionModel, params.pretrained, "siglip", "vision", params.architecture
        )
        if not pooled:
            _remove_head(model)
    else:
        model = SiglipVisionModel(SiglipVisionConfig(**_sizes(params), vision_use_head=pooled))
    grid = _fit_to_image(model, params, image, class_token=False)
    model.set_attn_implementation(attention)
    normalisation = normalisation_of(model.config, SIGLIP_NORMALISATION)
    return VisionEncoder(model, params.pretrained is not None, normalisation, grid)


def patch_grid(params: VisionTower, image: Image) -> tuple[int, int]:
    """Rows and columns of patches: as many as fit, `stride` pixels from one to the next.

    A stride that is given may leave a margin, as in TransReID (arXiv 2102.04378) and IRRA.

    Raises:
        ValueError: no patch fits, or patches leave a margin where no stride is given.
    """
    patch, stride = params.patch_size, params.stride or params.patch_size
    if params.stride is None and (image.height % patch or image.width % patch):
        raise ValueError(
            f"image: {image.height}x{image.width} is not a multiple of patch_size {patch}; "
            "change one of them, or give a stride and lose the margin"
        )
    if min(image.height, image.width) < patch:
        raise ValueError(
            f"image: {image.height}x{image.width} is smaller than patch_size {patch}; "
            "change one of them"
        )
    return (image.height - patch) // stride + 1, (image.width - patch) // stride + 1


def _sizes(params: VisionTower) -> dict[str, int | None]:
    return {
        "hidden_size": params.width,
        "num_hidden_layers": params.layers,
        "num_attention_heads": params.heads,
        "intermediate_size": params.mlp_width,
        "patch_size": params.patch_size,
        "image_size": params.patch_size,
    }


def _remove_head(model: SiglipVisionModel) -> None:
    body = getattr(model, "vision_model", model)
    body.use_head = model.config.vision_use_head = False
    del body.head


def _fit_to_image(
    model: PreTrainedModel, params: VisionTower, image: Image, class_token: bool
) -> tuple[int, int]:
    """Replace the embeddings of a square by those of the image's grid of patches, and return it."""
    # Older releases of transformers wrap the transformer once more.
    body = getattr(model, "vision_model", model)
    grid = patch_grid(params, image)
    token = body.embeddings.class_embedding.detach() if class_token else None
    patches = body.embeddings.patch_embedding
    if patches.kernel_size != (params.patch_size, params.patch_size):
        raise ValueError(
            f"patch_size: {params.patch_size} is not that of {params.pretrained}, "
            f"{patches.kernel_size[0]}; give that"
        )
    patches.stride = (params.stride or params.patch_size,) * 2
    if params.pretrained is None:
        positions = 0.02 * torch.randn(
            grid[0] * grid[1] + int(class_token), model.config.hidden_size
        )
        if params.conv_stem:
            patches = ConvStem(model.config.hidden_size, params.patch_size)
    else:
        learned = body.embeddings.position_embedding.weight.detach()
        positions = resize_positions(learned, grid, class_token, params.resize)
    body.embeddings = GridEmbeddings(patches, positions, token)
    return grid
