"""Similarity distribution matching."""

import torch
from torch import Tensor

from ubg.losses.matching import float32_product, matching_divergence, unit_rows


def sdm_loss(
    image_features: Tensor,
    text_features: Tensor,
    pids: Tensor,
    logit_scale: Tensor | float,
    image_ids: Tensor | None = None,
    same_identity: float = 0.3,
    *,
    text_pids: Tensor | None = None,
    text_image_ids: Tensor | None = None,
) -> Tensor:
    """KL of the softmax over scaled cosines from the true matches, summed over both directions.

    Matches are pairs of one identity. With `image_ids` the labels are soft: 1 for a text and the
    image that it describes, `same_identity` for another image of that identity. Labels are
    normalised by row in either direction.

    Args:
        image_features: [N, D], any length of the rows.
        text_features: [M, D], any length of the rows.
        pids: [N], identity of each image.
        logit_scale: inverse temperature, 50 in the paper.
        image_ids: [N], turns soft labels on.
        same_identity: label of another image of the identity; used with `image_ids` only.
        text_pids: [M], identity of each text; `pids` where not given (M = N, matched pairs).
        text_image_ids: [M], image that each text describes; `image_ids` where not given.

    Returns:
        Scalar, float32. An image without a text of its identity, or a text without an image, has
        no term of its own and is a negative of the others; 0 where nothing matches.

    Raises:
        ValueError: there is no image or no text.

    Source: Jiang and Ye, "Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image
    Person Retrieval", arXiv 2303.12501.
    """
    text_pids = pids if text_pids is None else text_pids
    labels_NM = (pids[:, None] == text_pids[None, :]).float()
    if image_ids is not None:
        text_image_ids = image_ids if text_image_ids is None else text_image_ids
        same_image_NM = image_ids[:, None] == text_image_ids[None, :]
        labels_NM = torch.where(same_image_NM, 1.0, same_identity * labels_NM)

    cosine_NM = float32_product(unit_rows(image_features), unit_rows(text_features))
    logits_NM = logit_scale * cosine_NM
    return matching_divergence(logits_NM, labels_NM) + matching_divergence(logits_NM.T, labels_NM.T)
