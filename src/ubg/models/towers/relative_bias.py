"""T5's relative position bias for tokens of two modalities, at positions of the caller's choice."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.t5.modeling_t5 import T5Attention

NOT_A_PATCH = -1


class Positions(NamedTuple):
    """Where L tokens stand; B is 1 where all samples of a batch agree.

    Attributes:
        sequence_BL: long; place in the sequence, image patches in raster order.
        patch_BL: long; index of the patch in the grid in raster order, or NOT_A_PATCH.
    """

    sequence_BL: Tensor
    patch_BL: Tensor

    @staticmethod
    def of_text(length: int, device: torch.device) -> "Positions":
        sequence = torch.arange(length, device=device)[None]
        return Positions(sequence, torch.full_like(sequence, NOT_A_PATCH))

    @staticmethod
    def of_patches(patch_BL: Tensor) -> "Positions":
        return Positions(patch_BL, patch_BL)

    def then(self, other: "Positions", start: Tensor | int) -> "Positions":
        """These tokens followed by `other`, whose sequence begins at `start` (long [B, 1])."""
        sequence_BL = other.sequence_BL + start
        batch = max(len(self.sequence_BL), len(sequence_BL))

        def join(first: Tensor, second: Tensor) -> Tensor:
            return torch.cat([first.expand(batch, -1), second.expand(batch, -1)], dim=1)

        return Positions(join(self.sequence_BL, sequence_BL), join(self.patch_BL, other.patch_BL))


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

    def __init__(self, grid: tuple[int, int], heads: int):
        super().__init__()
        self.grid = grid
        self.rows = nn.Embedding(2 * grid[0] - 1, heads)
        self.columns = nn.Embedding(2 * grid[1] - 1, heads)
        nn.init.zeros_(self.rows.weight)
        nn.init.zeros_(self.columns.weight)

    def forward(self, attention: T5Attention, positions: Positions) -> Tensor:
        """[B, heads, L, L] for tokens at `positions`."""
        patch_BL = positions.patch_BL
        is_patch_BL = patch_BL != NOT_A_PATCH
        row_BL, column_BL = (
            patch_BL.clamp(min=0) // self.grid[1],
            patch_BL.clamp(min=0) % self.grid[1],
        )
        both_BLL = is_patch_BL[:, :, None] & is_patch_BL[:, None, :]
        bias_BhLL = _look_up_where(both_BLL, self.rows, _distance(row_BL, self.grid[0]))
        bias_BhLL = bias_BhLL + _look_up_where(
            both_BLL, self.columns, _distance(column_BL, self.grid[1])
        )
        if is_patch_BL.all():
            return bias_BhLL
        of_text_BLL = ~(is_patch_BL[:, :, None] | is_patch_BL[:, None, :])
        text_BhLL = sequence_bias(attention, positions.sequence_BL)
        return bias_BhLL + text_BhLL * of_text_BLL[:, None]


def look_up(table_Kh: Tensor, index_BLL: Tensor) -> Tensor:
    """The rows of a small table for every pair of tokens, [B, h, L, L]."""
    return _LookUp.apply(table_Kh, index_BLL)


class _LookUp(torch.autograd.Function):
    """An embedding whose gradient on CPU is a histogram.

    The library adds up one row of `h` numbers after the other on one thread, which for the bias of
    every pair of tokens of every sample takes longer than a layer of attention.
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


def _look_up_where(wanted_BLL: Tensor, table: nn.Embedding, index_BLL: Tensor) -> Tensor:
    """`look_up` where it is wanted and 0 elsewhere."""
    with_zero = torch.cat([table.weight, torch.zeros_like(table.weight[:1])])
    return look_up(with_zero, torch.where(wanted_BLL, index_BLL, len(table.weight)))


def _distance(index_BL: Tensor, size: int) -> Tensor:
    """Differences of the indices of every pair, [B, L, L], from 0: `size - 1` is none."""
    return index_BL[:, None, :] - index_BL[:, :, None] + size - 1
