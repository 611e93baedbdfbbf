"""Iterative parallel decoding (MaskGIT, arXiv 2202.04200, section 3.2), the model as a callable."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ubg.systems.phase4.decoder import UNKNOWN


def parallel_decode(
    predict: Callable[[Tensor], Tensor], known_ids_BL: Tensor, steps: int
) -> Tensor:
    """Fill in unknown codes, the most confident first, in a number of steps.

    After step t of T, a share cos(pi t / 2T) of the initially unknown codes is still unknown: the
    first steps fix few codes, the last ones many. Greedy and deterministic; equally confident
    positions are taken in raster order.

    Args:
        predict: known ids [B, L] to scores of the codes [B, L, V], of which those at unknown
            positions count.
        known_ids_BL: long; UNKNOWN where the code is to be found.
        steps: T, at least 1.

    Returns:
        Ids, long [B, L], none unknown; what was known is as it was.
    """
    ids_BL = known_ids_BL.clone()
    missing_B = (ids_BL == UNKNOWN).sum(1)
    for step in range(1, steps + 1):
        unknown_BL = ids_BL == UNKNOWN
        confidence_BL, best_BL = predict(ids_BL).float().softmax(dim=-1).max(dim=-1)
        confidence_BL = confidence_BL.masked_fill(~unknown_BL, -1.0)
        left = math.cos(math.pi / 2 * step / steps) if step < steps else 0.0
        fixed_B = unknown_BL.sum(1) - (missing_B * left).floor().long()
        order_BL = confidence_BL.argsort(dim=1, descending=True, stable=True)
        rank_BL = torch.empty_like(order_BL)
        places_BL = torch.arange(ids_BL.shape[1], device=ids_BL.device).expand_as(order_BL)
        rank_BL.scatter_(1, order_BL, places_BL)
        fix_BL = unknown_BL & (rank_BL < fixed_B[:, None])
        ids_BL = torch.where(fix_BL, best_BL, ids_BL)
    return ids_BL


def autoregressive_decode(
    predict: Callable[[Tensor], Tensor], known_ids_BL: Tensor, steps: int
) -> Tensor:
    """Fill in unknown codes one after the other in raster order, the most likely each time.

    Args:
        predict: as for `parallel_decode`.
        known_ids_BL: as for `parallel_decode`.
        steps: L, since every position takes one.
    """
    assert steps == known_ids_BL.shape[1]
    ids_BL = known_ids_BL.clone()
    for position in range(steps):
        if (ids_BL[:, position] == UNKNOWN).any():
            best_B = predict(ids_BL)[:, position].argmax(dim=-1)
            ids_BL[:, position] = torch.where(
                ids_BL[:, position] == UNKNOWN, best_B, ids_BL[:, position]
            )
    return ids_BL
