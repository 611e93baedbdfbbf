"""Image to tokens: patches of any grid, with positions resized once from the pretrained square."""

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ubg.towers.batch_norm import GlobalBatchNorm2d


class ConvStem(nn.Sequential):
    """Halving 3x3 convolutions in place of one patch projection (arXiv 2106.14881).

    Maps [B, 3, H, W] to [B, width, H / patch_size, W / patch_size]. With it, a transformer trained
    from scratch learns much faster.
    """

    def __init__(self, width: int, patch_size: int):
        halvings = int(math.log2(patch_size))
        if 2**halvings != patch_size:
            raise ValueError(
                f"conv_stem: patch_size {patch_size} is not a power of two; choose one"
            )
        widths = [3] + [max(width >> (halvings - 1 - i), 16) for i in range(halvings - 1)] + [width]
        layers: list[nn.Module] = []
        for inner, outer in pairwise(widths):
            layers += [
                nn.Conv2d(inner, outer, 3, 2, 1, bias=False),
                GlobalBatchNorm2d(outer),
                nn.ReLU(),
            ]
        super().__init__(*layers, nn.Conv2d(width, width, 1))
        for layer in self:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, input: Tensor) -> Tensor:
        # The convolutions follow the layout of their input; this one saves them reordering it.
        return super().forward(input.contiguous(memory_format=torch.channels_last))


class GridEmbeddings(nn.Module):
    """Patch tokens plus learned positions over a height x width grid, optionally a class token.

    Takes the place of the embeddings of a transformers vision model, which know squares only.
    """

    def __init__(
        self,
        patch_embedding: nn.Module,
        positions: Tensor,
        class_token: Tensor | None = None,
    ):
        super().__init__()
        self.patch_embedding = patch_embedding
        self.position_embedding = nn.Parameter(positions)
        self.class_token = None if class_token is None else nn.Parameter(class_token)

    def forward(self, pixel_values: Tensor, interpolate_pos_encoding: bool = False) -> Tensor:
        """[B, 3, H, W] to [B, L, C], class token first where there is one."""
        assert not interpolate_pos_encoding, "positions are resized when the tower is built"
        tokens = self.patch_embedding(pixel_values).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(len(tokens), 1, -1), tokens], dim=1)
        return tokens + self.position_embedding


def resize_positions(
    positions: Tensor,
    grid: tuple[int, int],
    class_token: bool,
    mode: Literal["bilinear", "bicubic"] = "bilinear",
) -> Tensor:
    """Positions learned on a square grid, resized to `grid` (rows, columns).

    Args:
        positions: [S * S, C], or [1 + S * S, C] with the class token's first, which is kept as is.
        grid: rows and columns wanted.
        class_token: whether the first position is the class token's.
        mode: of the interpolation.
    """
    kept, square = positions[: int(class_token)], positions[int(class_token) :]
    side = math.isqrt(len(square))
    assert side * side == len(square), f"{len(square)} positions are not a square"
    if grid != (side, side):
        image = square.T.reshape(1, -1, side, side)
        square = F.interpolate(image, size=grid, mode=mode).reshape(-1, grid[0] * grid[1]).T
    return torch.cat([kept, square]).contiguous()
