"""T5's relative position bias for tokens of two modalities, at positions of the caller's choice."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.t5.modeling_t5 import T5Attention


class Positions(NamedTuple):
    """Where L = T + V tokens stand: T words at 0 to T - 1, then V patches of an image.

    Attributes:
        words: T; a class token counts among them.
        patch_BV: long; index of each patch in the grid in raster order. B is 1 where all samples
            agree, V is 0 where there is no image.
        start: where in the sequence the image begins, long [B, 1]; its patches follow in raster
            order, with room left for those that are absent.
    """

    words: int
    patch_BV: Tensor
    start: Tensor | int = 0

    @staticmethod
    def of_text(length: int, device: torch.device) -> "Positions":
        return Positions(length, torch.empty(1, 0, dtype=torch.long, device=device))

    @staticmethod
    def of_patches(patch_BV: Tensor) -> "Positions":
        return Positions(0, patch_BV)

    def behind_class_token(self) -> "Positions":
        return Positions(self.words + 1, self.patch_BV, self.start + 1)

    @property
    def word_1T(self) -> Tensor:
        """Places of the words, long."""
        return torch.arange(self.words, device=self.patch_BV.device)[None]

    @property
    def sequence_BL(self) -> Tensor:
        """Places of all tokens, long."""
        image_BV = self.patch_BV + self.start
        return torch.cat([self.word_1T.expand(len(image_BV), -1), image_BV], dim=1)


def sequence_bias(
    attention: T5Attention, sequence_BL: Tensor, bidirectional: bool = True
) -> Tensor:
    """The bias of T5 (arXiv 1910.10683, section 2.1) for any positions, [B, heads, L, L].

    Equals the bias that the library computes where positions are 0 to L - 1.

    Args:
        attention: the self-attention of a stack's first block, which holds the bias of all blocks.
        sequence_BL: long [B, L].
        bidirectional: tell later positions apart too, as an encoder does.
    """
    distance_BLL = sequence_BL[:, None, :] - sequence_BL[:, :, None]
    buckets_BLL = attention._relative_position_bucket(
        distance_BLL,
        bidirectional=bidirectional,
        num_buckets=attention.relative_attention_num_buckets,
        max_distance=attention.relative_attention_max_distance,
    )
    return look_up(attention.relative_attention_bias.weight, buckets_BLL)


class GridBias(nn.Module):
    """A learned bias over the distances of two patches in rows and in columns, added up.

    Between a patch and a token of the text it is 0, between two tokens of the text it is T5's.
    """

    def __init__(self, grid: tuple[int, int], heads: int, std: float):
        super().__init__()
        self.grid = grid
        self.rows = nn.Embedding(2 * grid[0] - 1, heads)
        self.columns = nn.Embedding(2 * grid[1] - 1, heads)
        nn.init.normal_(self.rows.weight, std=std)
        nn.init.normal_(self.columns.weight, std=std)

    def forward(self, attention: T5Attention, positions: Positions) -> Tensor:
        """[B, heads, L, L] for tokens at `positions`."""
        words, patches = positions.words, positions.patch_BV.shape[1]
        word_bias_1hTT = sequence_bias(attention, positions.word_1T)
        if not patches:
            return word_bias_1hTT
        row_BV, column_BV = positions.patch_BV // self.grid[1], positions.patch_BV % self.grid[1]
        patch_bias_BhVV = look_up(self.rows.weight, _distance(row_BV, self.grid[0])) + look_up(
            self.columns.weight, _distance(column_BV, self.grid[1])
        )
        if not words:
            return patch_bias_BhVV
        return F.pad(word_bias_1hTT, (0, patches, 0, patches)) + F.pad(
            patch_bias_BhVV, (words, 0, words, 0)
        )


def look_up(table_Kh: Tensor, index_BLL: Tensor) -> Tensor:
    """The rows of a small table for every pair of tokens, [B, h, L, L]."""
    return _LookUp.apply(table_Kh, index_BLL)


class _LookUp(torch.autograd.Function):
    """An embedding whose gradient on CPU is a histogram.

    PyTorch's own gradient adds up one row of `h` numbers after the other on one thread. For the
    bias of every pair of tokens of every sample this takes longer than a layer of attention.
    """

    @staticmethod
    def forward(ctx: Any, table_Kh: Tensor, index_BLL: Tensor) -> Tensor:
        ctx.save_for_backward(index_BLL)
        ctx.rows = len(table_Kh)
        return F.embedding(index_BLL, table_Kh).permute(0, 3, 1, 2).contiguous()

    @staticmethod
    def backward(ctx: Any, gradient_BhLL: Tensor) -> tuple[Tensor, None]:
        (index_BLL,) = ctx.saved_tensors
        if gradient_BhLL.device.type != "cpu":
            gradient_BLLh = gradient_BhLL.permute(0, 2, 3, 1)
            return torch.ops.aten.embedding_dense_backward(
                gradient_BLLh, index_BLL, ctx.rows, -1, False
            ), None
        flat = index_BLL.reshape(-1)
        columns = [
            torch.bincount(flat, head_BLL.reshape(-1).double(), minlength=ctx.rows)
            for head_BLL in gradient_BhLL.unbind(1)
        ]
        return torch.stack(columns, dim=1).to(gradient_BhLL.dtype), None


def _distance(index_BL: Tensor, size: int) -> Tensor:
    """Index differences of all pairs, [B, L, L], plus `size - 1`, so that none is negative."""
    return index_BL[:, None, :] - index_BL[:, :, None] + size - 1
