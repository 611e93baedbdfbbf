"""Cross-modal projection matching."""

from torch import Tensor

from ubg.losses.matching import bounded_rows, float32_product, matching_divergence, unit_rows


def cmpm_loss(
    image_features: Tensor,
    text_features: Tensor,
    pids: Tensor,
    *,
    text_pids: Tensor | None = None,
) -> Tensor:
    """KL of the softmax over projections from the true matches, summed over both directions.

    An image is projected on the normalised texts and a text on the normalised images, so that the
    length of a feature matters: it is the sharpness of its softmax.

    Args:
        image_features: [N, D], not normalised.
        text_features: [M, D], not normalised.
        pids: [N], identity of each image.
        text_pids: [M], identity of each text; `pids` where not given (M = N, matched pairs).

    Returns:
        Scalar, float32. A row without a match has no term of its own and is a negative of the
        others; 0 where nothing matches.

    Raises:
        ValueError: there is no image or no text.

    Source: Zhang and Lu, "Deep Cross-Modal Projection Learning for Image-Text Matching",
    ECCV 2018.
    """
    text_pids = pids if text_pids is None else text_pids
    labels_NM = (pids[:, None] == text_pids[None, :]).float()
    image_on_text_NM = float32_product(bounded_rows(image_features), unit_rows(text_features))
    text_on_image_MN = float32_product(bounded_rows(text_features), unit_rows(image_features))
    return matching_divergence(image_on_text_NM, labels_NM) + matching_divergence(
        text_on_image_MN, labels_NM.T
    )
