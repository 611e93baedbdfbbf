"""CLIP's vision transformer for RGB, infrared, colour pencil and sketches."""

import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ubg.data.images.normalisation import Normalisation
from ubg.params import Adapters
from ubg.systems.clip_mer.parts import CHANNELS, MODALITIES, RGB
from ubg.systems.clip_mer.routed_layer import RoutedLayer
from ubg.towers.vision import VisionEncoder


class OwnEmbedding(nn.Module):
    """What a modality does before the first layer in its own way, started from RGB's.

    Args:
        trunk: of RGB.
        channels: of the modality.
        own: the patch embedding alone ("conv"), or class token, positions and first norm too.
    """

    def __init__(self, trunk: Any, channels: int, own: Literal["conv", "all"]):
        super().__init__()
        embeddings = trunk.embeddings
        self.patch_embedding = copy.deepcopy(embeddings.patch_embedding)
        if channels == 1:
            _sum_over_channels(self.patch_embedding)
        self.class_token = self.position_embedding = self.norm = None
        if own == "all":
            self.class_token = nn.Parameter(embeddings.class_token.detach().clone())
            self.position_embedding = nn.Parameter(embeddings.position_embedding.detach().clone())
            self.norm = copy.deepcopy(trunk.pre_layrnorm)


class RoutedTower(nn.Module):
    """A trunk that all modalities share, with a patch embedding and low-rank updates for each.

    Legend: B batch, C channels of a modality, N patches, W width, D joint space.

    Args:
        clip: CLIP's, with its projection; its layers are replaced in place.
        adapters: of its layers.
        own: see `OwnEmbedding`.
        eager: implementation of attention.
    """

    def __init__(
        self, clip: VisionEncoder, adapters: Adapters, own: Literal["conv", "all"], eager: bool
    ):
        super().__init__()
        self.clip = clip
        trunk = self.trunk
        layers = trunk.encoder.layers
        adapted = len(layers) if adapters.layers == "all" else adapters.layers
        if adapted > len(layers):
            raise ValueError(
                f"clip_mer.adapters.layers: {adapted} is more than the {len(layers)} layers of the "
                "vision tower; give a smaller number or all"
            )
        for place, layer in enumerate(layers):
            is_adapted = place >= len(layers) - adapted
            layers[place] = RoutedLayer(layer, MODALITIES, adapters if is_adapted else None, eager)
        self.own = nn.ModuleDict(
            {name: OwnEmbedding(trunk, channels, own) for name, channels in CHANNELS.items()}
        )

    def forward(self, images: Tensor, modality: str) -> Tensor:
        """Normalised images [B, C, H, W] to their projected class token, [B, D]."""
        hidden_BLW = self._embed(images, modality)
        *earlier, last = self.trunk.encoder.layers
        for layer in earlier:
            hidden_BLW = layer(hidden_BLW, modality, hidden_BLW.shape[1])
        class_BW = self.trunk.post_layernorm(last(hidden_BLW, modality, 1)[:, 0])
        assert self.clip.projection is not None
        return self.clip.projection(class_BW)

    @property
    def trunk(self) -> Any:
        """The transformer, which releases of its library wrap more than once."""
        return getattr(self.clip.transformer, "vision_model", self.clip.transformer)

    def normalisations(self) -> dict[str, Normalisation]:
        """Of the modalities beside RGB: grey pictures have one mean and one deviation."""
        colour = self.clip.normalisation
        grey = Normalisation((sum(colour.mean) / 3,), (sum(colour.std) / 3,))
        return {name: colour if count == 3 else grey for name, count in CHANNELS.items()}

    def patch_embeddings(self) -> list[nn.Module]:
        """Of all modalities, and what else is of one alone."""
        return [self.trunk.embeddings.patch_embedding, self.own]

    def add_patch_noise(self, deviation: float) -> None:
        """Move the first convolution of each modality away from RGB's."""
        for embedding in self.own.values():
            weight = _first_convolution(embedding).weight
            with torch.no_grad():
                weight += deviation * torch.randn_like(weight)

    def _embed(self, images: Tensor, modality: str) -> Tensor:
        """What the first layer is given, [B, 1 + N, W], the class token first."""
        trunk = self.trunk
        shared = trunk.embeddings
        if modality == RGB:
            return trunk.pre_layrnorm(shared(images))
        own: Any = self.own[modality]
        patches_BNW = own.patch_embedding(images).flatten(2).transpose(1, 2)
        token = shared.class_token if own.class_token is None else own.class_token
        positions = own.position_embedding
        if positions is None:
            positions = shared.position_embedding
        tokens_BLW = torch.cat([token.expand(len(images), 1, -1), patches_BNW], dim=1)
        norm = trunk.pre_layrnorm if own.norm is None else own.norm
        return norm(tokens_BLW + positions)


def _sum_over_channels(patch_embedding: nn.Module) -> None:
    """Take grey pictures, and answer them as the same grey in three channels.

    The mean over the weights of the channels would answer at a third.
    """
    convolution = _first_convolution(patch_embedding)
    convolution.weight = nn.Parameter(convolution.weight.detach().sum(1, keepdim=True))
    convolution.in_channels = 1


def _first_convolution(patch_embedding: nn.Module) -> nn.Conv2d:
    """CLIP's one, or the first of a stem of several."""
    return next(part for part in patch_embedding.modules() if isinstance(part, nn.Conv2d))
