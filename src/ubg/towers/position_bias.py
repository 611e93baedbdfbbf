"""How the relative position bias of a T5 encoder starts where nothing is pretrained."""

import torch
from torch import Tensor

BUCKETS, EXACT, LONGEST = 32, 8, 128  # of T5 (arXiv 1910.10683): half for each direction
OFFSETS = (-1.0, 1.0, 0.0, 0.0)
SLOPES = (1.5, 1.5, 0.5, 0.0)
LEAST = -8.0


def local_position_bias(heads: int) -> Tensor:
    """A bias by which heads see their neighbours, float32 [32, heads].

    Of four heads, one looks one token back, one one token ahead, one around itself and one
    everywhere; further heads repeat them. With d the distance of a bucket, o the offset and s the
    slope of a head, its bias is max(-8, -s |d - o|).
    """
    distance_K1 = bucket_distances()[:, None]
    offset_h, slope_h = (
        torch.tensor([values[head % len(values)] for head in range(heads)])
        for values in (OFFSETS, SLOPES)
    )
    return (-slope_h * (distance_K1 - offset_h).abs()).clamp(min=LEAST)


def bucket_distances() -> Tensor:
    """The shortest distance from query to memory of each of T5's buckets, in tokens, [32].

    The first half is of memory before the query, or at it, and negative.
    """
    half = BUCKETS // 2
    step_k = torch.arange(half)
    further = EXACT * (LONGEST / EXACT) ** ((step_k - EXACT) / (half - EXACT))
    distance_k = torch.where(step_k < EXACT, step_k.float(), further)
    return torch.cat([-distance_k, distance_k])
