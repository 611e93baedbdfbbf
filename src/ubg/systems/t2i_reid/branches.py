"""From a pooled image or text to who it is and what is worn."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ubg.params import T2iReidNetwork
from ubg.towers.batch_norm import FeatureNorm

IDENTITY, CLOTHING = "identity", "clothing"


class Branch(nn.Module):
    """A linear map and a head for each modality, with a layer between them that both share.

    Legend: N samples, C pooled width of the modality, W of images, H hidden, D embedding.
    """

    def __init__(self, image_width: int, text_width: int, hidden: int, dim: int):
        super().__init__()
        self.image_projection = _linear(image_width, image_width)
        self.text_projection = _linear(text_width, image_width)
        self.shared = nn.Sequential(_linear(image_width, hidden), nn.GELU())
        self.image_head = _linear(hidden, dim)
        self.text_head = _linear(hidden, dim)

    def embed_image(self, projected_NW: Tensor) -> Tensor:
        """What `image_projection` gave to unit vectors [N, D]."""
        return F.normalize(self.image_head(self.shared(projected_NW)).float(), dim=-1)

    def embed_text(self, pooled_NC: Tensor) -> Tensor:
        """Pooled texts to unit vectors [N, D]."""
        hidden_NH = self.shared(self.text_projection(pooled_NC))
        return F.normalize(self.text_head(hidden_NH).float(), dim=-1)


class Branches(nn.Module):
    """The identity branch, the clothing branch, and how they make one vector.

    Args:
        image_width: of a pooled image.
        text_width: of a pooled text.
        network: sizes.

    Attributes:
        identity_share: w of the score w cos(identity) + (1 - w) cos(clothing), a scalar between 0
            and 1 that validation chooses.
        dim: of a branch.
    """

    identity_share: Tensor

    def __init__(self, image_width: int, text_width: int, network: T2iReidNetwork):
        super().__init__()
        with_norm = network.neck == "batch_norm"
        self.image_neck = FeatureNorm(image_width) if with_norm else nn.Identity()
        self.text_neck = FeatureNorm(text_width) if with_norm else nn.Identity()
        self.dim = network.embedding_dim // 2
        sizes = image_width, text_width, network.hidden, self.dim
        self.identity, self.clothing = Branch(*sizes), Branch(*sizes)
        self.register_buffer("identity_share", torch.tensor(0.5))

    def of_images(self, pooled_NC: Tensor) -> dict[str, Tensor]:
        """Pooled images to unit vectors "identity" and "clothing", [N, D] each."""
        pooled_NC = self.image_neck(pooled_NC)
        branches = {IDENTITY: self.identity, CLOTHING: self.clothing}
        return {
            name: branch.embed_image(branch.image_projection(pooled_NC))
            for name, branch in branches.items()
        }

    def of_texts(self, pooled_NC: Tensor) -> dict[str, Tensor]:
        """Pooled texts to unit vectors "identity" and "clothing", [N, D] each."""
        pooled_NC = self.text_neck(pooled_NC)
        branches = {IDENTITY: self.identity, CLOTHING: self.clothing}
        return {name: branch.embed_text(pooled_NC) for name, branch in branches.items()}

    def joined(self, parts: dict[str, Tensor]) -> Tensor:
        """Unit vectors [N, 2 D], the cosine of two of which is the score of their parts."""
        return join(parts, self.identity_share)


def join(parts: dict[str, Tensor], share: Tensor) -> Tensor:
    """Unit vectors "identity" and "clothing", [N, D] each, to [N, 2 D] with a score of `share`.

    The cosine of two results is share * cos(identity) + (1 - share) * cos(clothing).
    """
    return torch.cat([share.sqrt() * parts[IDENTITY], (1 - share).sqrt() * parts[CLOTHING]], dim=1)


def part(joined_N2D: Tensor, share: Tensor) -> dict[str, Tensor]:
    """What `join` was given; `share` lies between 0 and 1, neither included."""
    identity_ND, clothing_ND = joined_N2D.chunk(2, dim=1)
    return {IDENTITY: identity_ND / share.sqrt(), CLOTHING: clothing_ND / (1 - share).sqrt()}


def against_joined(identity_ND: Tensor, clothing_ND: Tensor, share: Tensor) -> Tensor:
    """Queries for a gallery of joined vectors, whatever the share in these: unit vectors [N, 2 D].

    Their cosines rank as identity_ND @ identity of the image + clothing_ND @ clothing of the image.
    Of `share` times unit vectors and 1 - `share` times unit vectors they are what `join` gives.

    Args:
        identity_ND: rows of any length, what a query asks of the identity branch.
        clothing_ND: the same of the clothing branch; no row is 0 in both.
        share: of the gallery, between 0 and 1, neither included.
    """
    parts = identity_ND / share.sqrt(), clothing_ND / (1 - share).sqrt()
    return F.normalize(torch.cat(parts, dim=1), dim=1)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear map that keeps the scale of its input."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    nn.init.zeros_(layer.bias)
    return layer
